from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["diversify", "fuse", "largest"]

def fuse(
    words: NDArray[np.float32],
    meaning: NDArray[np.float32],
    game_time: NDArray[np.float64],
    starts: Iterable[int],
    *,
    gap: float,
) -> tuple[
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.float32],
    NDArray[np.int32],
]:
    """The scores of two searches as one, with a share of what stands around each memory.

    Parameters
    ----------
    words, meaning : ndarray of float32, shape (n,), contiguous
        Scores of the searches; NaN: the search says nothing about this one.
    game_time : ndarray of float64, shape (n,), contiguous
        Seconds.
    starts : iterable of int
        Where the memories of each owner begin: no sitting goes on there.
    gap : float
        Longest pause within a sitting in seconds.

    Returns
    -------
    words, meaning : ndarray of float32, shape (n,)
        How many standard deviations each lies above the mean of its search; 0 where there is no
        score, or no spread.
    sums : ndarray of float32, shape (n,)
        Both together.
    window : ndarray of float32, shape (n,)
        Each sum, 0.6 and 0.3 of the (positive) sums one and two before it, 0.4 and 0.2 of those
        one and two after it, within its sitting.
    begun : ndarray of int32, shape (n,)
        Where the sitting of each began.

    Raises
    ------
    InputError
        The lengths differ.
    """

def largest(scores: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    """Where the `most` highest scores stand, best first; of equals the later place.

    Raises
    ------
    InputError
        A score is NaN, or `most` is negative.
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
