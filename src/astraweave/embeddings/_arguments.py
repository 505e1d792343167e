"""What callers of a vector store hand over, checked and in the arrays that the index takes."""

from __future__ import annotations

import operator
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astraweave.errors import InputError

__all__ = [
    "as_count",
    "as_effort",
    "as_floats",
    "as_id",
    "as_ids",
    "as_seed",
    "as_tag",
    "as_tags",
    "as_threads",
    "as_whole",
]

_LEAST_ID, _MOST_ID = -(2**63), 2**63 - 1
_MOST_BITS = 2**64 - 1
_MOST_EFFORT = 65_536


def as_floats(values: ArrayLike) -> NDArray[np.float32]:
    """Contiguous float32; what is too large becomes infinite, and the index names it."""
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


def as_whole(value: object, what: str) -> int:
    """A whole number of any size."""
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{what} must be a whole number, not {value!r}") from None


def as_count(k: object) -> int:
    """How many to find: at least 1."""
    count = as_whole(k, "k")
    if count < 1:
        raise InputError(f"k must be at least 1, not {count}", k=count)
    return min(count, _MOST_ID)


def as_effort(value: object) -> int:
    """How many candidates a graph keeps: 1 to 65,536."""
    effort = as_whole(value, "ef")
    if not 1 <= effort <= _MOST_EFFORT:
        raise InputError(f"ef must be 1 to {_MOST_EFFORT:,}, not {effort}", ef=effort)
    return effort


def as_threads(value: object) -> int:
    """1 to 256."""
    threads = as_whole(value, "threads")
    if not 1 <= threads <= 256:
        raise InputError(f"it runs on 1 to 256 threads, not {threads}", threads=threads)
    return threads


def as_id(value: object) -> int:
    """A number of 64 bits."""
    number = as_whole(value, "an id")
    if not _LEAST_ID <= number <= _MOST_ID:
        raise InputError(f"id {number} does not fit in 64 bits", id=number)
    return number


def as_ids(values: Collection[int] | NDArray[Any]) -> NDArray[np.int64]:
    """Numbers of 64 bits."""
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iu":
        if values.size and values.dtype == np.uint64:
            as_id(int(values.max()))
        return values.astype(np.int64, copy=False)
    return np.fromiter(map(as_id, values), np.int64, len(values))


def as_seed(value: object) -> int:
    """64 bits, as a number from 0 on."""
    seed = as_whole(value, "seed")
    if not 0 <= seed <= _MOST_BITS:
        raise InputError(f"a seed has 64 bits, 0 to 2**64 - 1, not {seed}", seed=seed)
    return seed


def as_tag(value: object) -> int:
    """64 bits, as a number from 0 on."""
    number = as_whole(value, "tags")
    if not 0 <= number <= _MOST_BITS:
        raise InputError(f"tags are 64 bits, 0 to 2**64 - 1, not {number}", tags=number)
    return number


def as_tags(values: Sequence[int] | NDArray[Any]) -> NDArray[np.uint64]:
    """64 bits each."""
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind == "u":
        return values.astype(np.uint64, copy=False)
    return np.fromiter(map(as_tag, values), np.uint64, len(values))
