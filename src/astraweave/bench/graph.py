"""The graph index beside hnswlib: the same vectors, one thread, each at the effort that it needs.

Recall is worth more than time here: each side keeps as many candidates as bring it to recall .99 of
the 10 nearest, and those searches are timed. The links (M 16) and the effort of building (200) are
the same for both.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave._native import HnswIndex
from astraweave.bench.case import Case, Figures, Pair, Unavailable, case, time_call
from astraweave.bench.vectors import Sample, drawn_sample, nearest, recall_of

__all__ = ["CASES"]

_DIMENSIONS = 384
_ROWS = 10_000
_BUILT_ROWS = 2_000  # again and again
_QUERIES = 500
_K = 10
_LINKS = 16
_BUILD_EFFORT = 200
_WANTED_RECALL = 0.99
_EFFORTS = (16, 24, 32, 40, 48, 56, 64, 80, 96, 128, 192, 256, 400)

_Ask = Callable[[NDArray[np.float32]], NDArray[np.int64]]


def _drawn() -> Sample:
    return drawn_sample(_ROWS, _DIMENSIONS, queries=_QUERIES)


def _quickest(sample: Sample, ask: Callable[[int], _Ask]) -> tuple[_Ask, float, int]:
    """The least effort that finds enough: how to ask, what it finds, the effort."""
    wanted = nearest(sample, _K)
    for effort in _EFFORTS:
        at_effort = ask(effort)
        recall = recall_of(sample, at_effort(sample.queries), wanted)
        if recall >= _WANTED_RECALL:
            return at_effort, recall, effort
    raise Unavailable(f"no effort up to {_EFFORTS[-1]} reached recall {_WANTED_RECALL}")


def _ours(rows: NDArray[np.float32], storage: str = "float32") -> HnswIndex:
    index = HnswIndex(_DIMENSIONS, "cosine", storage, m=_LINKS, ef_construction=_BUILD_EFFORT)
    index.insert(np.arange(len(rows)), rows)
    return index


def _ask_ours(index: HnswIndex, effort: int, any_tags: int | None = None) -> _Ask:
    return lambda queries: index.search_many(queries, _K, None, any_tags, 1, effort)[0]


def _hnswlib(rows: NDArray[np.float32]) -> Any | None:
    """Built, on one thread; None where it is not installed."""
    try:
        hnswlib: Any = import_module("hnswlib")
    except ImportError:
        return None
    index = hnswlib.Index("cosine", _DIMENSIONS)
    index.init_index(len(rows), M=_LINKS, ef_construction=_BUILD_EFFORT, random_seed=1)
    index.set_num_threads(1)
    index.add_items(rows, np.arange(len(rows)))
    return index


def _ask_hnswlib(index: Any, effort: int) -> _Ask:
    def ask(queries: NDArray[np.float32]) -> NDArray[np.int64]:
        index.set_ef(effort)
        found: NDArray[np.int64] = index.knn_query(queries, _K)[0].astype(np.int64)
        return found

    return ask


@case("graph.search", unit="us", peer_name="hnswlib")
def search() -> Pair:
    """The 10 nearest of 10,000 at recall .99, many queries at once; time is that of one."""
    sample = _drawn()
    index, peer = _ours(sample.rows), _hnswlib(sample.rows)
    ask, recall, effort = _quickest(sample, lambda effort: _ask_ours(index, effort))
    quality = {"recall_at_10": recall, "ef": effort}
    ask_peer = None
    if peer is not None:
        ask_peer, peer_recall, peer_effort = _quickest(sample, lambda e: _ask_hnswlib(peer, e))
        quality |= {"peer_recall_at_10": peer_recall, "peer_ef": peer_effort}
    return Pair(
        ours=lambda: ask(sample.queries),
        peer=None if ask_peer is None else lambda: ask_peer(sample.queries),
        per_call=_QUERIES,
        quality=quality,
    )


@case("graph.search_tenth", unit="us")
def search_tenth() -> Pair:
    """The 10 nearest of the tenth of 10,000 rows that has a tag."""
    sample = _drawn()
    tags = (np.arange(_ROWS) % 10 == 0).astype(np.uint64)
    index = HnswIndex(_DIMENSIONS, "cosine")
    index.insert(np.arange(_ROWS), sample.rows, tags)
    tenth = msgspec.structs.replace(sample, rows=sample.rows[::10])
    ask = _ask_ours(index, 0, any_tags=1)
    recall = recall_of(tenth, ask(sample.queries) // 10)
    return Pair(
        ours=lambda: ask(sample.queries), per_call=_QUERIES, quality={"recall_at_10": recall}
    )


@case("graph.build", unit="us", peer_name="hnswlib")
def build() -> Pair:
    """One of 2,000 rows into the graph, on one thread."""
    sample = _drawn()
    rows = sample.rows[:_BUILT_ROWS]
    return Pair(
        ours=lambda: _ours(rows),
        peer=None if _hnswlib(rows) is None else lambda: _hnswlib(rows),
        per_call=_BUILT_ROWS,
        quality={
            "recall_at_10": recall_of(sample, _ask_ours(_ours(sample.rows), 64)(sample.queries))
        },
    )


@case("graph_memory.int8", unit="MB", peer_name="hnswlib")
def memory() -> Figures:
    """10,000 rows as 8-bit codes alone; beside it what float32 and recall .99 take."""
    sample = _drawn()
    small, peer = _ours(sample.rows, "int8"), _hnswlib(sample.rows)
    large = _ours(sample.rows)
    return Figures(
        ours=small.nbytes / 1e6,
        peer=None if peer is None else peer.index_file_size() / 1e6,
        quality={
            "recall_at_10": recall_of(sample, _ask_ours(small, 96)(sample.queries)),
            "float32_mb": large.nbytes / 1e6,
            "float32_recall_at_10": recall_of(sample, _ask_ours(large, 96)(sample.queries)),
        },
    )


@case("graph_file.load", unit="ms", peer_name="hnswlib")
def load() -> Figures:
    """A saved graph of 10,000 rows, ready to search."""
    sample = _drawn()
    peer = _hnswlib(sample.rows)
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "ours", Path(folder) / "theirs"
        _ours(sample.rows).save(ours)
        seconds = time_call(lambda: HnswIndex.load(ours))
        if peer is None:
            return Figures(ours=1e3 * seconds)
        peer.save_index(str(theirs))
        make: Any = import_module("hnswlib").Index

        def load_peer() -> None:
            make("cosine", _DIMENSIONS).load_index(str(theirs))

        return Figures(ours=1e3 * seconds, peer=1e3 * time_call(load_peer))


CASES: tuple[Case, ...] = (search, search_tenth, build, memory, load)
