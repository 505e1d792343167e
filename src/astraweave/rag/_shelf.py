"""What one character remembers, in memory: no other character's shelf is ever looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from astraweave.rag.memory import Memory

__all__ = ["Shelf"]


class Shelf:
    """Memories of one owner by id, ascending, with their vectors."""

    def __init__(self, dimensions: int) -> None:
        self.memories: dict[int, Memory] = {}
        self.speakers: Counter[str] = Counter()
        self._matrix = np.empty((0, dimensions), np.float32)
        self._row_ids = np.empty(0, np.int64)
        self._rows: dict[int, int] = {}
        self._ids: NDArray[np.int64] | None = None

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids in ascending order; do not write into it."""
        if self._ids is None:
            self._ids = np.fromiter(self.memories, np.int64, len(self.memories))
        return self._ids

    def put(self, memory: Memory) -> None:
        """Add a memory, or replace the one with its id; a new one has the highest id."""
        old = self.memories.get(memory.id)
        if old is None:
            self._ids = None
        else:
            self.speakers[old.speaker] -= 1
        self.memories[memory.id] = memory
        self.speakers[memory.speaker] += 1

    def remove(self, memory_id: int) -> None:
        """Forget a memory and its vector."""
        self.speakers[self.memories.pop(memory_id).speaker] -= 1
        self._ids = None
        self.drop_vector(memory_id)

    def set_vectors(self, ids: Iterable[int], vectors: NDArray[np.float32]) -> None:
        """Give memories their vectors, shape ``(n, dimensions)``."""
        for memory_id, vector in zip(ids, vectors, strict=True):
            row = self._rows.get(memory_id)
            if row is None:
                row = self._rows[memory_id] = len(self._rows)
                if row == len(self._matrix):
                    self._grow(max(64, 2 * row))
                self._row_ids[row] = memory_id
            self._matrix[row] = vector

    def drop_vector(self, memory_id: int) -> None:
        """Forget a vector; the last row takes its place."""
        row = self._rows.pop(memory_id, None)
        if row is None:
            return
        last = len(self._rows)
        if row != last:
            moved = int(self._row_ids[last])
            self._matrix[row] = self._matrix[last]
            self._row_ids[row] = moved
            self._rows[moved] = row

    def vector(self, memory_id: int) -> NDArray[np.float32] | None:
        """A memory's vector, or None while it has none."""
        row = self._rows.get(memory_id)
        return None if row is None else self._matrix[row]

    def cosines(self, query: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids of all memories that have a vector, in no order, and their cosines to `query`."""
        count = len(self._rows)
        return self._row_ids[:count], self._matrix[:count] @ query

    def _grow(self, rows: int) -> None:
        matrix = np.zeros((rows, self._matrix.shape[1]), np.float32)
        matrix[: len(self._matrix)] = self._matrix
        row_ids = np.zeros(rows, np.int64)
        row_ids[: len(self._row_ids)] = self._row_ids
        self._matrix, self._row_ids = matrix, row_ids
