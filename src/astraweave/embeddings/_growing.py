"""An index that is exact while it is small and becomes a graph when it is large."""

# ruff: noqa: A001, A002 - `id` is the word of the field
from __future__ import annotations

import threading
from os import PathLike
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from astraweave._native import FlatIndex, HnswIndex

__all__ = ["CROSSOVER", "GrowingIndex"]

_Kind = TypeVar("_Kind", bound=tuple[Any, ...])

CROSSOVER = 12_000
"""From so many rows on a graph is built.

Measured for rows of 384 numbers, one query: the exact index takes 32, 57 and 108 us for 5,000,
10,000 and 20,000 of them, a walk at recall .99 takes 28, 31 and 35 us. But a walk misses one in a
hundred, so the exact one goes on until it takes twice the time.
"""

_ROWS_A_STEP = 4  # moved with each row that is inserted: 0.1 ms each, well below a millisecond


class GrowingIndex:
    """A `FlatIndex` that turns into an `HnswIndex`, a few rows with each that is inserted.

    While rows move, the exact index answers, and changes go to both. Thread-safe as they are.
    """

    def __init__(self, flat: FlatIndex, *, seed: int = 0) -> None:
        self._seed = seed
        self._now: FlatIndex | HnswIndex = flat
        self._next: HnswIndex | None = None
        self._waiting = np.empty(0, np.int64)  # ids that are not in `_next` yet
        self._writing = threading.Lock()

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        return self._now.dimensions

    @property
    def metric(self) -> str:
        """How nearness is measured."""
        return self._now.metric

    @property
    def storage(self) -> str:
        """What is kept of each number."""
        return self._now.storage

    @property
    def is_graph(self) -> bool:
        """Whether it has become one."""
        return isinstance(self._now, HnswIndex)

    def insert(
        self,
        ids: NDArray[np.int64],
        vectors: NDArray[np.float32],
        tags: NDArray[np.uint64] | None = None,
        threads: int = 1,
    ) -> None:
        """As the index, and a step on the way to the graph, built by so many threads."""
        with self._writing:
            if isinstance(self._now, HnswIndex):
                self._now.insert(ids, vectors, tags, threads)
                return
            self._now.insert(ids, vectors, tags)
            if self._next is not None:
                self._next.insert(ids, vectors, tags, threads)
            if len(self._now) >= CROSSOVER:
                self._move(_ROWS_A_STEP * len(ids), threads)

    def update(self, id: int, vector: NDArray[np.float32], tags: int | None = None) -> None:
        """As the index."""
        with self._writing:
            self._now.update(id, vector, tags)
            if self._next is not None and id in self._next:
                self._next.update(id, vector, tags)

    def set_tags(self, id: int, tags: int) -> None:
        """As the index."""
        with self._writing:
            self._now.set_tags(id, tags)
            if self._next is not None and id in self._next:
                self._next.set_tags(id, tags)

    def remove(self, id: int) -> bool:
        """As the index."""
        with self._writing:
            if self._next is not None:
                self._next.remove(id)
            return self._now.remove(id)

    def tags(self, id: int) -> int | None:
        """As the index."""
        return self._now.tags(id)

    def get(self, id: int) -> NDArray[np.float32] | None:
        """As the index."""
        return self._now.get(id)

    def search(
        self,
        query: NDArray[np.float32],
        k: int,
        allowed: NDArray[np.int64] | None = None,
        any_tags: int | None = None,
        ef: int = 0,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """As the index; only a graph uses `ef`."""
        now = self._now
        if isinstance(now, HnswIndex):
            return now.search(query, k, allowed, any_tags, ef)
        return now.search(query, k, allowed, any_tags)

    def nearest(self, query: NDArray[np.float32], k: int, kind: type[_Kind]) -> list[_Kind]:
        """As the index."""
        return self._now.nearest(query, k, kind)

    def search_many(
        self,
        queries: NDArray[np.float32],
        k: int,
        allowed: NDArray[np.int64] | None = None,
        any_tags: int | None = None,
        threads: int = 1,
        ef: int = 0,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """As the index; only a graph uses `ef`."""
        now = self._now
        if isinstance(now, HnswIndex):
            return now.search_many(queries, k, allowed, any_tags, threads, ef)
        return now.search_many(queries, k, allowed, any_tags, threads)

    def scores(self, query: NDArray[np.float32], ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """As the index."""
        return self._now.scores(query, ids)

    def ids(self) -> NDArray[np.int64]:
        """As the index."""
        return self._now.ids()

    def __len__(self) -> int:
        return len(self._now)

    def __contains__(self, id: int) -> bool:
        return id in self._now

    def to_bytes(self) -> bytes:
        """As the index that answers now."""
        return self._now.to_bytes()

    def save(self, path: str | PathLike[str]) -> None:
        """As the index that answers now."""
        self._now.save(path)

    def verify(self) -> None:
        """As the index, where that can be."""
        if isinstance(self._now, HnswIndex):
            self._now.verify()

    def _move(self, rows: int, threads: int) -> None:
        """Take so many rows over; after the last one the graph answers."""
        if self._next is None:
            self._next = HnswIndex(self.dimensions, self.metric, self.storage, seed=self._seed)
            self._waiting = self._now.ids()
        some, self._waiting = self._waiting[:rows], self._waiting[rows:]
        found = [id for id in some.tolist() if id in self._now and id not in self._next]
        vectors = [vector for id in found if (vector := self._now.get(id)) is not None]
        if found:
            tags = [self._now.tags(id) for id in found]
            self._next.insert(
                np.array(found, np.int64), np.stack(vectors), np.array(tags, np.uint64), threads
            )
        if not self._waiting.size:
            self._now, self._next = self._next, None
