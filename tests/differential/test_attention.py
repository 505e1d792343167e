"""Attention and the row kernels against float64 references, on every tier of this machine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from astraweave import _native
from astraweave._native import reference_kv as reference
from astraweave.errors import ConfigError, InputError

UNIT = 2.0**-24
Rows = NDArray[np.float32]


@pytest.fixture(params=_native.simd_tiers())
def tier(request: pytest.FixtureRequest):
    before = _native.simd_tier()
    _native.force_simd_tier(request.param)
    yield request.param
    _native.force_simd_tier(before)


class Decoder:
    """One layer of one memory, and what was ever written to each sequence."""

    def __init__(self, kind: str, kv_heads: int, group: int, size: int) -> None:
        self.heads, self.size, self.kv_heads = kv_heads * group, size, kv_heads
        self.scale = 1 / np.sqrt(size)
        self.pages = _native.KvPages(
            layers=2,
            kv_heads=kv_heads,
            head_size=size,
            budget_bytes=1 << 26,
            max_sequences=24,
            context_tokens=1024,
            kind=kind,
        )

    def step(self, parts: dict[int, tuple[Rows, Rows, Rows]], threads: int = 1) -> dict[int, Rows]:
        """Queries, keys and values of some sequences' new rows; the results."""
        sequences, counts = list(parts), [len(rows[0]) for rows in parts.values()]
        self.pages.append(sequences, counts)
        queries, keys, values = (np.concatenate(rows) for rows in zip(*parts.values(), strict=True))
        out = _native.attend(
            self.pages,
            layer=1,
            sequences=sequences,
            counts=counts,
            queries=queries,
            keys=keys,
            values=values,
            scale=self.scale,
            threads=threads,
        )
        return dict(zip(sequences, np.split(out, np.cumsum(counts)[:-1]), strict=True))

    def rows(self, rng: np.random.Generator, count: int) -> tuple[Rows, Rows, Rows]:
        shapes = (self.heads, self.kv_heads, self.kv_heads)
        queries, keys, values = (
            rng.normal(size=(count, heads, self.size)).astype(np.float32) for heads in shapes
        )
        return queries, keys, values

    def exact(self, sequence: int, position: int, query: Rows) -> tuple[NDArray[np.float64], float]:
        """The result over what is stored, and the largest number among the values."""
        keys, values = (x[: position + 1].astype(float) for x in self.pages.read(sequence, 1))
        out = reference.attend(query.astype(float), keys, values, float(np.float32(self.scale)))
        return out, float(np.abs(values).max())


def bound(size: int, position: int) -> float:
    """Scores within (size + 2) u of sums near 3 size^.5; chains of 128 and a fold a span."""
    return float(8 * (size + 2) * np.sqrt(size) + 300 + 8 * position / 128) * UNIT


@pytest.mark.parametrize("kind", ["f16", "int8"])
def test_rows_are_what_the_reference_says(tier: str, kind: str) -> None:
    @given(
        kv_heads=st.integers(1, 3),
        group=st.integers(1, 8),
        size=st.sampled_from([16, 32, 48, 64, 80, 128]),
        first=st.integers(0, 300),
        more=st.integers(1, 40),
        threads=st.integers(1, 3),
        seed=st.integers(0, 2**32 - 1),
    )
    def check(
        kv_heads: int, group: int, size: int, first: int, more: int, threads: int, seed: int
    ) -> None:
        rng = np.random.default_rng(seed)
        decoder = Decoder(kind, kv_heads, group, size)
        sequence, other = decoder.pages.open(), decoder.pages.open()
        if first:
            decoder.step({sequence: decoder.rows(rng, first)})
        rows = decoder.rows(rng, more)
        out = decoder.step({other: decoder.rows(rng, 3), sequence: rows}, threads)[sequence]
        for i in {0, more // 2, more - 1}:
            want, largest = decoder.exact(sequence, first + i, rows[0][i])
            np.testing.assert_allclose(out[i], want, rtol=0, atol=bound(size, first + i) * largest)

    check()


@pytest.mark.parametrize("kind", ["f16", "int8"])
def test_company_and_cuts_change_no_bit(tier: str, kind: str) -> None:
    @given(
        lore=st.integers(1, 420),
        own=st.lists(st.integers(1, 40), min_size=1, max_size=14),
        pieces=st.lists(st.integers(1, 130), min_size=1, max_size=4),
        threads=st.integers(1, 4),
        seed=st.integers(0, 2**32 - 1),
    )
    def check(lore: int, own: list[int], pieces: list[int], threads: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        decoder = Decoder(kind, 2, 3, 32)
        shared = decoder.rows(rng, lore)
        root = decoder.pages.open()
        decoder.step({root: shared}, threads)
        forks = {
            decoder.pages.fork(root, lore - i % min(lore, 3)): count for i, count in enumerate(own)
        }
        rows = {fork: decoder.rows(rng, count) for fork, count in forks.items()}
        kept = {fork: decoder.pages.length(fork) for fork in forks}
        together = decoder.step(rows, threads)
        fork = max(forks, key=lambda f: forks[f])
        whole = [
            np.concatenate([a[: kept[fork]], b]) for a, b in zip(shared, rows[fork], strict=True)
        ]
        alone, at, got = decoder.pages.open(), 0, []
        while at < len(whole[0]):
            piece = pieces[at % len(pieces)]
            queries, keys, values = (x[at : at + piece] for x in whole)
            got.append(decoder.step({alone: (queries, keys, values)})[alone])
            at += piece
        np.testing.assert_array_equal(np.concatenate(got)[kept[fork] :], together[fork])

    check()


def test_bytes_keep_each_number_within_half_a_step(tier: str) -> None:
    @given(seed=st.integers(0, 2**32 - 1), power=st.integers(-20, 15))
    def check(seed: int, power: int) -> None:
        rng = np.random.default_rng(seed)
        decoder = Decoder("int8", 2, 1, 64)
        sequence = decoder.pages.open()
        queries, keys, values = decoder.rows(rng, 19)
        keys = np.clip(keys * 2.0**power, -65504, 65504).astype(np.float32)
        decoder.step({sequence: (queries, keys, values)})
        for stored, given_rows in zip(decoder.pages.read(sequence, 1), (keys, values), strict=True):
            step = np.abs(given_rows).max(axis=2, keepdims=True) / 127
            assert np.all(np.abs(stored - given_rows) <= step / 2 * (1 + 2.0**-15))

    check()


def test_rows_of_numbers(tier: str) -> None:
    @given(n=st.integers(1, 200), seed=st.integers(0, 2**32 - 1), size=st.floats(1e-3, 30))
    def check(n: int, seed: int, size: float) -> None:
        rng = np.random.default_rng(seed)
        a, b, c = (rng.normal(size=n).astype(np.float32) for _ in range(3))
        a *= np.float32(size)
        wide_a, wide_b = a.astype(float), b.astype(float)
        want = reference.rms_norm(wide_a, wide_b, float(np.float32(1e-5)))
        np.testing.assert_allclose(
            _native.rms_norm(a, b, 1e-5), want, rtol=(n / 8 + 16) * UNIT, atol=1e-37
        )
        want = reference.silu_multiply(wide_a, wide_b)
        np.testing.assert_allclose(_native.silu_multiply(a, b), want, rtol=16 * UNIT, atol=1e-33)
        head = np.concatenate([a, b])
        cos, sin = np.cos(c), np.sin(c)
        want = reference.rope(head.astype(float), cos.astype(float), sin.astype(float))
        room = 3 * UNIT * np.tile(np.abs(wide_a) + np.abs(wide_b), 2)
        assert np.all(np.abs(_native.rope(head, cos, sin) - want) <= room)

    check()


def test_what_does_not_fit_is_refused() -> None:
    decoder = Decoder("f16", 2, 2, 32)
    sequence = decoder.pages.open()
    queries, keys, values = decoder.rows(np.random.default_rng(0), 3)
    decoder.pages.append([sequence], [3])

    def attend(**changes: object) -> None:
        arguments = {
            "layer": 0,
            "sequences": [sequence],
            "counts": [3],
            "queries": queries,
            "keys": keys,
            "values": values,
            "scale": 1.0,
            "threads": 1,
        }
        _native.attend(decoder.pages, **(arguments | changes))  # type: ignore[arg-type]

    attend()
    with pytest.raises(InputError, match="no layer 2"):
        attend(layer=2)
    with pytest.raises(InputError, match="last ones"):
        attend(counts=[4])
    with pytest.raises(InputError, match="no open sequence 9"):
        attend(sequences=[9])
    with pytest.raises(InputError, match=r"keys must be \(3, 2, 32\)"):
        attend(keys=keys[:2])
    with pytest.raises(InputError, match="1 to 64 threads"):
        attend(threads=0)
    with pytest.raises(ConfigError, match="3 query heads"):
        attend(queries=queries[:, :3])
    with pytest.raises(ConfigError, match="'f16' or 'int8', not 'f32'"):
        Decoder("f32", 1, 1, 16)
    with pytest.raises(ConfigError, match="head size of 16, 32"):
        Decoder("f16", 1, 1, 20)
    with pytest.raises(InputError, match=r"weight must be \(3\)"):
        _native.rms_norm([1, 2, 3], [1, 2], 1e-5)
