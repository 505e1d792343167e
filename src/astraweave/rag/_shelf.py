"""What one character remembers, in memory: no other character's shelf is ever looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from astraweave.embeddings import VectorStore
from astraweave.rag.memory import Memory

__all__ = ["Shelf"]


class Shelf:
    """Memories of one owner by id, ascending, with their vectors.

    Vectors are unit vectors already, so the inner product is the cosine and the index keeps them
    bit for bit.
    """

    def __init__(self, dimensions: int) -> None:
        self.memories: dict[int, Memory] = {}
        self.vectors = VectorStore(dimensions, "dot")
        self.speakers: Counter[str] = Counter()
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
        self.vectors.delete(memory_id)

    def set_vectors(self, ids: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Give memories their vectors, shape ``(len(ids), dimensions)``."""
        for memory_id in ids:
            self.vectors.delete(memory_id)
        self.vectors.insert_many(ids, vectors)

    def cosines(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosines to `query` in the order of `ids`; NaN where a memory has no vector."""
        return self.vectors.scores(query, self.ids)
