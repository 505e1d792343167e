"""The decoder of our own: all sequences in one pass, over pages of keys and values that they share.

Nothing of onnxruntime is loaded. Weights in eight bits are read from beside the ONNX graph and
repacked, so a decoder takes about as much memory as that file is large, and its KV pages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from astraweave._native import Decoder, DecoderTeam, DecoderWeights
from astraweave.errors import ConfigError, UnsupportedModel, UsageError
from astraweave.inference import MemoryShare
from astraweave.llm._backend import KvReport, StepBatch
from astraweave.models import ModelFiles
from astraweave.models.weight_table import WeightTable

__all__ = ["KvKind", "NativeBackend", "open_native", "read_weights"]

KvKind = Literal["float16", "int8"]


def read_weights(files: ModelFiles) -> DecoderWeights:
    """Load and repack a decoder's weights; several backends may share them.

    Raises
    ------
    UnsupportedModel
        The model has no weights in eight bits that the native decoder can compute with. Use the
        graph.
    CorruptDataError
        The files are damaged.
    StorageError, CapacityError
        They cannot be read; there is no memory for them.
    """
    path = files.weights
    if path is None:
        raise UnsupportedModel(
            f"'{files.directory}' has no weights.json: it was converted by an older astraweave or "
            "in full precision, which the native decoder does not compute with",
            path=str(files.directory),
        )
    return load_table(path, files.graph.with_name(files.graph.name + ".data"))


def load_table(table_path: Path, data: Path) -> DecoderWeights:
    """The weights that a table names; see `read_weights`."""
    table = WeightTable.read(table_path)
    numbers = table.shape
    try:
        return DecoderWeights(
            data,
            {name: (row.dtype, row.shape, row.offset) for name, row in table.tensors.items()},
            layers=numbers.layers,
            width=numbers.width,
            hidden=numbers.hidden,
            heads=numbers.heads,
            kv_heads=numbers.kv_heads,
            head_size=numbers.head_size,
            vocabulary=numbers.vocabulary,
            context=numbers.context,
            epsilon=numbers.epsilon,
        )
    except ConfigError as error:
        raise UnsupportedModel(f"'{table_path}': {error}", path=str(table_path)) from error


class NativeBackend:
    """A `DecoderBackend` on the processor. The computing releases the GIL.

    What a token's logits are depends, to the last bit, on the tokens before it alone, for one SIMD
    tier and kind of KV: not on how they came (one by one, in pieces, by a fork), not on the other
    sequences of the batch, and not on threads.

    Parameters
    ----------
    weights : DecoderWeights
        See `read_weights`.
    team : DecoderTeam
        The threads; several backends may share one, and then take turns.
    max_sequences : int
        Sequences that may be open at once.
    kv_bytes : int
        Most memory for keys and values; it is taken as it is filled.
    kv_kind : {"float16", "int8"}
        How they are kept.
    context_tokens : int
        Tokens that a sequence may have; 0: as many as the model.

    Raises
    ------
    ConfigError
        A number is impossible for this model.
    CapacityError
        There is no memory for it.
    """

    shares: tuple[MemoryShare, ...] = ()
    """Of a memory budget; given back by `close`."""

    mixes = True
    provider = "native"

    def __init__(
        self,
        weights: DecoderWeights,
        team: DecoderTeam,
        *,
        max_sequences: int,
        kv_bytes: int,
        kv_kind: KvKind = "float16",
        context_tokens: int = 0,
    ) -> None:
        self._decoder: Decoder | None = Decoder(
            weights,
            team,
            kv_kind=kv_kind,
            kv_bytes=kv_bytes,
            max_sequences=max_sequences,
            context_tokens=context_tokens,
        )
        self.vocabulary = self._decoder.vocabulary
        self.context_tokens = self._decoder.context_tokens
        self.max_sequences = max_sequences

    def open(self) -> int:
        """A new, empty sequence."""
        return self._native().open()

    def fork(self, sequence: int, tokens: int) -> int:
        """A new sequence that begins with the first `tokens` of another; takes no page."""
        return self._native().fork(sequence, tokens)

    def truncate(self, sequence: int, tokens: int) -> None:
        """Keep the first `tokens` only."""
        self._native().truncate(sequence, tokens)

    def release(self, sequence: int) -> None:
        """Forget a sequence."""
        self._native().release(sequence)

    def length(self, sequence: int) -> int:
        """Tokens that it has."""
        return self._native().length(sequence)

    def step(self, batch: StepBatch) -> NDArray[np.float32]:
        """Append, and compute the wanted logits."""
        return self._native().step(batch.sequences, batch.counts, batch.tokens, batch.wanted)

    def report(self) -> KvReport:
        """How full its memory is."""
        capacity_tokens, used_tokens, capacity_bytes, used_bytes, count = self._native().report()
        return KvReport(
            capacity_tokens=capacity_tokens,
            used_tokens=used_tokens,
            capacity_bytes=capacity_bytes,
            used_bytes=used_bytes,
            sequences=count,
        )

    def close(self) -> None:
        """Let go of weights and memory."""
        self._decoder = None
        for share in self.shares:
            share.release()

    def _native(self) -> Decoder:
        if self._decoder is None:
            raise UsageError("the decoder is closed")
        return self._decoder


def open_native(
    files: ModelFiles,
    *,
    threads: int,
    max_sequences: int,
    kv_bytes: int,
    kv_kind: KvKind = "float16",
    context_tokens: int = 0,
) -> NativeBackend:
    """A backend with weights and threads of its own; see `read_weights` and `NativeBackend`."""
    return NativeBackend(
        read_weights(files),
        DecoderTeam(threads),
        max_sequences=max_sequences,
        kv_bytes=kv_bytes,
        kv_kind=kv_kind,
        context_tokens=context_tokens,
    )
