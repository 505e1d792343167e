"""The sampling kernel against a plain reading of what it promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from astraweave.errors import InputError
from astraweave.kernels.sampling import sample

PLAIN = {
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "uniform": 0.5,
}


def reference(
    logits: np.ndarray,
    seen: np.ndarray,
    *,
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
    repetition_penalty: float,
    uniform: float,
) -> int:
    x = logits.astype(np.float64)
    for token in seen:
        x[token] = np.float32(
            x[token] / repetition_penalty if x[token] > 0 else x[token] * repetition_penalty
        )

    if np.isnan(x).any() or not math.isfinite(x.max()):
        return -1
    order = sorted(range(len(x)), key=lambda i: (-x[i], i))
    if temperature == 0:
        return order[0]

    def weight(i: int) -> float:
        z = (x[i] - x[order[0]]) / temperature
        return math.exp(z) if z >= -60 else 0.0

    if top_k:
        order = order[:top_k]
    if top_p < 1:
        total = 0.0
        for i in sorted(order):
            total += weight(i)
        reached, kept = 0.0, []
        for i in order:
            kept.append(i)
            reached += weight(i)
            if reached >= top_p * total:
                break
        order = kept
    candidates = [i for i in sorted(order) if weight(i) >= min_p and weight(i) > 0]
    total = 0.0
    for i in candidates:
        total += weight(i)
    reached = 0.0
    for i in candidates:
        reached += weight(i)
        if reached > uniform * total:
            return i
    return candidates[-1]


def run(logits: np.ndarray, seen: np.ndarray, **params: float) -> int:
    return sample(logits.copy(), seen, np.full(len(logits), -7, np.int32), **params)  # type: ignore[arg-type]


# Few distinct values, so that ties happen; wide ones, so that underflow does.
values = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-30, 30, width=32),
    st.sampled_from([-math.inf, 1e30, -1e30]),
)
rows = st.integers(1, 60).flatmap(lambda n: arrays(np.float32, n, elements=values))


@settings(max_examples=600)
@given(
    row=rows,
    data=st.data(),
    temperature=st.sampled_from([0.0, 0.01, 0.7, 1.0, 5.0]),
    top_k=st.integers(0, 70),
    top_p=st.sampled_from([1e-9, 0.1, 0.5, 0.9, 0.999999, 1.0]),
    min_p=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    penalty=st.sampled_from([0.5, 1.0, 1.1, 2.0]),
    uniform=st.floats(0, 1, exclude_max=True),
)
def test_kernel_draws_what_the_reference_draws(
    row, data, temperature, top_k, top_p, min_p, penalty, uniform
) -> None:
    seen = data.draw(st.lists(st.integers(0, len(row) - 1), unique=True))
    params = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": penalty,
        "uniform": uniform,
    }
    tokens = np.array(seen, np.int32)
    assert run(row, tokens, **params) == reference(row, tokens, **params)


@pytest.mark.parametrize(
    "params",
    [
        {"top_k": 40, "top_p": 0.95},
        {"top_k": 0, "top_p": 0.9},
        {"top_k": 0, "top_p": 0.999, "temperature": 50.0},
        {"top_k": 5000, "min_p": 0.02},
        {},
    ],
)
def test_kernel_agrees_on_a_whole_vocabulary(params) -> None:
    rng = np.random.default_rng(5)
    row = rng.normal(0, 4, 50_000).astype(np.float32)
    seen = rng.choice(50_000, 300, replace=False).astype(np.int32)
    for uniform in (0.0, 0.31, 0.77, math.nextafter(1, 0)):
        settings_ = PLAIN | {"repetition_penalty": 1.1} | params | {"uniform": uniform}
        assert run(row, seen, **settings_) == reference(row, seen, **settings_)


@given(row=rows, bad=st.sampled_from([math.nan, math.inf]), data=st.data())
def test_broken_logits_are_told_and_never_drawn(row, bad, data) -> None:
    row[data.draw(st.integers(0, len(row) - 1))] = bad
    nothing = np.array([], np.int32)
    for params in (PLAIN, PLAIN | {"temperature": 0.0}, PLAIN | {"top_k": 1}):
        assert run(row, nothing, **params) == -1


def test_shares_follow_the_probabilities() -> None:
    row = np.log(np.array([0.1, 0.2, 0.7], np.float32))
    draws = [
        run(row, np.array([], np.int32), **(PLAIN | {"uniform": u}))
        for u in np.linspace(0, 1, 1000, endpoint=False)
    ]
    assert [draws.count(i) for i in range(3)] == pytest.approx([100, 200, 700], abs=1)


def test_what_cannot_be_read_is_refused() -> None:
    row = np.zeros(4, np.float32)
    with pytest.raises(InputError, match="4 logits need as many places of scratch, got 3"):
        sample(row, np.array([], np.int32), np.zeros(3, np.int32), **PLAIN)
    for token in (4, -1):
        with pytest.raises(InputError, match=f"token {token} is outside"):
            sample(row, np.array([1, token], np.int32), np.zeros(4, np.int32), **PLAIN)
    with pytest.raises(InputError, match="0 logits"):
        sample(row[:0], np.array([], np.int32), np.zeros(3, np.int32), **PLAIN)
