"""The kernels that make batches against NumPy and plain Python."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.errors import InputError
from astraweave.kernels.batch import collate, common_length, group_by_length

ids = st.integers(-(2**31), 2**31 - 1)
ragged = st.lists(st.lists(ids, max_size=9), max_size=7)
KINDS = {
    "lists": list,
    "tuples": tuple,
    "int32": lambda row: np.array(row, np.int32),
    "int64": lambda row: np.array(row, np.int64),
}


def reference(rows, pad_id, left, starts):
    width = max([1, *map(len, rows)])
    shape = (len(rows), width)
    all_ids = np.full(shape, pad_id, np.int64)
    mask = np.zeros(shape, np.int64)
    positions = np.zeros(shape, np.int64)
    for index, row in enumerate(rows):
        place = slice(width - len(row), width) if left else slice(0, len(row))
        all_ids[index, place] = row
        mask[index, place] = 1
        positions[index, place] = starts[index] + np.arange(len(row))
    return all_ids, mask, positions


@given(rows=ragged, data=st.data(), pad_id=st.sampled_from([0, -1, 50_000]), left=st.booleans())
def test_rectangles_are_those_of_a_plain_loop(rows, data, pad_id, left):
    kinds = data.draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=len(rows)))
    drawn = data.draw(st.none() | st.just([3 * i for i in range(len(rows))]))
    starts = None if drawn is None else np.array(drawn, np.int64)
    expected = reference(rows, pad_id, left, drawn or [0] * len(rows))
    mixed = [KINDS[kind](row) for kind, row in zip(kinds, rows, strict=False)]
    flat = [number for row in rows for number in row]
    offsets = np.cumsum([0, *map(len, rows)], dtype=np.int64)
    for given_ in ((mixed,), (KINDS["int32"](flat), offsets), (KINDS["int64"](flat), offsets)):
        room = np.full(3 * 7 * 9, 77, np.int64)
        for out in (None, room):
            found = collate(*given_, pad_id=pad_id, left=left, starts=starts, out=out)
            for part, wanted in zip(found, expected, strict=True):
                assert part.dtype == np.int64
                assert part.flags.c_contiguous
                assert part.shape == wanted.shape
                assert (part == wanted).all()
        assert (room[3 * expected[0].size :] == 77).all()


@pytest.mark.parametrize(
    ("rows", "more", "words"),
    [
        ([[1, 2.5]], {}, "whole number, not 2.5"),
        ([(2**70,)], {}, "whole number"),
        ([["1"]], {}, "whole number, not '1'"),
        ([{1}], {}, "not set"),
        (["12"], {}, "not str"),
        ([b"12"], {}, "int32 or int64"),
        ([np.zeros(2)], {}, "int32 or int64"),
        ([np.zeros((2, 2), np.int64)], {}, "one dimension"),
        ([np.zeros(4, np.int64)[::2]], {}, "contiguous"),
        ([[1]], {"starts": np.zeros(2, np.int64)}, "1 rows need as many starts, got 2"),
        ([[1, 2]], {"out": np.zeros(5, np.int64)}, "1 rows of 2 places need room for 6"),
        (np.zeros(3, np.int64), {"offsets": np.array([0, 4])}, "row 0 go from 0 to 4, with 3"),
        (np.zeros(3, np.int64), {"offsets": np.array([0, 2, 1])}, "row 1 go from 2 to 1"),
        (np.zeros(3, np.int64), {"offsets": np.array([-1, 2])}, "row 0 go from -1 to 2"),
        (np.zeros(3, np.int64), {"offsets": np.array([], np.int64)}, "begin with 0"),
        ([1, 2], {"offsets": np.array([0, 2])}, "not list"),
    ],
)
def test_what_is_no_batch_is_refused(rows, more, words):
    with pytest.raises(InputError, match=words):
        collate(rows, **more)


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(1, 9), st.integers(1, 200))
def test_groups_hold_every_row_once_within_their_bounds(lengths, max_rows, max_tokens):
    groups = group_by_length(lengths, max_rows=max_rows, max_tokens=max_tokens)
    order = [row for group in groups for row in group]
    assert order == sorted(range(len(lengths)), key=lengths.__getitem__)
    for group in groups:
        longest = lengths[group[-1]]
        assert len(group) == 1 or len(group) * longest <= max_tokens
        assert 1 <= len(group) <= max_rows
    for group, following in pairwise(groups):
        full = len(group) == max_rows
        assert full or (len(group) + 1) * lengths[following[0]] > max_tokens


def test_a_group_needs_room():
    with pytest.raises(InputError, match="at least one row, not 0"):
        group_by_length([1], max_rows=0, max_tokens=9)


@given(st.lists(ids, max_size=9), st.lists(ids, max_size=9), st.lists(ids, max_size=9))
def test_common_beginnings(same, a, b):
    left, right = same + a, same + b
    expected = 0
    while expected < min(len(left), len(right)) and left[expected] == right[expected]:
        expected += 1
    for kind in (list, tuple, np.array):
        assert common_length(left, kind(right)) == expected
        assert common_length(kind(left), right) == expected


def test_common_beginnings_are_of_numbers():
    with pytest.raises(InputError, match="whole number"):
        common_length([1, "a"], [1, 2])
