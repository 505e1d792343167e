"""The graph index beside the readable reference: both have to find as much of the truth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from astraweave import _native
from astraweave._native import reference_graph


@pytest.fixture(params=_native.simd_tiers())
def tier(request: pytest.FixtureRequest):
    before = _native.simd_tier()
    _native.force_simd_tier(request.param)
    yield request.param
    _native.force_simd_tier(before)


DIMENSIONS = 20
ROWS, QUERIES, K = 600, 60, 10


def drawn(metric: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(5)
    topics = rng.standard_normal((40, DIMENSIONS))
    points = topics[rng.integers(len(topics), size=ROWS + QUERIES)]
    points = points + 0.8 * rng.standard_normal(points.shape)
    if metric == "dot":
        points *= rng.uniform(0.7, 1.3, (len(points), 1))
    return points[:ROWS].astype(np.float32), points[ROWS:].astype(np.float32)


def recall(found: list[list[int]], expected: list[list[int]]) -> float:
    same = sum(len(set(a) & set(b)) for a, b in zip(found, expected, strict=True))
    return same / sum(map(len, expected))


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_finds_as_much_as_the_reference(tier: str, metric: str) -> None:
    rows, queries = drawn(metric)
    options = {"m": 6, "ef_construction": 40, "seed": 3}
    native = _native.HnswIndex(DIMENSIONS, metric, **options)
    readable = reference_graph.HnswIndex(DIMENSIONS, metric, **options)
    ids = np.arange(ROWS) * 7
    native.insert(ids, rows)
    readable.insert(ids, rows)
    for id_ in ids[:100].tolist():
        assert native.remove(id_)
        assert readable.remove(id_)
    assert native.ids().tolist() == ids[100:].tolist()
    expected = [readable.search(query, K)[0].tolist() for query in queries]
    # Few candidates, or there would be a scan in place of the walk.
    ef = 8 if metric == "dot" else 6
    ours = recall(
        [native.search(q, 5, ef=ef)[0].tolist() for q in queries], [e[:5] for e in expected]
    )
    theirs = recall([readable.search_graph(q, 5, ef) for q in queries], [e[:5] for e in expected])
    assert ours >= theirs - 0.05
    assert theirs > 0.5
    native.verify()


def test_scores_are_those_of_the_exact_index(tier: str) -> None:
    rows, queries = drawn("l2")
    for storage in ("float32", "float16", "int8"):
        graph = _native.HnswIndex(DIMENSIONS, "l2", storage)
        exact = _native.FlatIndex(DIMENSIONS, "l2", storage)
        for index in (graph, exact):
            index.insert(np.arange(ROWS), rows)
        for query in queries[:10]:
            ids, scores = graph.search(query, K)
            np.testing.assert_allclose(scores, exact.scores(query, ids), rtol=1e-5)
            np.testing.assert_array_equal(graph.scores(query, ids), scores)
