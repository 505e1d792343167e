"""What the decoder's memory, attention and row kernels mean, in as few lines as say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import count
from math import ceil

import numpy as np
from numpy.typing import NDArray

from astraweave.errors import CapacityError, InputError

__all__ = ["KvPages", "attend", "rms_norm", "rope", "silu_multiply"]

PAGE_TOKENS = 16


class KvPages:
    """Pages as numbers; what is written stands in the pages, a value a token."""

    def __init__(self, *, pages: int, max_sequences: int, context_tokens: int) -> None:
        self.capacity = min(pages, max_sequences * ceil(context_tokens / PAGE_TOKENS))
        self.max_sequences = max_sequences
        self.context_tokens = context_tokens
        self.references: Counter[int] = Counter()
        self.written: dict[int, list[object]] = {}
        self.sequences: dict[int, tuple[list[int], int]] = {}

    def open(self) -> int:
        """The lowest free number."""
        if len(self.sequences) == self.max_sequences:
            raise CapacityError("sequences")
        number = next(n for n in count() if n not in self.sequences)
        self.sequences[number] = ([], 0)
        return number

    def fork(self, sequence: int, tokens: int) -> int:
        """Refers to the same pages, the partly filled last one too."""
        pages, length = self._of(sequence)
        if not 0 <= tokens <= length:
            raise InputError("tokens")
        number = self.open()
        shared = pages[: ceil(tokens / PAGE_TOKENS)]
        self.references.update(shared)
        self.sequences[number] = (list(shared), tokens)
        return number

    def append(self, sequences: Sequence[int], counts: Sequence[int]) -> None:
        """All of them or none."""
        wanted = 0
        for sequence, more in zip(sequences, counts, strict=True):
            pages, length = self._of(sequence)
            if length + more > self.context_tokens:
                raise CapacityError("context")
            copied = more > 0 and self._last_is_shared(sequence)
            wanted += ceil((length + more) / PAGE_TOKENS) - len(pages) + copied
            if sequences.count(sequence) > 1:
                raise InputError("twice")
        if wanted > self.capacity - len(+self.references):
            raise CapacityError("pages")
        for sequence, more in zip(sequences, counts, strict=True):
            pages, length = self._of(sequence)
            if more > 0 and self._last_is_shared(sequence):
                own = self._take(list(self.written[pages[-1]]))
                self.references[pages[-1]] -= 1
                pages[-1] = own
            while len(pages) < ceil((length + more) / PAGE_TOKENS):
                pages.append(self._take([None] * PAGE_TOKENS))
            self.sequences[sequence] = (pages, length + more)

    def write(self, sequence: int, position: int, value: object) -> None:
        """What stands at a position."""
        pages, _ = self._of(sequence)
        self.written[pages[position // PAGE_TOKENS]][position % PAGE_TOKENS] = value

    def read(self, sequence: int) -> list[object]:
        """What stands at each position."""
        pages, length = self._of(sequence)
        return [self.written[pages[t // PAGE_TOKENS]][t % PAGE_TOKENS] for t in range(length)]

    def truncate(self, sequence: int, tokens: int) -> None:
        """Drops whole pages only."""
        pages, length = self._of(sequence)
        if not 0 <= tokens <= length:
            raise InputError("tokens")
        kept = ceil(tokens / PAGE_TOKENS)
        self.references.subtract(pages[kept:])
        self.sequences[sequence] = (pages[:kept], tokens)

    def release(self, sequence: int) -> None:
        """Forgets it."""
        self.truncate(sequence, 0)
        del self.sequences[sequence]

    def _of(self, sequence: int) -> tuple[list[int], int]:
        if sequence not in self.sequences:
            raise InputError("sequence")
        return self.sequences[sequence]

    def _last_is_shared(self, sequence: int) -> bool:
        pages, length = self._of(sequence)
        return length % PAGE_TOKENS > 0 and self.references[pages[-1]] > 1

    def _take(self, content: list[object]) -> int:
        page = next(n for n in count() if self.references[n] == 0)
        self.references[page] = 1
        self.written[page] = content
        return page


def attend(
    query: NDArray[np.float64],
    keys: NDArray[np.float64],
    values: NDArray[np.float64],
    scale: float,
) -> NDArray[np.float64]:
    """One row, (heads, head size), over all keys and values, (tokens, KV heads, head size)."""
    group = query.shape[0] // keys.shape[1]
    wide_keys, wide_values = np.repeat(keys, group, axis=1), np.repeat(values, group, axis=1)
    scores = np.einsum("hd,thd->ht", query, wide_keys) * scale
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    out: NDArray[np.float64] = np.einsum("ht,thd->hd", weights, wide_values)
    out /= weights.sum(axis=1, keepdims=True)
    return out


def rms_norm(
    x: NDArray[np.float64], weight: NDArray[np.float64], epsilon: float
) -> NDArray[np.float64]:
    """Root mean square to one, then the weight."""
    out: NDArray[np.float64] = x / np.sqrt(np.mean(x * x) + epsilon) * weight
    return out


def rope(
    head: NDArray[np.float64], cos: NDArray[np.float64], sin: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The first half turned against the second."""
    first, second = np.split(head, 2)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin])


def silu_multiply(gate: NDArray[np.float64], up: NDArray[np.float64]) -> NDArray[np.float64]:
    """The gate through its own sigmoid, times up."""
    out: NDArray[np.float64] = gate / (1 + np.exp(-gate)) * up
    return out
