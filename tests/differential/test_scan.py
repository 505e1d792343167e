"""Distances and scans against their references, on every tier that this machine has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from astraweave import _native
from astraweave._native import reference_index as reference
from astraweave.errors import InputError


@pytest.fixture(params=_native.simd_tiers())
def tier(request: pytest.FixtureRequest):
    before = _native.simd_tier()
    _native.force_simd_tier(request.param)
    yield request.param
    _native.force_simd_tier(before)


floats = st.floats(-1e6, 1e6, width=32)
pairs = st.integers(0, 130).flatmap(
    lambda n: st.tuples(
        arrays(np.float32, n, elements=floats), arrays(np.float32, n, elements=floats)
    )
)
scans = st.tuples(st.integers(1, 70), st.integers(0, 11)).flatmap(
    lambda shape: st.tuples(
        arrays(np.float32, shape[0], elements=floats),
        arrays(np.float32, (shape[1], shape[0]), elements=floats),
    )
)


def test_l2_matches_reference_within_its_bound(tier: str) -> None:
    @given(pairs)
    def check(pair: tuple[np.ndarray, np.ndarray]) -> None:
        a, b = pair
        exact = reference.l2_squared(a, b)
        bound = (len(a) + 3) * 2.0**-23 * exact + 1e-30
        assert abs(_native.l2_squared(a, b) - exact) <= bound
        assert _native.l2_squared(a, a) == 0

    check()


def test_scans_match_reference_within_their_bounds(tier: str) -> None:
    @given(scans)
    def check(pair: tuple[np.ndarray, np.ndarray]) -> None:
        query, rows = pair
        n = len(query)
        magnitude = np.abs(rows).astype(np.float64) @ np.abs(query).astype(np.float64)
        error = np.abs(_native.scan_dot(query, rows) - reference.scan_dot(query, rows))
        assert (error <= (n + 1) * 2.0**-23 * magnitude + 1e-30).all()
        exact = reference.scan_l2(query, rows)
        error = np.abs(_native.scan_l2(query, rows) - exact)
        assert (error <= (n + 3) * 2.0**-23 * exact + 1e-30).all()

    check()


def test_scans_of_halves_match_reference_within_their_bounds(tier: str) -> None:
    @given(scans)
    def check(pair: tuple[np.ndarray, np.ndarray]) -> None:
        query, rows = pair
        halves = (rows / 16).astype(np.float16)  # to 62,500: what float16 holds
        n, bits, wide = len(query), halves.view(np.uint16), halves.astype(np.float64)
        magnitude = np.abs(wide) @ np.abs(query).astype(np.float64)
        error = np.abs(_native.scan_dot_half(query, bits) - reference.scan_dot_half(query, bits))
        assert (error <= (n + 1) * 2.0**-23 * magnitude + 1e-30).all()
        exact = reference.scan_l2_half(query, bits)
        error = np.abs(_native.scan_l2_half(query, bits) - exact)
        assert (error <= (n + 3) * 2.0**-23 * exact + 1e-30).all()

    check()


@pytest.mark.parametrize("scan", [_native.scan_dot, _native.scan_l2])
def test_a_row_scores_the_same_bits_at_every_position(tier: str, scan) -> None:
    rng = np.random.default_rng(5)
    for n in (1, 7, 16, 31, 33, 64, 100, 384):
        query, row = rng.normal(size=(2, n)).astype(np.float32)
        for count in range(1, 12):
            scores = scan(query, np.tile(row, (count, 1)))
            assert len(set(scores.tolist())) == 1
            assert scores[0] == scan(query, row[None, :])[0]


@pytest.mark.parametrize("function", [_native.l2_squared, _native.dot])
def test_a_kernel_reads_no_further_than_its_vectors(tier: str, function) -> None:
    for n in range(70):
        wide = np.full(n + 32, np.nan, np.float32)
        wide[:n] = 1.0
        assert not np.isnan(function(wide[:n], wide[:n]))


@pytest.mark.parametrize("module", [_native, reference], ids=["native", "reference"])
def test_l2_names_the_lengths_it_refuses(module) -> None:
    with pytest.raises(InputError, match=r"l2_squared .* got 2 and 3 numbers"):
        module.l2_squared([1.0, 2.0], [1.0, 2.0, 3.0])
