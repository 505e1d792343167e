"""Inner products over 8-bit codes against their references, on every tier of this machine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave import _native
from astraweave._native import reference_index as reference
from astraweave.errors import InputError


@pytest.fixture(params=_native.simd_tiers())
def tier(request: pytest.FixtureRequest):
    before = _native.simd_tier()
    _native.force_simd_tier(request.param)
    yield request.param
    _native.force_simd_tier(before)


MOST = 31  # of a number in a query


@st.composite
def gathers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    dims, count = draw(st.integers(1, 200)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    edge = draw(st.booleans())  # only the largest numbers, where something might saturate
    query = rng.choice([-127, 127], dims) if edge else rng.integers(-127, 128, dims)
    rows = rng.choice([1, 255], (count, dims)) if edge else rng.integers(1, 256, (count, dims))
    slots = rng.integers(0, count, draw(st.integers(0, 11)))
    return query.astype(np.int8), rows.astype(np.uint8), slots.astype(np.uint32)


@st.composite
def scans(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    dims, count, many = draw(st.integers(1, 200)), draw(st.integers(0, 9)), draw(st.integers(0, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    edge = draw(st.booleans())
    queries = rng.choice([-MOST, MOST], (many, dims))
    if not edge:
        queries = rng.integers(-MOST, MOST + 1, (many, dims))
    rows = rng.integers(255 if edge else 0, 256, (count, -(-dims // 64) * 64))
    return queries.astype(np.int8), rows.astype(np.uint8)


def test_gathers_are_exact(tier: str) -> None:
    @given(gathers())
    def check(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
        np.testing.assert_array_equal(_native.gather_codes(*case), reference.gather_codes(*case))

    check()


def test_scans_are_exact(tier: str) -> None:
    @given(scans())
    def check(case: tuple[np.ndarray, np.ndarray]) -> None:
        np.testing.assert_array_equal(_native.scan_codes(*case), reference.scan_codes(*case))

    check()


def test_the_largest_sums_fit(tier: str) -> None:
    for dims in (384, 784, 4096, 65536):
        for sign in (-1, 1):
            rows = np.full((1, dims + -dims % 64), 255, np.uint8)
            query = np.full(dims, 127 * sign, np.int8)
            assert _native.gather_codes(query, rows[:, :dims], [0])[0] == 255 * 127 * dims * sign
            most = MOST * sign
            sums = _native.scan_codes(np.full((1, dims), most, np.int8), rows)
            assert sums[0, 0] == 255 * dims * most


def test_what_does_not_fit_is_refused() -> None:
    rows = np.ones((2, 64), np.uint8)
    with pytest.raises(InputError, match="no such row"):
        _native.gather_codes(np.ones(64, np.int8), rows, [2])
    with pytest.raises(InputError, match=r"query \(n\)"):
        _native.gather_codes(np.ones(63, np.int8), rows, [0])
    with pytest.raises(InputError, match="-31 to 31"):
        _native.scan_codes(np.full((1, 64), 32, np.int8), rows)
    with pytest.raises(InputError, match="rounded up"):
        _native.scan_codes(np.ones((1, 65), np.int8), rows)
