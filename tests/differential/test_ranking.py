"""The kernels that rank against NumPy and plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from astraweave.errors import InputError
from astraweave.kernels.ranking import diversify, fuse, largest

numbers = st.floats(-1e3, 1e3, width=32) | st.just(0.0) | st.just(1.0)


def z_scores(values):
    known = values[~np.isnan(values)]
    spread = known.std() if known.size else 0.0
    if spread < 1e-5:
        return np.zeros(len(values))
    return np.nan_to_num((values - known.mean()) / spread)


def reference(words, meaning, times, starts, gap):
    """One memory at a time: z-scores, their sum, what stands around it, where its sitting began."""
    ours, theirs = z_scores(words), z_scores(meaning)
    sums = ours + theirs
    begun = []
    for i, time in enumerate(times):
        apart = i == 0 or i in starts or not abs(time - times[i - 1]) <= gap
        begun.append(i if apart else begun[-1])
    window = sums.copy()
    for i in range(len(times)):
        for step, share in ((-1, 0.6), (-2, 0.3), (1, 0.4), (2, 0.2)):
            if 0 <= i + step < len(times) and begun[i + step] == begun[i]:
                window[i] += share * max(0.0, sums[i + step])
    return ours, theirs, sums, window, begun


@given(data=st.data(), n=st.integers(0, 80))
def test_two_searches_as_one_against_one_memory_at_a_time(data, n):
    one = data.draw(st.lists(numbers | st.just(float("nan")), min_size=n, max_size=n))
    other = data.draw(st.lists(numbers, min_size=n, max_size=n))
    steps = data.draw(st.lists(st.sampled_from((0.0, 5.0, 9.0, 10.0)), min_size=n, max_size=n))
    starts = data.draw(st.lists(st.integers(0, n), max_size=3))
    times = np.cumsum(np.array(steps, np.float64))
    exact = [np.array(values, np.float32).astype(np.float64) for values in (one, other)]
    spreads = [a[~np.isnan(a)].std() if (~np.isnan(a)).any() else 0 for a in exact]
    sizes = [np.nanmax(np.abs(a), initial=0) for a in exact]
    assume(all(s == 0 or s > 1e-3 * max(size, 1) for s, size in zip(spreads, sizes, strict=True)))
    found = fuse(*(a.astype(np.float32) for a in exact), times, starts, gap=9.0)
    expected = reference(*exact, times.tolist(), starts, 9.0)
    for ours, theirs in zip(found[:4], expected[:4], strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=4e-3)
    assert found[4].tolist() == expected[4]


@given(
    n=st.integers(0, 60) | st.integers(4000, 9000),
    kinds=st.sampled_from((2, 50, 100_000)),
    most=st.integers(0, 700),
    seed=st.integers(0, 99),
    endless=st.booleans(),
)
def test_the_largest_are_those_of_a_full_sort(n, kinds, most, seed, endless):
    draw = np.random.default_rng(seed)
    values = (draw.integers(0, kinds, n) / kinds - 0.5).astype(np.float32)
    if endless and n:
        values[draw.integers(0, n, 3)] = np.inf
        values[draw.integers(0, n, 3)] = -np.inf
    order = np.lexsort((-np.arange(n), -values.astype(np.float64)))
    assert largest(values, most).tolist() == order[:most].tolist()


def test_the_largest_of_scores_that_rise_or_fall():
    rising = np.arange(20_000, dtype=np.float32)
    for values in (rising, rising[::-1].copy(), np.zeros(20_000, np.float32)):
        order = np.lexsort((-np.arange(20_000), -values))
        assert largest(values, 150).tolist() == order[:150].tolist()


def test_scores_without_spread_say_nothing():
    same = np.full(9, 0.1, np.float32)
    same[3] = np.nan
    other = np.arange(9, dtype=np.float32)
    times = np.zeros(9)
    words, meaning, sums, *_ = fuse(same, other, times, [0], gap=1.0)
    assert words.tolist() == [0.0] * 9
    np.testing.assert_allclose(meaning, z_scores(other.astype(float)), rtol=1e-5)
    assert (sums == meaning).all()
    nothing = np.full(9, np.nan, np.float32)
    assert fuse(nothing, nothing, times, [0], gap=1.0)[3].tolist() == [0.0] * 9
    assert [len(part) for part in fuse(*[np.empty(0, np.float32)] * 2, times[:0], [], gap=1.0)] == [
        0
    ] * 5


def test_what_cannot_be_fused():
    two, three = np.zeros(2, np.float32), np.zeros(3, np.float32)
    with pytest.raises(InputError, match="2 and 3 scores and 2 times"):
        fuse(two, three, np.zeros(2), [0], gap=1.0)
    with pytest.raises(InputError, match="2 and 2 scores and 3 times"):
        fuse(two, two, np.zeros(3), [0], gap=1.0)


def test_what_has_no_largest():
    with pytest.raises(InputError, match="1 of 2 scores are no numbers"):
        largest(np.array([0, np.nan], np.float32), 1)
    with pytest.raises(InputError, match="at most -1"):
        largest(np.zeros(1, np.float32), -1)


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
