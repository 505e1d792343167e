"""Exact search beside faiss and numpy: the same neighbours of the same vectors, on one thread."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astraweave.bench.case import Case, Pair, case
from astraweave.bench.vectors import Sample, drawn_sample, recall_of
from astraweave.embeddings import VectorStore

__all__ = ["CASES"]

_DIMENSIONS = 384
_K = 10
_QUERIES = 256


def _numpy_search(rows: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.intp]:
    scores = rows @ query
    best = np.argpartition(scores, -_K)[-_K:]
    order: NDArray[np.intp] = best[np.argsort(-scores[best], kind="stable")]
    return order


def _drawn(n: int) -> Sample:
    return drawn_sample(n, _DIMENSIONS, queries=_QUERIES)


def _quality(sample: Sample, found: NDArray[np.int64]) -> dict[str, float]:
    return {"recall_at_10": recall_of(sample, found)}


def _store(sample: Sample) -> VectorStore:
    store = VectorStore(_DIMENSIONS)
    store.insert_many(np.arange(len(sample.rows)), sample.rows)
    return store


def _faiss(sample: Sample) -> Callable[[NDArray[np.float32]], object] | None:
    """The search of a flat faiss index on one thread, or None where faiss is not installed."""
    try:
        import faiss
    except ImportError:
        return None
    faiss.omp_set_num_threads(1)
    index: Any = faiss.IndexFlatIP(_DIMENSIONS)
    index.add(sample.rows)
    return lambda queries: index.search(queries, _K)


def _single(n: int) -> Pair:
    """One query at a time, another one each time, as a game asks."""
    sample = _drawn(n)
    store = _store(sample)
    found = np.array([[hit.id for hit in store.search(query, _K)] for query in sample.queries])
    ours, peers = cycle(sample.queries), cycle(sample.queries[:, None, :])
    peer = _faiss(sample)
    return Pair(
        ours=lambda: store.search(next(ours), _K),
        peer=None if peer is None else lambda: peer(next(peers)),
        quality=_quality(sample, found),
    )


def _batch(n: int) -> Pair:
    """Many queries at once; time is that of one of them."""
    sample = _drawn(n)
    store = _store(sample)
    peer = _faiss(sample)
    return Pair(
        ours=lambda: store.search_many(sample.queries, _K),
        peer=None if peer is None else lambda: peer(sample.queries),
        per_call=_QUERIES,
        quality=_quality(sample, store.search_many(sample.queries, _K)[0]),
    )


@case("search.exact_1k", unit="us", peer_name="faiss flat")
def search_1k() -> Pair:
    """The 10 nearest of 1,000 vectors of 384 dimensions."""
    return _single(1_000)


@case("search.exact_10k", unit="us", peer_name="faiss flat")
def search_10k() -> Pair:
    """The 10 nearest of 10,000 vectors of 384 dimensions."""
    return _single(10_000)


@case("search.exact_20k", unit="us", peer_name="faiss flat")
def search_20k() -> Pair:
    """The 10 nearest of 20,000 vectors of 384 dimensions."""
    return _single(20_000)


@case("search.exact_10k_numpy", unit="us", peer_name="numpy")
def search_10k_numpy() -> Pair:
    """The same beside one matrix product and a partition."""
    sample = _drawn(10_000)
    store = _store(sample)
    ours, peers = cycle(sample.queries), cycle(sample.queries)
    return Pair(
        ours=lambda: store.search(next(ours), _K),
        peer=lambda: _numpy_search(sample.rows, next(peers)),
        quality=_quality(sample, store.search_many(sample.queries, _K)[0]),
    )


@case("search.batch_1k", unit="us", peer_name="faiss flat")
def batch_1k() -> Pair:
    """256 queries at once among 1,000 vectors, a query's part of the time."""
    return _batch(1_000)


@case("search.batch_10k", unit="us", peer_name="faiss flat")
def batch_10k() -> Pair:
    """256 queries at once among 10,000 vectors, a query's part of the time."""
    return _batch(10_000)


@case("search.batch_20k", unit="us", peer_name="faiss flat")
def batch_20k() -> Pair:
    """256 queries at once among 20,000 vectors, a query's part of the time."""
    return _batch(20_000)


CASES: tuple[Case, ...] = (
    search_1k,
    search_10k,
    search_20k,
    search_10k_numpy,
    batch_1k,
    batch_10k,
    batch_20k,
)
