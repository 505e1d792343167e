"""Which backend runs a model, by a name that a player can type."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from astraweave.errors import ConfigError, UnsupportedModel
from astraweave.inference import MemoryBudget, Session, Sessions, device_of, provider_name
from astraweave.inference.kv_memory import KvShape
from astraweave.llm._backend import DecoderBackend
from astraweave.llm._config import DecoderConfig
from astraweave.llm._graph_backend import GraphBackend, kv_shape
from astraweave.models import ModelFiles

__all__ = ["BackendName", "open_backend"]

BackendName: TypeAlias = Literal["auto", "native", "graph"]

_KEPT_ROWS = 16
"""Sequences that the graph keeps beyond those that run: each has memory of its own."""

_KEPT_PAGED = 240
"""The same for the native decoder, where a sequence costs what it does not share."""

_NATIVE_KV_BYTES = 256 << 20
"""At most, unless it is said: 11,000 tokens of the default model."""


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
    CapacityError
        Weights, keys and values do not fit into the memory budget.
    MissingExtraError
        onnxruntime is not installed.
    """
    if kind not in ("auto", "native", "graph"):
        raise ConfigError(
            f"backend must be 'auto', 'native' or 'graph', not {kind!r}", backend=kind
        )
    if kind == "native" or (kind == "auto" and sessions.requested == provider_name("cpu")):
        try:
            return _native(
                files,
                config,
                sessions,
                max_sequences=max_sequences + _KEPT_PAGED,
                context_tokens=context_tokens,
                kv_bytes=kv_bytes,
            )
        except UnsupportedModel:
            if kind == "native":
                raise
    session = sessions.open(files.graph)
    try:
        shape = kv_shape(
            session, config, rows=max_sequences + _KEPT_ROWS, row_tokens=context_tokens
        )
        shape, size = _fitting(shape, session, sessions, max_sequences, kv_bytes)
        share = _budget(session, sessions).reserve(f"keys and values of '{config.id}'", size)
        graph = GraphBackend(
            session,
            config,
            max_sequences=shape.rows,
            context_tokens=context_tokens,
            kv_bytes=size,
            alone=alone,
        )
    except BaseException:
        session.close()
        raise
    graph.shares = (share,)
    return graph


def _native(
    files: ModelFiles,
    config: DecoderConfig,
    sessions: Sessions,
    *,
    max_sequences: int,
    context_tokens: int,
    kv_bytes: int | None,
) -> DecoderBackend:
    from astraweave.llm._native_backend import open_native

    budget = sessions.memory
    weights = files.graph.with_name(f"{files.graph.name}.data")
    shares = [budget.reserve(f"'{config.id}'", weights.stat().st_size if weights.is_file() else 0)]
    try:
        size = min(_NATIVE_KV_BYTES, budget.left // 2) if kv_bytes is None else kv_bytes
        shares.append(budget.reserve(f"keys and values of '{config.id}'", size))
        native = open_native(
            files,
            threads=sessions.threads,
            max_sequences=max_sequences,
            kv_bytes=size,
            context_tokens=context_tokens,
        )
    except BaseException:
        for share in shares:
            share.release()
        raise
    native.shares = tuple(shares)
    return native


def _fitting(
    shape: KvShape, session: Session, sessions: Sessions, needed: int, kv_bytes: int | None
) -> tuple[KvShape, int]:
    """As many rows as there is memory for, `needed` ones at least, and the bytes that they take."""
    left = _budget(session, sessions).left
    most = left // 2 if kv_bytes is None else kv_bytes  # others come after us
    if device_of(session.provider) == "cpu":  # mapped: a row costs what is in it
        return shape, min(shape.total_bytes, most)
    row = shape.total_bytes // shape.rows
    rows = max(needed, min(shape.rows, most // row - 1))  # one more for exchanging two
    return msgspec.structs.replace(shape, rows=rows), (rows + 1) * row


def _budget(session: Session, sessions: Sessions) -> MemoryBudget:
    """Of the memory where a session's keys and values lie."""
    return sessions.memory if device_of(session.provider) == "cpu" else sessions.gpu_memory
