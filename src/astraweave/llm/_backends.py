"""Which backend runs a model, by a name that a player can type."""

from __future__ import annotations

from typing import Literal, TypeAlias

from astraweave.errors import ConfigError, UnsupportedModel
from astraweave.inference import Sessions, provider_name
from astraweave.llm._backend import DecoderBackend
from astraweave.llm._config import DecoderConfig
from astraweave.llm._graph_backend import GraphBackend
from astraweave.models import ModelFiles

__all__ = ["BackendName", "open_backend"]

BackendName: TypeAlias = Literal["auto", "native", "graph"]

_KEPT_ROWS = 16
"""Sequences that the graph keeps beyond those that run: each has memory of its own."""

_KEPT_PAGED = 240
"""The same for the native decoder, where a sequence costs what it does not share."""

_NATIVE_KV_BYTES = 256 << 20
"""Tokens of the default model that fit into it: 11,000."""


def open_backend(
    files: ModelFiles,
    config: DecoderConfig,
    sessions: Sessions,
    *,
    kind: BackendName,
    max_sequences: int,
    context_tokens: int,
    kv_bytes: int | None,
    alone: bool,
) -> DecoderBackend:
    """Load a model for `max_sequences` answers at once, with room for as many kept ones again.

    Raises
    ------
    ConfigError
        `kind` is unknown, or a number is impossible for this model.
    ModelUnavailable, UnsupportedModel, CorruptDataError
        The files cannot be used, by this backend at least.
    MissingExtraError
        onnxruntime is not installed.
    """
    if kind not in ("auto", "native", "graph"):
        raise ConfigError(
            f"backend must be 'auto', 'native' or 'graph', not {kind!r}", backend=kind
        )
    if kind == "native" or (kind == "auto" and sessions.requested == provider_name("cpu")):
        from astraweave.llm._native_backend import open_native

        try:
            return open_native(
                files,
                threads=sessions.threads,
                max_sequences=max_sequences + _KEPT_PAGED,
                kv_bytes=_NATIVE_KV_BYTES if kv_bytes is None else kv_bytes,
                context_tokens=context_tokens,
            )
        except UnsupportedModel:
            if kind == "native":
                raise
    return GraphBackend(
        sessions.open(files.graph),
        config,
        max_sequences=max_sequences + _KEPT_ROWS,
        context_tokens=context_tokens,
        kv_bytes=kv_bytes,
        alone=alone,
    )
