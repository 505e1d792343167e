"""Recall against queries a second: ours and the peers', on the same vectors, on one thread.

Every index is asked the same queries with several efforts. A point is one effort: the share of the
true neighbours that it found, and the median rate over rounds in which all points take turns.
"""

from __future__ import annotations

import statistics
import timeit
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.bench.case import Case, Figures, Unavailable
from astraweave.bench.vectors import Sample, nearest, recall_of
from astraweave.embeddings import VectorStore
from astraweave.errors import AstraweaveError

__all__ = [
    "EXACT",
    "FAISS",
    "GRAPH",
    "HNSWLIB",
    "USEARCH",
    "Curve",
    "Point",
    "curve_cases",
]

EXACT, GRAPH = "astraweave, exact", "astraweave, graph"
FAISS, HNSWLIB, USEARCH = "faiss flat", "hnswlib", "usearch"

_K = 10
_EFFORTS = (10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 400)
_LINKS, _BUILD_EFFORT = 16, 200
_ROUNDS = 5
_ROUND_SECONDS = 0.1
_WANTED_RECALL = 0.99
_BLOCK = 1_000

Ask = Callable[[NDArray[np.float32]], NDArray[np.integer[Any]]]
"""Queries, shape (n, dimensions), to the ids of their neighbours, shape (n, k)."""
Progress = Callable[[str, int, int], None]


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One index at one effort.

    Attributes
    ----------
    index : str
        Whose, and of what kind.
    effort : int
        How many candidates a graph keeps (ef); 0: the index has no such choice.
    recall : float
        Share of the 10 true neighbours that were found, over all queries.
    rate : float
        Queries a second on one thread.
    """

    index: str
    effort: int
    recall: float
    rate: float


class Curve:
    """All points over one sample; measured when first asked for."""

    def __init__(self, sample: Sample, progress: Progress = lambda *_: None) -> None:
        self.sample = sample
        self._progress = progress

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Measured now, which takes seconds to minutes."""
        self._progress("finding the true neighbours", 0, 0)
        wanted = nearest(self.sample, _K)
        found: list[tuple[str, int, Ask, float]] = []
        for index, effort, ask in _contestants(self.sample, self._progress):
            try:
                ids = ask(self.sample.queries)
            except RuntimeError:  # hnswlib: fewer than k were reached with this effort
                continue
            found.append((index, effort, ask, recall_of(self.sample, ids, wanted)))
        rates = self._rates([ask for _, _, ask, _ in found])
        return tuple(
            Point(index=index, effort=effort, recall=recall, rate=rate)
            for (index, effort, _, recall), rate in zip(found, rates, strict=True)
        )

    def best(self, *names: str, recall: float = 0.0) -> Point | None:
        """The quickest point of these indexes that finds at least `recall`."""
        enough = [point for point in self.points if point.index in names and point.recall >= recall]
        return max(enough, key=lambda point: point.rate, default=None)

    def _rates(self, asks: list[Ask]) -> list[float]:
        shares = [self._share(ask) for ask in asks]
        rates: list[list[float]] = [[] for _ in asks]
        for done in range(_ROUNDS):
            self._progress("asking in turns", done, _ROUNDS)
            for ask, queries, measured in zip(asks, shares, rates, strict=True):
                seconds = timeit.Timer(partial(ask, queries)).timeit(1)
                measured.append(len(queries) / max(seconds, 1e-9))
        return [statistics.median(measured) for measured in rates]

    def _share(self, ask: Ask) -> NDArray[np.float32]:
        """As many queries as one round has time for."""
        few = self.sample.queries[:16]
        seconds = max(timeit.Timer(partial(ask, few)).timeit(1), 1e-9)
        return self.sample.queries[: max(16, round(_ROUND_SECONDS * len(few) / seconds))]


def curve_cases(curve: Curve) -> tuple[Case, ...]:
    """Cases over a curve: the exact searches, and the quickest at recall .99 beside each graph."""

    def compare(ours: tuple[str, ...], peer: str, recall: float) -> Figures:
        mine, theirs = curve.best(*ours, recall=recall), curve.best(peer, recall=recall)
        if mine is None:
            raise Unavailable(f"no index of ours reached recall {recall}")
        quality = {"recall_at_10": mine.recall}
        if theirs is not None:
            quality["peer_recall_at_10"] = theirs.recall
        return Figures(ours=mine.rate, peer=theirs.rate if theirs else None, quality=quality)

    def made(name: str, ours: tuple[str, ...], peer: str, recall: float) -> Case:
        return Case(
            name=f"search.data_{name}",
            unit="queries/s",
            peer_name=peer,
            prepare=lambda: compare(ours, peer, recall),
            heavy=True,
        )

    return (
        made("exact", (EXACT,), FAISS, 0.0),
        made("hnswlib", (EXACT, GRAPH), HNSWLIB, _WANTED_RECALL),
        made("usearch", (EXACT, GRAPH), USEARCH, _WANTED_RECALL),
    )


def _contestants(sample: Sample, progress: Progress) -> Iterator[tuple[str, int, Ask]]:
    for name, make in (
        (EXACT, _ours_exact),
        (GRAPH, _ours_graph),
        (FAISS, _faiss),
        (HNSWLIB, _hnswlib),
        (USEARCH, _usearch),
    ):
        progress(f"building {name}", 0, 0)
        try:
            made = make(sample)
        except (ImportError, AstraweaveError):
            continue
        yield from ((name, effort, ask) for effort, ask in made)


def _store(sample: Sample, kind: str) -> VectorStore:
    store = VectorStore(sample.rows.shape[1], metric=sample.metric, kind=kind)
    for start in range(0, len(sample.rows), _BLOCK):
        rows = sample.rows[start : start + _BLOCK]
        store.insert_many(np.arange(start, start + len(rows)), rows)
    return store


def _ours_exact(sample: Sample) -> list[tuple[int, Ask]]:
    return [(0, _ask_store(_store(sample, "flat")))]


def _ours_graph(sample: Sample) -> list[tuple[int, Ask]]:
    store = _store(sample, "hnsw")
    return [(effort, _ask_store(store, effort)) for effort in _EFFORTS]


def _ask_store(store: VectorStore, effort: int | None = None) -> Ask:
    return lambda queries: store.search_many(queries, _K, ef=effort)[0]


def _faiss(sample: Sample) -> list[tuple[int, Ask]]:
    import faiss

    faiss.omp_set_num_threads(1)
    dimensions = sample.rows.shape[1]
    flat = faiss.IndexFlatL2 if sample.metric == "l2" else faiss.IndexFlatIP
    index = flat(dimensions)
    index.add(sample.rows)
    return [(0, lambda queries: index.search(queries, _K)[1])]


def _hnswlib(sample: Sample) -> list[tuple[int, Ask]]:
    import hnswlib

    space = {"cosine": "ip", "dot": "ip", "l2": "l2"}[sample.metric]
    index = hnswlib.Index(space=space, dim=sample.rows.shape[1])
    index.init_index(
        max_elements=len(sample.rows), M=_LINKS, ef_construction=_BUILD_EFFORT, random_seed=7
    )
    index.add_items(sample.rows)
    index.set_num_threads(1)

    def ask(queries: NDArray[np.float32], effort: int) -> NDArray[np.integer[Any]]:
        index.set_ef(effort)
        labels: NDArray[np.integer[Any]] = index.knn_query(queries, _K)[0]
        return labels.astype(np.int64)

    return [(effort, partial(ask, effort=effort)) for effort in _EFFORTS]


def _usearch(sample: Sample) -> list[tuple[int, Ask]]:
    from usearch.index import Index

    metric = {"cosine": "ip", "dot": "ip", "l2": "l2sq"}[sample.metric]
    index: Any = Index(
        ndim=sample.rows.shape[1],
        metric=metric,
        dtype="f32",
        connectivity=_LINKS,
        expansion_add=_BUILD_EFFORT,
    )
    index.add(np.arange(len(sample.rows)), sample.rows)

    def ask(queries: NDArray[np.float32], effort: int) -> NDArray[np.integer[Any]]:
        index.expansion_search = effort
        keys: NDArray[np.integer[Any]] = index.search(queries, _K, threads=1).keys
        return keys.astype(np.int64)

    return [(effort, partial(ask, effort=effort)) for effort in _EFFORTS]
