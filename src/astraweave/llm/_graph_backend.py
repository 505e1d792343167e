"""The whole ONNX graph, attention included: the reference, and what runs on GPUs.

Past and present KV are bound to the same memory, so a run writes only its new rows and nothing is
ever copied. The graph takes one new token for each of many sequences, or many for one, and gives
one row of logits a sequence; whatever a step asks is made of such runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astraweave.errors import CapacityError, InputError, UnsupportedModel
from astraweave.inference import MemoryShare, Session
from astraweave.inference.kv_memory import KvShape, kv_memory
from astraweave.llm._backend import KvReport, StepBatch
from astraweave.llm._config import DecoderConfig
from astraweave.llm._graph_rows import KvRows

__all__ = ["GraphBackend", "kv_shape"]

_KEPT_BINDINGS = 128


class GraphBackend:
    """A `DecoderBackend` over one onnxruntime session.

    Parameters
    ----------
    session : Session
        An open decoder graph; it is closed with this object.
    config : DecoderConfig
        Its dimensions.
    max_sequences, context_tokens : int
        How many may be open, and how many tokens each may have.
    kv_bytes : int or None
        Cap of the KV memory; None: what all sequences can fill.
    alone : bool
        Every sequence is run for itself: its logits then owe nothing to its neighbours, since the
        int8 kernels for one row and for many round differently.

    Raises
    ------
    UnsupportedModel
        The graph is none of our conversion.
    """

    shares: tuple[MemoryShare, ...] = ()
    """Of a memory budget; given back by `close`."""

    mixes = False

    def __init__(
        self,
        session: Session,
        config: DecoderConfig,
        *,
        max_sequences: int,
        context_tokens: int,
        kv_bytes: int | None = None,
        alone: bool = False,
    ) -> None:
        self._session = session
        self._config = config
        _check_graph(session, config)
        self.vocabulary = config.vocab_size
        self.context_tokens = context_tokens
        self.max_sequences = max_sequences
        self.provider = session.provider
        self._alone = alone
        shape = kv_shape(session, config, rows=max_sequences, row_tokens=context_tokens)
        self._token_bytes = shape.token_bytes
        room = max_sequences * context_tokens
        self._capacity = room if kv_bytes is None else min(room, kv_bytes // self._token_bytes)
        self._memory = kv_memory(session, shape)
        self._kv = KvRows(self._memory)
        self._logits = np.zeros((1, config.vocab_size), np.float32)
        self._spare = np.zeros((max_sequences, config.vocab_size), np.float32)
        self._bindings: dict[tuple[int, int], Any] = {}

    def open(self) -> int:
        """A new, empty sequence. CapacityError: `max_sequences` are open."""
        return self._kv.open()

    def fork(self, sequence: int, tokens: int) -> int:
        """A new sequence that begins with a copy of the first `tokens` of another."""
        self._check_holds(sequence, tokens)
        self._check_room(tokens)
        child = self._kv.open()
        self._kv.copy(sequence, child, tokens)
        return child

    def truncate(self, sequence: int, tokens: int) -> None:
        """Keep the first `tokens` only."""
        self._check_holds(sequence, tokens)
        self._kv.grow(sequence, tokens)

    def release(self, sequence: int) -> None:
        """Forget a sequence."""
        self._check_open(sequence)
        self._kv.release(sequence)

    def length(self, sequence: int) -> int:
        """Tokens that it has."""
        self._check_open(sequence)
        return self._kv.lengths[sequence]

    def step(self, batch: StepBatch) -> NDArray[np.float32]:
        """Append, and compute the wanted logits, shape ``(len(wanted), vocabulary)``.

        Raises
        ------
        InputError
            A sequence is not open, or a token is none.
        CapacityError
            No room for the tokens: nothing was changed.
        ModelError
            onnxruntime failed; the sequences of the batch are undefined.
        """
        self._check(batch)
        wanted = batch.wanted.tolist()
        if len(wanted) > len(self._logits):
            self._logits = np.zeros((len(wanted), self.vocabulary), np.float32)
        tokens = batch.tokens.astype(np.int64)
        place_of = {place: row for row, place in enumerate(wanted)}
        queues = _segments(batch, wanted)
        while queues:
            # One piece of each sequence: those of one token together, the others each alone.
            ready = [(sequence, *pieces.pop(0)) for sequence, pieces in queues.items()]
            queues = {sequence: pieces for sequence, pieces in queues.items() if pieces}
            singles = [piece for piece in ready if piece[2] - piece[1] == 1]
            runs = [[piece] for piece in ready if piece[2] - piece[1] > 1]
            runs += [[piece] for piece in singles] if self._alone else [singles] if singles else []
            for run in runs:
                self._run(run, tokens, place_of)
        return self._logits[: len(wanted)]

    def report(self) -> KvReport:
        """How full its memory is."""
        used = self._kv.used_tokens
        return KvReport(
            capacity_tokens=self._capacity,
            used_tokens=used,
            capacity_bytes=self._capacity * self._token_bytes,
            used_bytes=used * self._token_bytes,
            sequences=len(self._kv.lengths),
        )

    def close(self) -> None:
        """Let go of the graph and the memory. Closing twice is allowed."""
        self._bindings.clear()
        self._session.close()
        self._memory.close()
        for share in self.shares:
            share.release()

    def _run(
        self,
        pieces: Sequence[tuple[int, int, int]],
        tokens: NDArray[np.int64],
        place_of: dict[int, int],
    ) -> None:
        """One run of the graph: `pieces` are (sequence, begin, end in `tokens`), equally long."""
        count, size = len(pieces), pieces[0][2] - pieces[0][1]
        start, order = self._kv.place([sequence for sequence, _, _ in pieces])
        spans = {sequence: (begin, end) for sequence, begin, end in pieces}
        ids = np.stack([tokens[slice(*spans[sequence])] for sequence in order])
        totals = [self._kv.lengths[sequence] + size for sequence in order]
        last_key = np.array(totals, np.int32) - 1
        total = np.array(max(totals), np.int32)
        logit_position = np.full((count, 1), size - 1, np.int64)
        rows = [place_of.get(spans[sequence][1] - 1) for sequence in order]
        first = rows[0] or 0
        direct = rows == list(range(first, first + count))  # else they have to be put in order
        logits = self._logits[first : first + count] if direct else self._spare[:count]
        binding = self._binding(start, count)
        _bind_input(binding, "input_ids", ids)
        _bind_input(binding, "seqlens_k", last_key)
        _bind_input(binding, "total_len", total)
        _bind_input(binding, "logit_pos", logit_position)
        _bind_output(binding, "logits", logits)
        self._session.run_bound(binding)
        for sequence, length in zip(order, totals, strict=True):
            self._kv.grow(sequence, length)
        if not direct:
            for at, row in enumerate(rows):
                if row is not None:
                    self._logits[row] = logits[at]

    def _binding(self, start: int, count: int) -> Any:
        if (kept := self._bindings.get((start, count))) is not None:
            return kept
        if len(self._bindings) >= _KEPT_BINDINGS:
            self._bindings.clear()
        binding = self._session.binding()
        self._memory.bind(binding, start, count)
        self._bindings[start, count] = binding
        return binding

    def _check(self, batch: StepBatch) -> None:
        sequences, counts = batch.sequences.tolist(), batch.counts.tolist()
        if len(set(sequences)) != len(sequences) or len(counts) != len(sequences):
            raise InputError("a sequence stands in a batch once, with one count")
        if min(counts, default=1) < 1 or sum(counts) != len(batch.tokens):
            raise InputError("the counts of a batch do not belong to its tokens")
        if len(batch.tokens) and not 0 <= batch.tokens.min() <= batch.tokens.max() < (
            self.vocabulary
        ):
            raise InputError(f"a token is outside the vocabulary of {self.vocabulary}")
        for sequence, count in zip(sequences, counts, strict=True):
            self._check_open(sequence)
            if self._kv.lengths[sequence] + count > self.context_tokens:
                raise CapacityError(
                    f"a sequence has room for {self.context_tokens} tokens, not for "
                    f"{self._kv.lengths[sequence] + count}",
                    context_tokens=self.context_tokens,
                )
        self._check_room(len(batch.tokens))

    def _check_room(self, tokens: int) -> None:
        if self._kv.used_tokens + tokens > self._capacity:
            raise CapacityError(
                f"KV memory is full: {self._kv.used_tokens} of {self._capacity} tokens are used, "
                f"and {tokens} more are wanted",
                used_tokens=self._kv.used_tokens,
                capacity_tokens=self._capacity,
                tokens=tokens,
            )
        if self._kv.touched_tokens + tokens > self._capacity:
            self._kv.give_back()

    def _check_holds(self, sequence: int, tokens: int) -> None:
        self._check_open(sequence)
        if not 0 <= tokens <= self._kv.lengths[sequence]:
            raise InputError(
                f"sequence {sequence} has {self._kv.lengths[sequence]} tokens, not {tokens}",
                sequence=sequence,
                tokens=tokens,
            )

    def _check_open(self, sequence: int) -> None:
        if sequence not in self._kv.lengths:
            raise InputError(f"sequence {sequence} is not open", sequence=sequence)


def kv_shape(session: Session, config: DecoderConfig, *, rows: int, row_tokens: int) -> KvShape:
    """The numbers of a graph's keys and values; their kind is the graph's own."""
    kinds = {port.name: port.type for port in session.raw.get_inputs()}
    return KvShape(
        layers=config.layers,
        kv_heads=config.kv_heads,
        head_size=config.head_size,
        rows=rows,
        row_tokens=row_tokens,
        dtype="float16" if kinds.get("past_k0") == "tensor(float16)" else "float32",
    )


def _segments(batch: StepBatch, wanted: Sequence[int]) -> dict[int, list[tuple[int, int]]]:
    """Each sequence's tokens, cut after every place whose logits are wanted."""
    ends = sorted({place + 1 for place in wanted})
    result: dict[int, list[tuple[int, int]]] = {}
    begin, at = 0, 0
    for sequence, count in zip(batch.sequences.tolist(), batch.counts.tolist(), strict=True):
        end, pieces = begin + count, []
        while at < len(ends) and ends[at] <= end:
            pieces.append((begin, ends[at]))
            begin = ends[at]
            at += 1
        if begin < end:
            pieces.append((begin, end))
        result[sequence] = pieces
        begin = end
    return result


def _check_graph(session: Session, config: DecoderConfig) -> None:
    names = [f"{part}{layer}" for layer in range(config.layers) for part in "kv"]
    inputs = {"input_ids", "seqlens_k", "total_len", "logit_pos"}
    wanted = inputs | {f"past_{name}" for name in names}
    missing = wanted - set(session.inputs) or (
        {"logits"} | {f"present_{name}" for name in names}
    ) - set(session.outputs)
    if missing:
        raise UnsupportedModel(
            f"'{session.graph}' is no decoder as astraweave converts them: it lacks "
            f"{', '.join(sorted(missing)[:4])}; convert the model again",
            path=str(session.graph),
            missing=tuple(sorted(missing)),
        )


def _bind_input(binding: Any, name: str, memory: NDArray[Any]) -> None:
    binding.bind_input(name, "cpu", 0, memory.dtype.type, list(memory.shape), memory.ctypes.data)


def _bind_output(binding: Any, name: str, memory: NDArray[Any]) -> None:
    binding.bind_output(name, "cpu", 0, memory.dtype.type, list(memory.shape), memory.ctypes.data)
