"""Vectors under ids, and the nearest of them."""

# ruff: noqa: A002 - `id` is the word of the field
from __future__ import annotations

import operator
from collections.abc import Collection, Sequence
from os import PathLike, fspath
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astraweave._native import FlatIndex
from astraweave.errors import InputError

__all__ = ["Hit", "Metric", "VectorStore"]

Metric = Literal["cosine", "dot", "l2"]

_KINDS = ("flat", "auto")
_INT64 = np.iinfo(np.int64)


class Hit(NamedTuple):
    """One neighbour.

    `score` is the cosine or the inner product (higher is nearer) or, for ``"l2"``, the Euclidean
    distance (lower is nearer).
    """

    id: int
    score: float


class VectorStore:
    """Float32 vectors under 64-bit ids, searched exactly.

    Results come best first, equal scores by lower id, and depend only on what is stored, never on
    the order in which it came. Thread-safe: searches run beside each other and beside a writer,
    without the GIL. A call that raises has changed nothing.

    Parameters
    ----------
    dimensions : int
        Length of every vector, 1 to 65,536.
    metric : {"cosine", "dot", "l2"}
        How nearness is measured. Cosine keeps vectors scaled to length 1.
    kind : {"flat", "auto"}
        ``"flat"`` looks at every vector. ``"auto"`` is free to choose, and chooses that today.

    Raises
    ------
    InputError
        An argument is none of these.

    Examples
    --------
    >>> store = VectorStore(2)
    >>> store.insert_many([7, 8, 9], [[1, 0], [0, 1], [1, 1]])
    >>> [hit.id for hit in store.search([2.0, 0.1], k=2)]
    [7, 9]
    >>> [hit.id for hit in store.search([2.0, 0.1], k=2, where={8})]
    [8]
    """

    def __init__(self, dimensions: int, metric: Metric = "cosine", kind: str = "flat") -> None:
        if kind not in _KINDS:
            raise InputError(f"kind '{kind}' is unknown; say one of {', '.join(_KINDS)}", kind=kind)
        size = _whole(dimensions, "dimensions")
        if size < 1:
            raise InputError(f"a vector has at least 1 dimension, not {size}", dimensions=size)
        self._index = FlatIndex(size, str(metric))

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        return self._index.dimensions

    @property
    def metric(self) -> str:
        """How nearness is measured."""
        return self._index.metric

    def insert(self, id: int, vector: ArrayLike) -> None:
        """Add a vector under a new id.

        Raises
        ------
        InputError
            The id is taken; the vector has another length, holds NaN or infinity, is too long for
            float32, or (cosine) is all zeros.
        """
        self._index.insert(_ids([id]), self._vector(vector)[None, :])

    def insert_many(self, ids: Sequence[int] | NDArray[Any], vectors: ArrayLike) -> None:
        """Add vectors, shape ``(len(ids), dimensions)``: all of them, or none and an error.

        Raises
        ------
        InputError
            As `insert`, or an id comes twice.
        """
        self._index.insert(_ids(ids), _floats(vectors))

    def update(self, id: int, vector: ArrayLike) -> None:
        """Replace the vector of an id that is there.

        Raises
        ------
        InputError
            The id is not there, or the vector cannot be used (see `insert`).
        """
        self._index.update(_id(id), self._vector(vector))

    def delete(self, id: int) -> bool:
        """Remove an id; whether it was there."""
        return self._index.remove(_id(id))

    def get(self, id: int) -> NDArray[np.float32] | None:
        """A copy of the vector as it is kept, or None."""
        return self._index.get(_id(id))

    def search(
        self, query: ArrayLike, k: int = 10, *, where: Collection[int] | None = None
    ) -> list[Hit]:
        """The `k` nearest, best first; fewer where there are fewer.

        Parameters
        ----------
        query : array_like of float, shape (dimensions,)
            What to look for.
        k : int
            At least 1.
        where : collection of int or None
            Only these ids, so far as they are there; its size, not the store's, sets the cost.

        Raises
        ------
        InputError
            `k` is below 1, or the query cannot be used (see `insert`).
        """
        ids, scores = self.search_arrays(query, k, where=where)
        return list(map(Hit, ids.tolist(), scores.tolist()))

    def search_arrays(
        self, query: ArrayLike, k: int = 10, *, where: Collection[int] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """What `search` finds as two arrays, ids and scores: quicker where `k` is large."""
        count = _whole(k, "k")
        if count < 1:
            raise InputError(f"k must be at least 1, not {count}", k=count)
        allowed = None if where is None else _ids(where)
        return self._index.search(self._vector(query), min(count, int(_INT64.max)), allowed)

    def ids(self) -> NDArray[np.int64]:
        """All ids, ascending."""
        return self._index.ids()

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, id: object) -> bool:
        if not isinstance(id, int | np.integer):
            return False
        number = int(id)
        return bool(_INT64.min <= number <= _INT64.max) and number in self._index

    def __repr__(self) -> str:
        return f"VectorStore({self.dimensions}, metric={self.metric!r}) with {len(self)} vectors"

    def to_bytes(self) -> bytes:
        """Everything, checksummed; the same content always gives the same bytes."""
        return self._index.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> VectorStore:
        """What `to_bytes` gave.

        Raises
        ------
        CorruptDataError
            The bytes are damaged; `FormatVersionError`: a newer astraweave wrote them.
        """
        return cls._around(FlatIndex.from_bytes(bytes(data)))

    def save(self, path: str | PathLike[str]) -> None:
        """Write a file in one step: a crash leaves the old one or the new one.

        Raises
        ------
        StorageError
            The operating system refused; an old file is as it was.
        """
        self._index.save(fspath(path))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> VectorStore:
        """What `save` wrote.

        Raises
        ------
        StorageError
            The file cannot be read.
        CorruptDataError
            It is damaged; `FormatVersionError`: a newer astraweave wrote it.
        """
        return cls._around(FlatIndex.load(fspath(path)))

    @classmethod
    def _around(cls, index: FlatIndex) -> VectorStore:
        store = cls.__new__(cls)
        store._index = index
        return store

    def _vector(self, vector: ArrayLike) -> NDArray[np.float32]:
        array = _floats(vector)
        if array.shape != (self.dimensions,):
            raise InputError(
                f"a vector of {self.dimensions} numbers is needed, got shape {array.shape}",
                dimensions=self.dimensions,
                shape=array.shape,
            )
        return array


def _floats(values: ArrayLike) -> NDArray[np.float32]:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "fiu":
            raise InputError(f"vectors are made of real numbers, not of {array.dtype}")
        with np.errstate(over="ignore"):  # the index names what became infinite
            return np.ascontiguousarray(array, np.float32)
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"these are no vectors: {error}") from error


def _whole(value: object, what: str) -> int:
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{what} must be a whole number, not {value!r}") from None


def _id(value: object) -> int:
    number = _whole(value, "an id")
    if not _INT64.min <= number <= _INT64.max:
        raise InputError(f"id {number} does not fit in 64 bits", id=number)
    return number


def _ids(values: Collection[int] | NDArray[Any]) -> NDArray[np.int64]:
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iu":
        if values.size and values.dtype == np.uint64:
            _id(int(values.max()))
        return values.astype(np.int64, copy=False)
    return np.fromiter(map(_id, values), np.int64, len(values))
