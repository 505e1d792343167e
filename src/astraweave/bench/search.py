"""Exact search beside numpy: the same neighbours, found by one matrix product and a partition."""

from __future__ import annotations

from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from astraweave.bench.case import Case, Pair, case
from astraweave.embeddings import VectorStore

__all__ = ["CASES"]

_DIMENSIONS = 384
_K = 10
_QUERIES = 64


def _unit_vectors(rng: np.random.Generator, n: int) -> NDArray[np.float32]:
    vectors = rng.standard_normal((n, _DIMENSIONS), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _numpy_search(rows: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.intp]:
    scores = rows @ query
    best = np.argpartition(scores, -_K)[-_K:]
    order: NDArray[np.intp] = best[np.argsort(-scores[best], kind="stable")]
    return order


def _search(n: int) -> Pair:
    """One query at a time, another one each time, as a game asks."""
    rng = np.random.default_rng(7)
    rows, queries = _unit_vectors(rng, n), _unit_vectors(rng, _QUERIES)
    store = VectorStore(_DIMENSIONS)
    store.insert_many(np.arange(n), rows)
    found = 0
    for query in queries:
        expected = set(_numpy_search(rows, query).tolist())
        found += len(expected & {hit.id for hit in store.search(query, _K)})
    ours, peers = cycle(queries), cycle(queries)
    return Pair(
        ours=lambda: store.search(next(ours), _K),
        peer=lambda: _numpy_search(rows, next(peers)),
        quality={"recall_at_10": found / (_K * _QUERIES)},
    )


@case("search.exact_1k", unit="us", peer_name="numpy")
def search_1k() -> Pair:
    """The 10 nearest of 1,000 vectors of 384 dimensions."""
    return _search(1_000)


@case("search.exact_10k", unit="us", peer_name="numpy")
def search_10k() -> Pair:
    """The 10 nearest of 10,000 vectors of 384 dimensions."""
    return _search(10_000)


CASES: tuple[Case, ...] = (search_1k, search_10k)
