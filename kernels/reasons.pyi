from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROWS", "reasons"]

ROWS: int
"""Numbers a candidate."""

class _Scores(Protocol):
    @property
    def words(self) -> NDArray[np.float32]: ...
    @property
    def meaning(self) -> NDArray[np.float32]: ...
    @property
    def sums(self) -> NDArray[np.float32]: ...
    @property
    def window(self) -> NDArray[np.float32]: ...
    @property
    def begun(self) -> NDArray[np.int32]: ...

class _Columns(Protocol):
    @property
    def game_time(self) -> NDArray[np.float64]: ...
    @property
    def importance(self) -> NDArray[np.float32]: ...
    @property
    def speaker(self) -> NDArray[np.int32]: ...
    @property
    def addressee(self) -> NDArray[np.int32]: ...
    @property
    def superseded(self) -> NDArray[np.bool_]: ...
    @property
    def length(self) -> NDArray[np.int32]: ...
    @property
    def traits(self) -> NDArray[np.int16]: ...

def reasons(
    scores: _Scores,
    columns: _Columns,
    places: NDArray[np.int64],
    topics: NDArray[np.float32],
    hop: NDArray[np.float32],
    said_by: Sequence[int],
    asked: int,
    span: tuple[float, float] | None,
    now: float,
    day: float,
    event: int,
) -> NDArray[np.float64]:
    """The numbers of some candidates; `astraweave.rag._features` says what they are.

    Parameters
    ----------
    scores, columns
        Of everything, all of one length, contiguous.
    places : ndarray of int64, shape (c,)
        Which of them are candidates.
    topics, hop : ndarray of float32, shape (c,)
        Passed on.
    said_by : sequence of int
        Codes of those who may have said it.
    asked : int
        Bits: 1 when, 2 how many, 4 who, 8 where, 16 how it was, 32 exactly when.
    span : (float, float), optional
        Game time that is asked for.
    now, day : float
        Game time, and the length of a day, in seconds.
    event : int
        Place of the memory that time is measured by; below 0: none.

    Returns
    -------
    ndarray of float64, shape (ROWS, c)

    Raises
    ------
    InputError
        Lengths differ, or a place is outside.
    """
