from __future__ import annotations

from astraweave.bench.crowd import measure_crowd
from astraweave.bench.memory import measure_memory
from astraweave.embeddings import MockEmbeddingClient


def test_the_case_measures_what_it_says(tmp_path):
    figures = measure_memory(
        tmp_path, MockEmbeddingClient(16), memories=300, owners=3, questions=30, repeats=2
    )
    assert (figures.memories, figures.owners) == (300, 3)
    assert (figures.save.count, figures.load.count) == (2, 2)
    assert figures.retrieve.count == figures.embed_query.count == 30
    assert figures.found >= 0.9
    assert figures.save_bytes > 0


def test_a_crowd_adds_searches_and_forgets(tmp_path):
    figures = measure_crowd(tmp_path, owners=5, memories=30, operations=200, dimensions=16)
    assert (figures.owners, figures.memories) == (5, 150)
    counts = [each.count for each in (figures.add, figures.search, figures.forget)]
    assert sum(counts) == 200
    assert min(counts) > 0
    assert all(bar.met is not None for bar in figures.bars[:3])
