from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["collate", "common_length", "group_by_length"]

_Ids = Sequence[int] | NDArray[np.int32] | NDArray[np.int64]

def collate(
    rows: Sequence[_Ids] | NDArray[np.int32] | NDArray[np.int64],
    offsets: NDArray[np.int64] | None = None,
    *,
    pad_id: int = 0,
    left: bool = False,
    starts: NDArray[np.int64] | None = None,
    out: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Ragged rows of token ids as rectangles: ids, mask and positions.

    Parameters
    ----------
    rows : sequence of lists, tuples or contiguous arrays of int32 or int64
        The ids of each row; with `offsets` one array with the ids of all rows.
    offsets : ndarray of int64, shape (rows + 1,), optional
        Where each row begins in that array, and at last where the last one ends.
    pad_id : int
        What stands in the places without an id.
    left : bool
        Ids stand at the right end of their row (for decoders), padding before them.
    starts : ndarray of int64, shape (rows,), optional
        Position of the first id of each row: how many tokens its KV slot holds already; by default
        0.
    out : ndarray of int64, one dimension, contiguous, optional
        Room for 3 * rows * width numbers; the result lies in it. By default new memory.

    Returns
    -------
    ids, mask, positions : ndarray of int64, shape (rows, width)
        Contiguous; the width is that of the longest row, at least 1. The mask is 1 where an id
        stands; positions of padding are 0.

    Raises
    ------
    InputError
        A row holds what is no id or is no list, tuple or array; the sizes of `offsets`, `starts` or
        `out` do not fit.
    """

def group_by_length(lengths: Sequence[int], *, max_rows: int, max_tokens: int) -> list[list[int]]:
    """Share rows out into groups that waste little on padding.

    Parameters
    ----------
    lengths : sequence of int
        Tokens of each row.
    max_rows : int
        Rows of a group at most.
    max_tokens : int
        Places of a group at most, padding included; a row that is longer stands alone.

    Returns
    -------
    list of list of int
        Indices of rows, shortest first, each in one group; equal lengths keep their order.

    Raises
    ------
    InputError
        `max_rows` is below 1.
    """

def common_length(a: Sequence[int], b: Sequence[int]) -> int:
    """How many token ids two sequences have in common from their beginning.

    Raises
    ------
    InputError
        One of the ids compared is no whole number.
    """
