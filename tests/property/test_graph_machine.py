"""Random lives of a graph index beside a dict; what it finds is measured, all else has to agree."""

# ruff: noqa: A001, A002
from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from astraweave._native import HnswIndex
from astraweave._native import reference_index as reference
from astraweave.errors import InputError

DIMENSIONS = 6
ids = st.integers(-10, 300)


def vector_of(seed: int) -> np.ndarray:
    """Distinct, so that ranks are clear."""
    return np.random.default_rng(seed).standard_normal(DIMENSIONS).astype(np.float32)


class GraphMachine(RuleBasedStateMachine):
    @initialize(
        metric=st.sampled_from(["cosine", "dot", "l2"]),
        rows=st.integers(0, 250),
        threads=st.integers(1, 3),
    )
    def start(self, metric: str, rows: int, threads: int) -> None:
        self.next_seed = 0
        self.index = HnswIndex(DIMENSIONS, metric, m=6, ef_construction=60)
        self.model = reference.FlatIndex(DIMENSIONS, metric)
        self.tags: dict[int, int] = {}
        self._insert(list(range(rows)), threads)

    def _insert(self, new: list[int], threads: int = 1) -> None:
        vectors = [self._vector() for _ in new]
        tags = [abs(id) % 4 for id in new]
        rows = np.array(vectors, np.float32).reshape(-1, DIMENSIONS)
        self.index.insert(np.array(new, np.int64), rows, np.array(tags, np.uint64), threads)
        self.model.insert(np.array(new, np.int64), rows)
        self.tags |= dict(zip(new, tags, strict=True))

    def _vector(self) -> np.ndarray:
        self.next_seed += 1
        return vector_of(self.next_seed)

    @rule(new=st.lists(ids, max_size=90, unique=True), threads=st.integers(1, 3))
    def insert(self, new: list[int], threads: int) -> None:
        if set(new) & self.model.rows.keys():
            with pytest.raises(InputError):
                self.index.insert(np.array(new, np.int64), np.ones((len(new), DIMENSIONS)))
            new = [id for id in new if id not in self.model.rows]
        self._insert(new, threads)

    @rule(first=ids, count=st.integers(1, 120))
    def remove(self, first: int, count: int) -> None:
        for id in range(first, first + count):
            assert self.index.remove(id) == self.model.remove(id)
            self.tags.pop(id, None)

    @rule(first=ids, count=st.integers(1, 20))
    def update(self, first: int, count: int) -> None:
        for id in range(first, first + count):
            vector = self._vector()
            if id in self.model.rows:
                self.index.update(id, vector)
                self.model.update(id, vector)
            else:
                with pytest.raises(InputError):
                    self.index.update(id, vector)

    @rule(id=ids, tags=st.integers(0, 2**64 - 1))
    def set_tags(self, id: int, tags: int) -> None:
        if id in self.tags:
            self.index.set_tags(id, tags)
            self.tags[id] = tags

    @rule(ef=st.sampled_from([0, 1, 3]), k=st.integers(1, 12))
    def finds_its_own(self, ef: int, k: int) -> None:
        """With few candidates it walks: most rows have to be found by their own vectors."""
        some = sorted(self.model.rows)[::5]
        found = 0
        for id in some:
            got, scores = self.index.search(self.model.rows[id], k, ef=ef)
            assert len(got) == min(k, len(self.model)) == len(set(got.tolist()))
            order = scores if self.model.metric == "l2" else -scores
            assert (np.diff(order) >= 0).all()
            if self.model.metric != "dot":
                found += id in got.tolist()
        if self.model.metric != "dot":
            assert found >= len(some) * (1 if ef == 0 else 0.7) - 1

    @rule(tags=st.integers(1, 3), ef=st.sampled_from([0, 2]))
    def search_tags(self, tags: int, ef: int) -> None:
        wanted = {id for id, mine in self.tags.items() if mine & tags}
        got = set(self.index.search(self._vector(), 10, None, tags, ef)[0].tolist())
        assert got <= wanted
        assert len(got) == min(10, len(wanted))

    @rule(only=st.lists(ids, max_size=60), tags=st.none() | st.integers(1, 3))
    def search_ids(self, only: list[int], tags: int | None) -> None:
        query = self._vector()
        wanted = [id for id in only if tags is None or self.tags.get(id, 0) & tags]
        got = self.index.search(query, 8, np.array(only, np.int64), tags)[0].tolist()
        assert got == self.model.search(query, 8, np.array(wanted, np.int64))[0].tolist()

    @rule(mapped=st.booleans())
    def save_and_load(self, mapped: bool) -> None:
        data = self.index.to_bytes()
        if mapped:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "graph"
                self.index.save(path)
                self.index = HnswIndex.load(path)
        else:
            self.index = HnswIndex.from_bytes(data)
        assert self.index.to_bytes() == data

    @invariant()
    def holds_the_same(self) -> None:
        if not hasattr(self, "index"):
            return
        assert len(self.index) == len(self.model)
        assert self.index.ids().tolist() == sorted(self.model.rows)
        for id in range(-10, 300, 7):
            kept, expected = self.index.get(id), self.model.get(id)
            assert (id in self.index) == (expected is not None) == (kept is not None)
            assert self.index.tags(id) == self.tags.get(id)
            if expected is not None:
                np.testing.assert_allclose(kept, expected, atol=1e-7)
        self.index.verify()


TestGraphMachine = GraphMachine.TestCase
TestGraphMachine.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
