"""Random lives of a vector store beside the readable reference."""

# ruff: noqa: A001, A002
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from astraweave._native import reference_index as reference
from astraweave.embeddings import VectorStore
from astraweave.errors import InputError

DIMENSIONS = 5
# Small whole numbers: float32 holds every product and sum exactly, so ties are real ties.
vectors = st.lists(st.integers(-3, 3), min_size=DIMENSIONS, max_size=DIMENSIONS)
ids = st.integers(-4, 24)


class StoreMachine(RuleBasedStateMachine):
    @initialize(metric=st.sampled_from(["cosine", "dot", "l2"]))
    def start(self, metric: str) -> None:
        self.metric = metric
        self.store = VectorStore(DIMENSIONS, metric)
        self.model = reference.FlatIndex(DIMENSIONS, metric)

    def both(self, native, model) -> object:
        """Run both; they raise alike, or answer alike."""
        try:
            expected = model()
        except InputError:
            with pytest.raises(InputError):
                native()
            return None
        result = native()
        assert result == expected
        return result

    @rule(id=ids, vector=vectors)
    def insert(self, id: int, vector: list[int]) -> None:
        self.both(lambda: self.store.insert(id, vector), lambda: self.model.insert([id], [vector]))

    @rule(batch=st.lists(st.tuples(ids, vectors), max_size=8))
    def insert_many(self, batch: list[tuple[int, list[int]]]) -> None:
        new_ids = [id for id, _ in batch]
        rows = np.array([row for _, row in batch], np.float32).reshape(-1, DIMENSIONS)
        self.both(
            lambda: self.store.insert_many(new_ids, rows), lambda: self.model.insert(new_ids, rows)
        )

    @rule(id=ids, vector=vectors)
    def update(self, id: int, vector: list[int]) -> None:
        self.both(lambda: self.store.update(id, vector), lambda: self.model.update(id, vector))

    @rule(id=ids)
    def delete(self, id: int) -> None:
        self.both(lambda: self.store.delete(id), lambda: self.model.remove(id))

    @rule(query=vectors, k=st.integers(1, 30), where=st.none() | st.lists(ids, max_size=20))
    def search(self, query: list[int], k: int, where: list[int] | None) -> None:
        if self.metric == "cosine" and not any(query):
            with pytest.raises(InputError, match="zeros"):
                self.store.search(query, k)
            return
        hits = self.store.search(query, k, where=where)
        expected_ids, expected_scores = self.model.search(query, k, where)
        np.testing.assert_allclose([hit.score for hit in hits], expected_scores, atol=1e-6)
        if self.metric != "cosine":  # there the scores are rounded, and near ties may swap
            assert [hit.id for hit in hits] == expected_ids.tolist()
        scores = self.model.scores(self.model._stored(np.array(query, np.float32)))
        for hit in hits:
            assert hit.score == pytest.approx(scores[hit.id], abs=1e-6)
        assert len({hit.id for hit in hits}) == len(expected_ids)
        if where is not None:
            assert {hit.id for hit in hits} <= set(where)

    @rule()
    def save_and_load(self) -> None:
        data = self.store.to_bytes()
        self.store = VectorStore.from_bytes(data)
        assert self.store.to_bytes() == data

    @invariant()
    def holds_the_same(self) -> None:
        if not hasattr(self, "store"):
            return
        assert len(self.store) == len(self.model)
        assert self.store.ids().tolist() == sorted(self.model.rows)
        for id in range(-4, 25):
            kept, expected = self.store.get(id), self.model.get(id)
            assert (id in self.store) == (expected is not None) == (kept is not None)
            if expected is not None:
                np.testing.assert_allclose(kept, expected, atol=1e-7)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
