"""The graph index on real sentence vectors: recall whole, within tags, and of each storage."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from astraweave.embeddings import VectorStore

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        "ASTRAWEAVE_DATA" not in os.environ, reason="ASTRAWEAVE_DATA names no folder"
    ),
]

SHARES = (0.5, 0.2, 0.05, 0.01, 0.001)


@pytest.fixture(scope="module")
def vectors() -> NDArray[np.float32]:
    path = Path(os.environ["ASTRAWEAVE_DATA"]) / "minilm_21k_f16.npy"
    return np.load(path)[:10_500].astype(np.float32)


def filled(vectors: NDArray[np.float32], kind: str, storage: str = "float32") -> VectorStore:
    rows = vectors[:10_000]
    draws = np.random.default_rng(1).random(len(rows))
    tags = sum((draws < share).astype(np.uint64) << np.uint64(i) for i, share in enumerate(SHARES))
    store = VectorStore(rows.shape[1], kind=kind, storage=storage)  # type: ignore[arg-type]
    store.insert_many(np.arange(len(rows)), rows, tags=tags)
    return store


def recall(store: VectorStore, exact: VectorStore, queries: NDArray[np.float32], **how) -> float:
    found = store.search_many(queries, 10, **how)[0]
    truth = exact.search_many(queries, 10, **how)[0]
    same = [len(set(a) & set(b)) for a, b in zip(found.tolist(), truth.tolist(), strict=True)]
    return sum(same) / truth.size


def test_recall_and_load(vectors: NDArray[np.float32], tmp_path: Path) -> None:
    queries = vectors[10_000:]
    graph, exact = filled(vectors, "hnsw"), filled(vectors, "flat")
    assert recall(graph, exact, queries) >= 0.99
    for bit in range(len(SHARES)):
        assert recall(graph, exact, queries, any_tags=1 << bit) >= 0.99
    graph.save(tmp_path / "graph")
    loaded = VectorStore.load(tmp_path / "graph")
    assert recall(loaded, exact, queries) == recall(graph, exact, queries)
    loaded.verify()


@pytest.mark.parametrize(("storage", "least"), [("float16", 0.99), ("int8", 0.98)])
def test_recall_of_small_storage(vectors: NDArray[np.float32], storage: str, least: float) -> None:
    graph, exact = filled(vectors, "hnsw", storage), filled(vectors, "flat")
    assert recall(graph, exact, vectors[10_000:]) >= least
