"""The kernels that rank against NumPy and plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from astraweave.errors import InputError
from astraweave.kernels.ranking import diversify, fuse, gather, largest

numbers = st.floats(-1e3, 1e3, width=32) | st.just(0.0) | st.just(1.0)
scores = st.lists(numbers | st.just(float("nan")), max_size=40)


def z_scores(values):
    known = values[~np.isnan(values)]
    spread = known.std() if known.size else 0.0
    if spread < 1e-9:
        return np.zeros(len(values))
    return np.nan_to_num((values - known.mean()) / spread)


@given(one=scores, data=st.data(), most=st.integers(0, 50), weight=st.floats(-2, 2))
def test_fused_scores_are_sums_of_z_scores(one, data, most, weight):
    other = data.draw(st.lists(numbers, min_size=len(one), max_size=len(one)))
    arrays = [np.array(one, np.float32), np.array(other, np.float32)]
    fused, places = fuse(arrays, [1.0, weight], most=most)
    exact = [array.astype(np.float64) for array in arrays]
    spreads = [a[~np.isnan(a)].std() if (~np.isnan(a)).any() else 0 for a in exact]
    sizes = [np.nanmax(np.abs(a), initial=0) for a in exact]
    assume(all(s < 1e-9 or s > 1e-4 * size for s, size in zip(spreads, sizes, strict=True)))
    expected = z_scores(exact[0]) + weight * z_scores(exact[1])
    np.testing.assert_allclose(fused, expected, rtol=1e-3, atol=2e-3)
    order = sorted(range(len(one)), key=lambda i: (-fused[i], -i))
    assert places.tolist() == order[:most]
    assert largest(fused, most).tolist() == order[:most]


def test_scores_without_spread_add_nothing():
    same = np.full(9, 0.1, np.float32)
    same[3] = np.nan
    other = np.arange(9, dtype=np.float32)
    fused, places = fuse([same, other], [5.0, 1.0], most=2)
    np.testing.assert_allclose(fused, z_scores(other.astype(float)), rtol=1e-5)
    assert places.tolist() == [8, 7]
    nothing = np.full(3, np.nan, np.float32)
    assert fuse([nothing], [1.0], most=3)[0].tolist() == [0.0, 0.0, 0.0]
    assert fuse([np.empty(0, np.float32)], [1.0], most=3)[1].size == 0


@pytest.mark.parametrize(
    ("arrays", "weights", "most", "words"),
    [
        ([], [], 1, "at least one"),
        ([np.zeros(2, np.float32)], [1.0, 2.0], 1, "1 arrays of scores"),
        ([np.zeros(2, np.float32), np.zeros(3, np.float32)], [1, 1], 1, "of 2 and of 3 scores"),
        ([np.zeros(2, np.float32)], [1.0], -1, "at most -1"),
    ],
)
def test_what_cannot_be_fused(arrays, weights, most, words):
    with pytest.raises(InputError, match=words):
        fuse(arrays, weights, most=most)


def test_what_has_no_largest():
    with pytest.raises(InputError, match="place 1 is no number"):
        largest(np.array([0, np.nan], np.float32), 1)
    with pytest.raises(InputError, match="at most -1"):
        largest(np.zeros(1, np.float32), -1)


KINDS = [np.float32, np.float64, np.int8, np.int32, np.int64, np.bool_]


@given(n=st.integers(1, 20), places=st.lists(st.integers(0, 100), max_size=20))
def test_gathered_columns_are_those_of_numpy(n, places):
    draw = np.random.default_rng(n)
    columns = [draw.integers(0, 2, n).astype(kind) for kind in KINDS]
    columns[1] += draw.random(n)
    wanted = np.array([place % n for place in places], np.int64)
    found = gather(columns, wanted)
    assert found.dtype == np.float32
    assert found.shape == (len(places), len(columns))
    if places:
        expected = np.stack([column[wanted].astype(np.float32) for column in columns], axis=1)
        assert (found == expected).all()
        with pytest.raises(InputError, match=f"no place {n} among {n}"):
            gather(columns, np.array([n]))
        with pytest.raises(InputError, match="no place -1"):
            gather(columns, np.array([-1]))


def test_columns_of_other_kinds():
    with pytest.raises(InputError, match="float16"):
        gather([np.zeros(3, np.float16)], np.array([0]))
    assert gather([], np.array([0])).shape == (1, 0)


def reference_order(vectors, relevance, most, balance):
    chosen: list[int] = []
    while len(chosen) < min(most, len(relevance)):
        rest = [i for i in range(len(relevance)) if i not in chosen]

        def value(i):
            near = [np.nan_to_num(vectors[i] @ vectors[j]) for j in chosen]
            return balance * relevance[i] - (1 - balance) * max(near, default=0.0)

        chosen.append(max(rest, key=lambda i: (value(i), -i)))
    return chosen


@given(
    n=st.integers(0, 12),
    dims=st.integers(0, 40),
    most=st.integers(0, 15),
    balance=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_diversity_chooses_as_a_plain_loop(n, dims, most, balance, seed):
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(n, dims)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9
    vectors[draw.random(n) < 0.2] = np.nan
    relevance = draw.normal(size=n).astype(np.float32)
    found = diversify(vectors, relevance, most, balance=balance).tolist()
    expected = reference_order(vectors.astype(np.float64), relevance, most, balance)
    if found != expected:  # two as good as each other, to the last bits
        assert sorted(found) == sorted(set(found))
        at = next(
            i for i, pair in enumerate(zip(found, expected, strict=True)) if pair[0] != pair[1]
        )
        so_far = expected[:at]

        def value(i):
            near = [np.nan_to_num(vectors[i].astype(float) @ vectors[j]) for j in so_far]
            return balance * relevance[i] - (1 - balance) * max(near, default=0.0)

        assert value(found[at]) == pytest.approx(value(expected[at]), abs=1e-5)


def test_the_same_thing_twice_is_not_chosen_twice_in_a_row():
    vectors = np.eye(3, dtype=np.float32)[[0, 0, 1]]
    relevance = np.array([0.9, 0.8, 0.5], np.float32)
    assert diversify(vectors, relevance, 3, balance=0.5).tolist() == [0, 2, 1]
    assert diversify(vectors, relevance, 3, balance=1.0).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("vectors", "most", "balance"), [(np.zeros((1, 2)), 1, 0.5), (np.zeros((2, 2)), -1, 0.5),
                                     (np.zeros((2, 2)), 1, 1.5), (np.zeros((2, 2)), 1, np.nan)]
)  # fmt: skip
def test_what_cannot_be_diversified(vectors, most, balance):
    with pytest.raises(InputError):
        diversify(vectors.astype(np.float32), np.zeros(2, np.float32), most, balance=balance)
