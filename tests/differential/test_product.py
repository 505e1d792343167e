"""Products of quantised weights against their reference, on every tier of this machine."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave import _native
from astraweave._native import reference_product as reference
from astraweave.errors import InputError

Case = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]


@pytest.fixture(params=_native.simd_tiers())
def tier(request: pytest.FixtureRequest) -> Iterator[str]:
    before = _native.simd_tier()
    _native.force_simd_tier(request.param)
    yield request.param
    _native.force_simd_tier(before)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    outputs, blocks = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    rows = draw(st.integers(1, 19))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal((rows, 32 * blocks)) * 10.0 ** rng.integers(-3, 3, (rows, 1))
    codes = rng.integers(0, 256, (outputs, 32 * blocks))
    if draw(st.booleans()):  # only the largest numbers, where something might saturate
        codes = rng.choice([0, 255], codes.shape)
        x = rng.choice([-1.0, 1.0], x.shape)
    scales = rng.uniform(0, 0.1, (outputs, blocks))
    zeros = rng.integers(0, 256, (outputs, blocks)).astype(np.uint8)
    return (
        x.astype(np.float32),
        codes.astype(np.uint8),
        scales.astype(np.float32),
        draw(st.sampled_from([zeros, None])),
    )


def test_products_are_the_reference(tier: str) -> None:
    @given(cases())
    def check(case: Case) -> None:
        wanted = reference.multiply_codes(*case)
        found = _native.multiply_codes(*case)
        # Only where the reference rounds twice does a last bit differ.
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6 * np.abs(wanted).max())

    check()


def test_all_tiers_give_the_same_bits() -> None:
    @given(cases())
    def check(case: Case) -> None:
        before = _native.simd_tier()
        found = []
        for name in _native.simd_tiers():
            _native.force_simd_tier(name)
            found.append(_native.multiply_codes(*case).tobytes())
        _native.force_simd_tier(before)
        assert len(set(found)) == 1

    check()


def test_a_row_is_the_same_in_any_company(tier: str) -> None:
    @given(cases())
    def check(case: Case) -> None:
        x, *weights = case
        alone = [_native.multiply_codes(row[None], *weights)[0] for row in x]
        np.testing.assert_array_equal(_native.multiply_codes(x, *weights), alone)

    check()


def test_what_does_not_fit_is_refused() -> None:
    codes, scales = np.ones((3, 64), np.uint8), np.ones((3, 2), np.float32)
    for arguments in (
        (np.ones(64), codes, scales),
        (np.ones((2, 33)), codes, scales),
        (np.ones((2, 32)), codes, scales),
        (np.ones((2, 64)), codes, scales[:2]),
        (np.ones((2, 64)), codes, scales, np.ones((3, 1), np.uint8)),
    ):
        for multiply in (_native.multiply_codes, reference.multiply_codes):
            with pytest.raises(InputError, match="k in 32s"):
                multiply(*arguments)
