"""KV memory of the whole graph: a row of it for each sequence, those of a batch side by side.

GroupQueryAttention wants the keys of all sequences of a batch in one tensor. So sequences move:
where those of a batch do not lie side by side, they change places with others, each at the price
of copying its rows (8 us a token), and stay there for as long as they run together.
"""

from __future__ import annotations

from collections.abc import Sequence

from astraweave.errors import CapacityError
from astraweave.inference.kv_memory import KvMemory

__all__ = ["KvRows"]


class KvRows:
    """Which sequence lies in which row, and how many tokens it has. Used by one thread.

    Parameters
    ----------
    memory : KvMemory
        The rows themselves.

    Attributes
    ----------
    lengths : dict of int to int
        Tokens of each open sequence.
    """

    def __init__(self, memory: KvMemory) -> None:
        self.memory = memory
        self.rows = rows = memory.shape.rows
        self.lengths: dict[int, int] = {}
        self._row_of: dict[int, int] = {}
        self._sequence_in: list[int | None] = [None] * rows
        self._touched = [0] * rows
        self._next = 0

    @property
    def used_tokens(self) -> int:
        """Tokens of all open sequences."""
        return sum(self.lengths.values())

    @property
    def touched_tokens(self) -> int:
        """Tokens whose memory the operating system has given us."""
        return sum(self._touched)

    def open(self) -> int:
        """A new sequence in the first free row; CapacityError: there is none."""
        if None not in self._sequence_in:
            raise CapacityError(f"all {self.rows} sequences are open", sequences=self.rows)
        row = self._sequence_in.index(None)
        sequence = self._next
        self._next += 1
        self._sequence_in[row] = sequence
        self._row_of[sequence] = row
        self.lengths[sequence] = 0
        return sequence

    def release(self, sequence: int) -> None:
        """Forget a sequence; its memory stays for the next one."""
        del self.lengths[sequence]
        self._sequence_in[self._row_of.pop(sequence)] = None

    def copy(self, source: int, target: int, tokens: int) -> None:
        """Give `target` the first `tokens` of `source`."""
        self.memory.copy(self._row_of[source], self._row_of[target], tokens)
        self.grow(target, tokens)

    def grow(self, sequence: int, tokens: int) -> None:
        """Note that a sequence has `tokens` tokens now."""
        row = self._row_of[sequence]
        self.lengths[sequence] = tokens
        self._touched[row] = max(self._touched[row], tokens)

    def place(self, sequences: Sequence[int]) -> tuple[int, list[int]]:
        """Bring sequences side by side; the first row, and the sequences in the rows' order."""
        count = len(sequences)
        rows = sorted(self._row_of[sequence] for sequence in sequences)
        if rows[-1] - rows[0] >= count:
            chosen = set(sequences)
            start = min(range(self.rows - count + 1), key=lambda at: self._cost(at, chosen))
            self._gather(start, chosen)
            rows = list(range(start, start + count))
        order = [self._sequence_in[row] for row in rows]
        return rows[0], [sequence for sequence in order if sequence is not None]

    def give_back(self) -> None:
        """Return the memory of free rows to the operating system, where that is possible."""
        for row, sequence in enumerate(self._sequence_in):
            if sequence is None and self._touched[row]:
                self.memory.give_back(row)
                self._touched[row] = 0

    def _cost(self, start: int, chosen: set[int]) -> int:
        """Tokens to be copied so that the chosen lie in the rows from `start` on."""
        window = self._sequence_in[start : start + len(chosen)]
        inside = chosen.intersection(window)
        leave = sum(self.lengths[s] for s in window if s is not None and s not in chosen)
        return leave + sum(self.lengths[s] for s in chosen - inside)

    def _gather(self, start: int, chosen: set[int]) -> None:
        window = range(start, start + len(chosen))
        vacant = [row for row in window if self._sequence_in[row] not in chosen]
        outside = [row for s in sorted(chosen) if (row := self._row_of[s]) not in window]
        for a, b in zip(vacant, outside, strict=True):
            self._swap(a, b)

    def _swap(self, a: int, b: int) -> None:
        first, second = self._sequence_in[a], self._sequence_in[b]
        held = 0 if first is None else self.lengths[first]
        coming = 0 if second is None else self.lengths[second]
        self.memory.swap(a, b, held, coming)
        self._sequence_in[a], self._sequence_in[b] = second, first
        self._touched[a] = max(self._touched[a], coming)
        self._touched[b] = max(self._touched[b], held)
        for row in (a, b):
            if (sequence := self._sequence_in[row]) is not None:
                self._row_of[sequence] = row
