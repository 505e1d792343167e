"""The store's answers on real sentence vectors, beside NumPy."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from astraweave import _native
from astraweave.embeddings import VectorStore

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        "ASTRAWEAVE_DATA" not in os.environ, reason="ASTRAWEAVE_DATA names no folder"
    ),
]


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return np.load(Path(os.environ["ASTRAWEAVE_DATA"]) / "minilm_21k_f16.npy").astype(np.float32)


@pytest.mark.parametrize("tier", _native.simd_tiers())
@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_the_ten_nearest_are_those_of_numpy(vectors: np.ndarray, metric: str, tier: str) -> None:
    rows, queries = vectors[:20_000], vectors[20_000::10]
    store = VectorStore(rows.shape[1], metric)
    store.insert_many(np.arange(len(rows)), rows)
    before = _native.simd_tier()
    _native.force_simd_tier(tier)
    try:
        found = [store.search(query, 10) for query in queries]
    finally:
        _native.force_simd_tier(before)

    wide, wanted = rows.astype(np.float64), queries.astype(np.float64)
    if metric == "cosine":
        wide /= np.linalg.norm(wide, axis=1, keepdims=True)
        wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    scores = wanted @ wide.T
    if metric == "l2":
        squares = (wanted**2).sum(axis=1)[:, None] + (wide**2).sum(axis=1)
        scores = -np.sqrt(np.maximum(squares - 2 * scores, 0))
    for hits, exact in zip(found, scores, strict=True):
        best = np.sort(exact)[::-1][:10]
        # Each place holds the score that belongs there; only ties may change places.
        np.testing.assert_allclose(exact[[hit.id for hit in hits]], best, atol=2e-6)
        sign = -1 if metric == "l2" else 1
        np.testing.assert_allclose([sign * hit.score for hit in hits], best, atol=2e-6)


@pytest.mark.parametrize(("storage", "recall"), [("float16", 0.998), ("int8", 0.99)])
def test_smaller_storage_finds_nearly_the_same(
    vectors: np.ndarray, storage: str, recall: float
) -> None:
    rows, queries = vectors[:20_000], vectors[20_000:]
    found = {}
    for each in ("float32", storage):
        store = VectorStore(rows.shape[1], storage=each)
        store.insert_many(np.arange(len(rows)), rows)
        found[each], _ = store.search_many(queries, 10)
    same = [
        len(set(a) & set(b)) for a, b in zip(*map(np.ndarray.tolist, found.values()), strict=True)
    ]
    assert sum(same) / found["float32"].size >= recall
