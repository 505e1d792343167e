from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["diversify", "fuse", "gather", "largest"]

def fuse(
    scores: Iterable[NDArray[np.float32]], weights: Sequence[float], *, most: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Scores of several searches as one, and where the best stand.

    Each search counts by how many standard deviations a score lies from the mean of that search.

    Parameters
    ----------
    scores : iterable of ndarray of float32, shape (n,), contiguous
        Of each search; NaN: it says nothing about this one, which then counts as its mean.
    weights : sequence of float
        Of each search.
    most : int
        How many places are wanted.

    Returns
    -------
    fused : ndarray of float32, shape (n,)
        The weighted sums. A search whose scores do not differ adds nothing.
    places : ndarray of int64, shape (min(most, n),)
        Best first; of equals the later place.

    Raises
    ------
    InputError
        The arrays are of several lengths, there are not as many weights, or `most` is negative.
    """

def largest(scores: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    """Where the `most` highest scores stand, best first; of equals the later place.

    Raises
    ------
    InputError
        A score is NaN, or `most` is negative.
    """

def gather(columns: Iterable[NDArray[Any]], places: NDArray[np.int64]) -> NDArray[np.float32]:
    """Some places of several columns as one table, shape (places, columns).

    Parameters
    ----------
    columns : iterable of ndarray, shape (n,), contiguous
        Of float32, float64, int8, int32, int64 or bool.
    places : ndarray of int64
        Which; in any order.

    Raises
    ------
    InputError
        A place is outside a column, or a column is of another kind.
    """

def diversify(
    vectors: NDArray[np.float32], relevance: NDArray[np.float32], most: int, *, balance: float
) -> NDArray[np.int64]:
    """Candidates chosen one by one, each for its relevance and for being unlike those before it.

    Maximal marginal relevance (Carbonell & Goldstein 1998): the next one has the highest
    ``balance * relevance - (1 - balance) * (inner product with the likest one chosen)``.

    Parameters
    ----------
    vectors : ndarray of float32, shape (n, dimensions), contiguous
        Unit vectors; a row with NaN is unlike everything.
    relevance : ndarray of float32, shape (n,), contiguous
        The higher the better, on a scale like that of cosines.
    most : int
        How many are wanted.
    balance : float
        1: relevance alone; 0: unlikeness alone.

    Returns
    -------
    ndarray of int64, shape (min(most, n),)
        Places in the order of choice; of equals the first.

    Raises
    ------
    InputError
        The lengths differ, `most` is negative, or `balance` is none.
    """
