"""The native inner product against its reference, on every tier that this machine has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from astraweave import _native
from astraweave._native import reference
from astraweave.errors import ConfigError, InputError


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


def test_dot_matches_reference_within_its_bound(tier: str) -> None:
    @given(pairs)
    def check(pair: tuple[np.ndarray, np.ndarray]) -> None:
        a, b = pair
        magnitude = float(np.abs(a.astype(np.float64) * b.astype(np.float64)).sum())
        bound = (len(a) + 1) * 2.0**-23 * magnitude + 1e-30
        assert abs(_native.dot(a, b) - reference.dot(a, b)) <= bound

    check()


def test_dot_reads_no_further_than_its_vectors(tier: str) -> None:
    for n in range(70):
        wide = np.full(n + 32, np.nan, np.float32)
        wide[:n] = 1.0
        assert _native.dot(wide[:n], wide[:n]) == n


@pytest.mark.parametrize("module", [_native, reference], ids=["native", "reference"])
def test_dot_names_the_lengths_it_refuses(module) -> None:
    with pytest.raises(InputError, match="got 2 and 3 numbers"):
        module.dot([1.0, 2.0], [1.0, 2.0, 3.0])


def test_unknown_tier_is_named() -> None:
    with pytest.raises(ConfigError, match="'sse9'"):
        _native.force_simd_tier("sse9")
