"""What the vector kernels and the exact index mean, in as few lines as say it. Slow on purpose."""

# ruff: noqa: A002 - `id` is the word of the field
from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astraweave.errors import InputError

__all__ = [
    "FlatIndex",
    "coded_cosines",
    "gather_codes",
    "l2_squared",
    "scan_codes",
    "scan_dot",
    "scan_dot_half",
    "scan_l2",
    "scan_l2_half",
]

_MAX_SQUARED_LENGTH = float(np.finfo(np.float32).max) / 8


def l2_squared(a: ArrayLike, b: ArrayLike) -> float:
    """Squared Euclidean distance of two float32 vectors, summed without rounding."""
    left, right = np.asarray(a, np.float32), np.asarray(b, np.float32)
    if left.ndim != 1 or right.ndim != 1 or left.size != right.size:
        raise InputError(
            f"l2_squared needs two vectors of one length, got {left.size} and {right.size} numbers"
        )
    return math.fsum((float(x) - float(y)) ** 2 for x, y in zip(left, right, strict=True))


def scan_dot(query: ArrayLike, rows: ArrayLike) -> NDArray[np.float64]:
    """Inner product of the query with each row."""
    return np.asarray(rows, np.float64) @ np.asarray(query, np.float64)


def scan_l2(query: ArrayLike, rows: ArrayLike) -> NDArray[np.float64]:
    """Squared Euclidean distance of the query to each row."""
    difference = np.asarray(rows, np.float64) - np.asarray(query, np.float64)
    return np.asarray((difference**2).sum(axis=1), np.float64)


def scan_dot_half(query: ArrayLike, rows: ArrayLike) -> NDArray[np.float64]:
    """As `scan_dot`, the rows being the bits of float16 numbers."""
    return scan_dot(query, np.asarray(rows, np.uint16).view(np.float16))


def scan_l2_half(query: ArrayLike, rows: ArrayLike) -> NDArray[np.float64]:
    """As `scan_l2`, the rows being the bits of float16 numbers."""
    return scan_l2(query, np.asarray(rows, np.uint16).view(np.float16))


def gather_codes(query: ArrayLike, rows: ArrayLike, slots: ArrayLike) -> NDArray[np.int64]:
    """Inner product of the query with the rows of these numbers, codes taken as they are."""
    chosen = np.asarray(rows, np.int64)[np.asarray(slots, np.int64)]
    return np.asarray(chosen @ np.asarray(query, np.int64), np.int64)


def scan_codes(queries: ArrayLike, rows: ArrayLike) -> NDArray[np.int64]:
    """Inner product of each query with each row, codes taken as they are; the fill is left out."""
    wanted = np.asarray(queries, np.int64)
    codes = np.asarray(rows, np.int64)[:, : wanted.shape[1]]
    return np.asarray(wanted @ codes.T, np.int64)


def coded_cosines(query: ArrayLike, rows: ArrayLike, scales: ArrayLike) -> NDArray[np.float64]:
    """Inner product of the query with each row's numbers, times the row's factor."""
    wanted = np.asarray(query, np.float64)
    numbers = np.asarray(rows, np.float64)[:, : wanted.size] - 128.0
    return np.asarray(numbers @ wanted * np.asarray(scales, np.float64), np.float64)


class FlatIndex:
    """A dict of vectors, searched by sorting all of them."""

    def __init__(self, dimensions: int, metric: str, storage: str = "float32") -> None:
        if metric not in {"cosine", "dot", "l2"}:
            raise InputError(f"metric '{metric}' is unknown; say 'cosine', 'dot' or 'l2'")
        if storage not in {"float32", "float16", "int8"}:
            raise InputError(f"storage '{storage}' is unknown; say 'float32', 'float16' or 'int8'")
        self.dimensions = dimensions
        self.metric = metric
        self.storage = storage
        self.rows: dict[int, NDArray[np.float32]] = {}
        self.row_tags: dict[int, int] = {}

    def insert(self, ids: ArrayLike, vectors: ArrayLike, tags: ArrayLike | None = None) -> None:
        """Add all, or none and raise `InputError`."""
        wanted = [int(one) for one in np.asarray(ids)]
        each = [0] * len(wanted) if tags is None else [int(one) for one in np.asarray(tags)]
        rows = [self._kept(row) for row in np.asarray(vectors, np.float32)]
        if len(set(wanted)) < len(wanted) or self.rows.keys() & set(wanted):
            raise InputError("an id is there already, or comes twice")
        self.rows.update(zip(wanted, rows, strict=True))
        self.row_tags.update(zip(wanted, each, strict=True))

    def update(self, id: int, vector: ArrayLike, tags: int | None = None) -> None:
        """Replace the vector of an id that is there."""
        self._must_have(id)
        self.rows[id] = self._kept(np.asarray(vector, np.float32))
        if tags is not None:
            self.row_tags[id] = tags

    def set_tags(self, id: int, tags: int) -> None:
        """Replace the tags of an id that is there."""
        self._must_have(id)
        self.row_tags[id] = tags

    def tags(self, id: int) -> int | None:
        """The tags; None where there is no such id."""
        return self.row_tags.get(id)

    def remove(self, id: int) -> bool:
        """Whether there was one."""
        self.row_tags.pop(id, None)
        return self.rows.pop(id, None) is not None

    def get(self, id: int) -> NDArray[np.float32] | None:
        """The vector as it is kept; None where there is none."""
        return self.rows.get(id)

    def search(
        self,
        query: ArrayLike,
        k: int,
        allowed: ArrayLike | None = None,
        any_tags: int | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The k best within the scope, equal scores by lower id."""
        if k < 1:
            raise InputError("k must be at least 1")
        scores = self.all_scores(self._stored(np.asarray(query, np.float32)))
        only = set(scores) if allowed is None else {int(one) for one in np.asarray(allowed)}
        if any_tags is not None:
            only = {one for one in only if self.row_tags.get(one, 0) & any_tags}
        sign = 1 if self.metric == "l2" else -1
        best = sorted(scores.keys() & only, key=lambda one: (sign * scores[one], one))[:k]
        return np.array(best, np.int64), np.array([scores[one] for one in best])

    def scores(self, query: ArrayLike, ids: ArrayLike) -> NDArray[np.float64]:
        """Score of each id; NaN where it is not there."""
        scores = self.all_scores(self._stored(np.asarray(query, np.float32)))
        return np.array([scores.get(int(one), math.nan) for one in np.asarray(ids)])

    def all_scores(self, stored_query: NDArray[np.float32]) -> dict[int, float]:
        """Score of every id."""
        if not self.rows:
            return {}
        rows = np.stack(list(self.rows.values()))
        if self.metric == "l2":
            values = np.sqrt(scan_l2(stored_query, rows))
        else:
            values = scan_dot(stored_query, rows)
        return dict(zip(self.rows, values.tolist(), strict=True))

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, id: int) -> bool:
        return id in self.rows

    def _must_have(self, id: int) -> None:
        if id not in self.rows:
            raise InputError(f"id {id} is not in the index; insert adds it")

    def _kept(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the storage leaves of a vector."""
        row = self._stored(vector)
        if self.storage == "float16":
            if np.abs(row).max() > 65504:
                raise InputError("too large for float16")
            return row.astype(np.float16).astype(np.float32)
        largest = np.abs(row).max()
        if self.storage == "float32":
            return row
        if largest < 1e-30:
            return np.zeros_like(row)
        codes = np.rint(row * (np.float32(127) / largest))
        return np.asarray(codes * (largest / np.float32(127)), np.float32)

    def _stored(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        if vector.shape != (self.dimensions,):
            raise InputError("wrong dimensions")
        if not np.isfinite(vector).all():
            raise InputError("NaN or infinity")
        wide = vector.astype(np.float64)
        squared = float(wide @ wide)
        if self.metric != "cosine":
            if squared > _MAX_SQUARED_LENGTH:
                raise InputError("too long")
            return vector.copy()
        if squared == 0:
            raise InputError("all zeros")
        return (wide / math.sqrt(squared)).astype(np.float32)
