"""What the graph index does, in as few lines as say it. Slow on purpose.

Malkov & Yashunin 2016, "Efficient and robust approximate nearest neighbor search using Hierarchical
Navigable Small World graphs". In full precision, one row at a time; a removed row is walked through
and not found. The native index walks over 8-bit codes, inserts some rows at a time and lets removed
nodes go, so the links differ; what has to agree is how much of the truth both find.
"""

# ruff: noqa: A001, A002 - `id` is the word of the field
from __future__ import annotations

import heapq
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astraweave._native.reference_index import FlatIndex

__all__ = ["HnswIndex"]


class HnswIndex(FlatIndex):
    """A dict of vectors, and for each layer a dict of links."""

    def __init__(
        self,
        dimensions: int,
        metric: str,
        *,
        m: int = 16,
        ef_construction: int = 200,
        ef_search: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(dimensions, metric)
        self.m = m
        self.ef_construction = ef_construction
        self.ef_search = ef_search
        self.links: list[dict[int, list[int]]] = []
        self.points: dict[int, NDArray[np.float64]] = {}
        self.removed: set[int] = set()
        self.entry = -1
        self._rng = np.random.default_rng(seed)

    def insert(self, ids: ArrayLike, vectors: ArrayLike, tags: ArrayLike | None = None) -> None:
        """Add all, or none and raise `InputError`."""
        super().insert(ids, vectors)
        for id in np.asarray(ids).tolist():
            self.points[id] = self.rows[id].astype(np.float64)
            self._link(id, int(-math.log(1 - self._rng.random()) / math.log(self.m)))

    def remove(self, id: int) -> bool:
        """Whether there was one."""
        found = super().remove(id)
        if found:
            self.removed.add(id)
        return found

    def search_graph(self, query: ArrayLike, k: int, ef: int = 0) -> list[int]:
        """The k nearest that the walk finds."""
        if not self.points:
            return []
        point = self._stored(np.asarray(query, np.float32)).astype(np.float64)
        start = [self.entry]
        for layer in range(len(self.links) - 1, 0, -1):
            start = self._walk(point, start, layer, 1)
        found = self._walk(point, start, 0, max(k, ef or self.ef_search))
        return [id for id in found if id not in self.removed][:k]

    def _distance(self, point: NDArray[np.float64], ids: list[int]) -> list[float]:
        rows = np.stack([self.points[id] for id in ids])
        near = ((rows - point) ** 2).sum(axis=1) if self.metric == "l2" else -(rows @ point)
        return [float(one) for one in near]

    def _walk(self, point: NDArray[np.float64], start: list[int], layer: int, ef: int) -> list[int]:
        """Algorithm 2: the `ef` nearest that can be reached, nearest first."""
        seen = set(start)
        ahead = sorted(zip(self._distance(point, start), start, strict=True))
        best = [(-distance, id) for distance, id in ahead]
        heapq.heapify(best)
        while ahead:
            distance, id = heapq.heappop(ahead)
            if len(best) >= ef and distance > -best[0][0]:
                break
            fresh = [one for one in self.links[layer][id] if one not in seen]
            seen.update(fresh)
            for further, one in zip(
                self._distance(point, fresh) if fresh else [], fresh, strict=True
            ):
                if len(best) < ef or further < -best[0][0]:
                    heapq.heappush(ahead, (further, one))
                    heapq.heappush(best, (-further, one))
                    if len(best) > ef:
                        heapq.heappop(best)
        return [id for _, id in sorted((-distance, id) for distance, id in best)]

    def _choose(self, point: NDArray[np.float64], ids: list[int], limit: int) -> list[int]:
        """Algorithm 4: whoever is nearer to the point than to all that were chosen before."""
        chosen: list[int] = []
        for distance, id in sorted(zip(self._distance(point, ids), ids, strict=True)):
            if len(chosen) >= limit:
                break
            if not chosen or min(self._distance(self.points[id], chosen)) >= distance:
                chosen.append(id)
        return chosen

    def _link(self, id: int, level: int) -> None:
        """Algorithm 1."""
        point = self.points[id]
        start = [self.entry]
        top = len(self.links) - 1
        for layer in range(top, level, -1):
            start = self._walk(point, start, layer, 1)
        for layer in range(min(top, level), -1, -1):
            start = self._walk(point, start, layer, self.ef_construction)
            self.links[layer][id] = self._choose(point, start, self.m)
            limit = self.m if layer else 2 * self.m
            for other in self.links[layer][id]:
                links = [*self.links[layer][other], id]
                if len(links) > limit:
                    links = self._choose(self.points[other], links, limit)
                self.links[layer][other] = links
        if level > top:
            self.links += [{id: []} for _ in range(level - top)]
            self.entry = id
