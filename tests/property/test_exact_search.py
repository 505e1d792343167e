"""What the exact search passes over unread is never among the best: any data, every tier."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave import _native
from astraweave._native import reference_index as reference
from astraweave.embeddings import VectorStore


def rows_of_a_kind(rng: np.random.Generator, kind: str, n: int, dims: int) -> np.ndarray:
    noise = rng.normal(size=(n, dims))
    if kind == "alike":
        noise = rng.normal(size=dims) + 10.0 ** rng.integers(-7, 0) * noise
    elif kind == "clustered":
        noise = 3 * rng.normal(size=(9, dims))[rng.integers(0, 9, n)] + 0.2 * noise
    elif kind == "far":
        noise += 10.0 ** rng.integers(1, 6)
    elif kind == "sparse":
        noise *= rng.random((n, dims)) < 0.05
        noise[:, 0] += 1e-3
    elif kind == "sizes":
        noise *= 10.0 ** rng.integers(-18, 17, (n, 1))
    elif kind == "tiny":
        noise *= 1e-30
    elif kind == "repeated":
        noise = rng.integers(-2, 3, (13, dims))[rng.integers(0, 13, n)] + 0.5
    elif kind == "rising":  # towards the first row, best last
        noise = np.linspace(0, 1, n)[:, None] * noise[0] + 0.01 * noise
    return noise.astype(np.float32)


KINDS = ["plain", "alike", "clustered", "far", "sparse", "sizes", "tiny", "repeated", "rising"]


@pytest.fixture(params=_native.simd_tiers())
def tier(request: pytest.FixtureRequest):
    before = _native.simd_tier()
    _native.force_simd_tier(request.param)
    yield request.param
    _native.force_simd_tier(before)


@st.composite
def stores(draw: st.DrawFn) -> tuple[VectorStore, np.ndarray, np.ndarray]:
    """A store, its rows, and some queries."""
    kind = draw(st.sampled_from(KINDS))
    metric = draw(st.sampled_from(["cosine", "dot", "l2"]))
    storage = draw(st.sampled_from(["float32", "float16", "int8"]))
    if storage == "float16" and kind in {"sizes", "far"}:
        storage = "float32"
    n, dims = draw(st.integers(40, 1500)), draw(st.sampled_from([2, 17, 64, 100, 384]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = rows_of_a_kind(rng, kind, n + 4, dims)
    store = VectorStore(dims, metric, storage=storage)
    store.insert_many(rng.permutation(n), rows[:n], tags=rng.integers(0, 4, n))
    queries = rows[n:].copy()
    queries[0] = rows[0]  # one that is there
    return store, rows[:n], queries


def test_a_search_finds_what_scoring_every_row_finds(tier: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(stores(), st.integers(1, 60), st.none() | st.integers(0, 3))
    def check(
        case: tuple[VectorStore, np.ndarray, np.ndarray], k: int, any_tags: int | None
    ) -> None:
        store, _, queries = case
        ids = store.ids()
        if any_tags is not None:
            ids = np.array([one for one in ids.tolist() if store.tags(one) & any_tags], np.int64)
        found, scores = store.search_many(queries, k, any_tags=any_tags)
        for query, row, score in zip(queries, found, scores, strict=True):
            every = store.scores(query, ids)
            order = np.lexsort((ids, every if store.metric == "l2" else -every))[:k]
            np.testing.assert_array_equal(score, every[order])
            if store.metric != "l2":  # two squared distances may have one root
                np.testing.assert_array_equal(row, ids[order])
            np.testing.assert_array_equal(row, store.search_arrays(query, k, any_tags=any_tags)[0])

    check()


def test_scores_are_those_of_the_reference(tier: str) -> None:
    @settings(max_examples=20, deadline=None)
    @given(stores())
    def check(case: tuple[VectorStore, np.ndarray, np.ndarray]) -> None:
        store, _, queries = case
        ids = store.ids()
        rows = np.stack([store.get(one) for one in ids.tolist()])
        for query in queries:
            if store.metric == "cosine":
                query = query / np.linalg.norm(query.astype(np.float64))
            exact = reference.scan_dot(query, rows)
            slack = np.abs(rows).astype(np.float64) @ np.abs(query).astype(np.float64)
            if store.metric == "l2":
                exact = np.sqrt(reference.scan_l2(query, rows))
                slack = exact
            error = np.abs(store.scores(query, ids) - exact)
            assert (error <= (len(query) + 20) * 2.0**-23 * slack + 1e-18).all()

    check()
