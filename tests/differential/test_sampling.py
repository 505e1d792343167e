"""The sampling kernel against a plain reading of what it promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from astraweave.errors import InputError
from astraweave.kernels.sampling import PARAMETERS, log_probabilities, sample, sample_rows

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
    counts: np.ndarray | None = None,
    presence_penalty: float = 0.0,
    frequency_penalty: float = 0.0,
) -> int:
    x = logits.astype(np.float64)
    for place, token in enumerate(seen):
        x[token] = np.float32(
            x[token] / repetition_penalty if x[token] > 0 else x[token] * repetition_penalty
        )
        if counts is not None and counts[place]:
            x[token] = np.float32(
                x[token] - (presence_penalty + frequency_penalty * int(counts[place]))
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


def run(logits: np.ndarray, seen: np.ndarray, **params: object) -> int:
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
    presence=st.sampled_from([0.0, -1.5, 0.25]),
    frequency=st.sampled_from([0.0, 0.5, 2.0]),
    uniform=st.floats(0, 1, exclude_max=True),
)
def test_kernel_draws_what_the_reference_draws(
    row, data, temperature, top_k, top_p, min_p, penalty, presence, frequency, uniform
) -> None:
    seen = data.draw(st.lists(st.integers(0, len(row) - 1), unique=True))
    made = data.draw(st.lists(st.integers(0, 3), min_size=len(seen), max_size=len(seen)))
    params = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": penalty,
        "uniform": uniform,
        "counts": np.array(made, np.int32),
        "presence_penalty": presence,
        "frequency_penalty": frequency,
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


SHAPES = {
    "flat": lambda rng: np.zeros(5_000, np.float32),
    "two levels": lambda rng: (rng.random(5_000) < 0.5).astype(np.float32),
    "rising": lambda rng: np.linspace(-9, 9, 5_000, dtype=np.float32),
    "falling": lambda rng: np.linspace(9, -9, 5_000, dtype=np.float32),
    "one far ahead": lambda rng: np.eye(1, 5_000, 4_321, dtype=np.float32)[0] * 500,
    "mostly impossible": lambda rng: np.where(
        rng.random(5_000) < 0.999, -np.inf, rng.normal(size=5_000)
    ).astype(np.float32),
    "zeros of both signs": lambda rng: np.where(rng.random(5_000) < 0.5, -0.0, 0.0).astype(
        np.float32
    ),
    "large": lambda rng: rng.normal(0, 4, 70_001).astype(np.float32),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("top_k", [0, 1, 40, 900, 4_999])
def test_no_shape_of_the_row_leads_astray(shape, top_k) -> None:
    rng = np.random.default_rng(7)
    row = SHAPES[shape](rng)
    nothing = np.array([], np.int32)
    for top_p, uniform in ((1.0, 0.0), (0.95, 0.6), (0.3, math.nextafter(1, 0))):
        params = PLAIN | {"top_k": top_k, "top_p": top_p, "uniform": uniform}
        assert run(row, nothing, **params) == reference(row, nothing, **params)


@pytest.mark.parametrize("spread", [0.3, 2.0, 6.0])
@pytest.mark.parametrize("temperature", [0.004, 0.3, 1.0, 30.0, 200.0])
def test_the_quick_sum_never_changes_the_answer(spread, temperature) -> None:
    rng = np.random.default_rng(13)
    nothing = np.array([], np.int32)
    for size in (1_023, 1_024, 2_501):
        row = rng.normal(5, spread, size).astype(np.float32)
        row[::97] += 4 * spread
        row[::89] = -np.inf
        for top_p in (1e-6, 0.5, 0.95, 0.9999, 0.99999, 0.9999999):
            params = PLAIN | {"temperature": temperature, "top_p": top_p}
            for uniform in (0.0, 0.5, math.nextafter(1, 0)):
                drawn = params | {"uniform": uniform}
                assert run(row, nothing, **drawn) == reference(row, nothing, **drawn)


def rule_of(rng: np.random.Generator) -> dict[str, float]:
    return {
        "temperature": float(rng.choice([0.0, 0.7, 3.0])),
        "top_k": int(rng.choice([0, 5, 60])),
        "top_p": float(rng.choice([0.5, 0.95, 1.0])),
        "min_p": float(rng.choice([0.0, 0.1])),
        "repetition_penalty": float(rng.choice([1.0, 1.2])),
        "presence_penalty": float(rng.choice([0.0, 0.5])),
        "frequency_penalty": float(rng.choice([0.0, 0.25])),
        "uniform": float(rng.random()),
    }


def test_many_rows_are_drawn_as_one_by_one() -> None:
    rng = np.random.default_rng(11)
    logits = rng.normal(0, 3, (20, 500)).astype(np.float32)
    logits[7, 3] = math.nan
    seen = [rng.choice(500, rng.integers(0, 40), replace=False).astype(np.int32) for _ in logits]
    counts = [rng.integers(0, 3, len(tokens)).astype(np.int32) for tokens in seen]
    rules = [rule_of(rng) for _ in logits]
    alone = [
        sample(row.copy(), tokens, np.zeros(500, np.int32), counts=made, **rule)
        for row, tokens, made, rule in zip(logits, seen, counts, rules, strict=True)
    ]
    tokens = np.zeros(20, np.int32)
    sample_rows(
        logits.copy(),
        np.concatenate(seen),
        np.concatenate(counts),
        np.cumsum([0, *map(len, seen)], dtype=np.int32),
        np.array([[rule[name] for name in PARAMETERS] for rule in rules]),
        np.zeros(500, np.int32),
        tokens,
    )
    assert tokens.tolist() == alone
    assert tokens[7] == -1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"parameters": np.ones((2, 7))}, "2 rows of logits need"),
        ({"tokens": np.zeros(3, np.int32)}, "2 rows of logits need"),
        ({"offsets": np.array([0, 1], np.int32)}, "2 rows of logits need"),
        ({"offsets": np.array([0, 2, 1], np.int32)}, "offsets of row 1 go from 2 to 1"),
        ({"offsets": np.array([0, 1, 9], np.int32)}, "offsets of row 1 go from 1 to 9"),
        ({"offsets": np.array([-1, 0, 1], np.int32)}, "offsets of row 0 go from -1"),
        ({"seen": np.array([1, 4], np.int32)}, "token 4 is outside"),
        ({"parameters": np.full((2, 8), np.nan)}, "top-k of row 0 is nan"),
        ({"scratch": np.zeros(3, np.int32)}, "4 logits need as many places of scratch"),
    ],
)
def test_rows_that_do_not_belong_together_are_refused_whole(change, words) -> None:
    given_ = {
        "logits": np.ones((2, 4), np.float32),
        "seen": np.array([1, 2], np.int32),
        "counts": np.array([1, 2], np.int32),
        "offsets": np.array([0, 1, 2], np.int32),
        "parameters": np.full((2, 8), 2.0),
        "scratch": np.zeros(4, np.int32),
        "tokens": np.zeros(2, np.int32),
    } | change
    with pytest.raises(InputError, match=words):
        sample_rows(**given_)
    assert (given_["logits"] == 1).all()
    assert not given_["tokens"].any()


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
    for token in (4, -1):
        kept = row.copy()
        with pytest.raises(InputError):
            sample(kept, np.array([1, token], np.int32), np.zeros(4, np.int32), **PLAIN)
        assert (kept == row).all()
    none = np.zeros(2, np.int32)
    with pytest.raises(InputError, match="1 seen tokens need as many counts, got 2"):
        sample(row, none[:1], np.zeros(4, np.int32), counts=none, **PLAIN)
    with pytest.raises(InputError, match="0 logits"):
        sample(row[:0], np.array([], np.int32), np.zeros(3, np.int32), **PLAIN)


def draw_masked(row: np.ndarray, mask: np.ndarray, **params: float) -> int:
    tokens = np.zeros(1, np.int32)
    sample_rows(
        row[None].copy(),
        np.array([], np.int32),
        np.array([], np.int32),
        np.zeros(2, np.int32),
        np.array(
            [[{"presence_penalty": 0, "frequency_penalty": 0, **params}[n] for n in PARAMETERS]]
        ),
        np.zeros(len(row), np.int32),
        tokens,
        masks=mask[None],
        mask_of=np.zeros(1, np.int32),
    )
    return int(tokens[0])


@settings(max_examples=300)
@given(
    row=rows,
    data=st.data(),
    temperature=st.sampled_from([0.0, 1.0]),
    top_k=st.sampled_from([0, 3]),
    top_p=st.sampled_from([0.6, 1.0]),
    uniform=st.floats(0, 1, exclude_max=True),
)
def test_a_mask_is_as_if_the_others_were_impossible(
    row, data, temperature, top_k, top_p, uniform
) -> None:
    admitted = data.draw(st.sets(st.integers(0, len(row) - 1)))
    mask = np.zeros((len(row) + 31) // 32, np.uint32)
    if len(row) % 32:
        mask[-1] = np.uint32(0xFFFFFFFF << len(row) % 32 & 0xFFFFFFFF)  # beyond the vocabulary
    for token in admitted:
        mask[token // 32] |= np.uint32(1 << token % 32)
    params = PLAIN | {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "uniform": uniform,
    }
    left = np.where(np.isin(np.arange(len(row)), list(admitted)), row, -np.inf)
    wanted = reference(left.astype(np.float32), np.array([], np.int32), **params)
    assert draw_masked(row, mask, **params) == (wanted if admitted else -2)


def test_full_and_empty_words_of_a_mask() -> None:
    row = np.random.default_rng(3).normal(size=49_152).astype(np.float32)
    mask = np.zeros(1536, np.uint32)
    mask[700] = 0xFFFFFFFF
    mask[701] = 1
    assert draw_masked(row, mask, **PLAIN | {"temperature": 0.0}) == 22_400 + int(
        row[22_400:22_433].argmax()
    )
    assert draw_masked(row, mask * 0, **PLAIN) == -2


def test_masks_that_do_not_fit_are_refused() -> None:
    for masks, mask_of in (
        (np.zeros((1, 1), np.uint32), [0]),
        (np.zeros((1, 2), np.uint32), [1]),
        (None, [0]),
        (np.zeros((1, 2), np.uint32), [0, 0]),
    ):
        with pytest.raises(InputError, match="mask"):
            sample_rows(
                np.ones((1, 40), np.float32),
                np.array([], np.int32),
                np.array([], np.int32),
                np.zeros(2, np.int32),
                np.ones((1, 8)),
                np.zeros(40, np.int32),
                np.zeros(1, np.int32),
                masks=masks,
                mask_of=np.array(mask_of, np.int32),
            )


@settings(max_examples=200)
@given(st.integers(1, 80), st.floats(0.1, 40.0), st.floats(-1e6, 1e6), st.integers(0, 2**32 - 1))
def test_log_probabilities_are_those_of_the_exact_sum(size, spread, shift, seed) -> None:
    rng = np.random.default_rng(seed)
    logits = (rng.normal(0, spread, (3, size)) + shift).astype(np.float32)
    tokens = rng.integers(0, size, 3).astype(np.int32)
    out = np.zeros(3)
    log_probabilities(logits, tokens, out)
    exact = logits.astype(np.float64)
    best = exact.max(axis=1, keepdims=True)
    sums = np.log(np.exp(exact - best).sum(axis=1))
    assert out == pytest.approx((exact - best)[np.arange(3), tokens] - sums, abs=2e-5)


def test_log_probabilities_of_broken_rows() -> None:
    logits = np.zeros((3, 5), np.float32)
    logits[0, 3], logits[1, 2], logits[2, 1] = np.nan, np.inf, -np.inf
    out = np.zeros(3)
    log_probabilities(logits, np.array([0, 0, 1], np.int32), out)
    assert np.isnan(out[:2]).all()
    assert out[2] == -np.inf
    with pytest.raises(InputError, match="outside the vocabulary"):
        log_probabilities(logits, np.array([0, 5, 0], np.int32), out)
    with pytest.raises(InputError, match="as many tokens"):
        log_probabilities(logits, np.array([0, 0], np.int32), out)
