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
tags = st.sampled_from([0, 1, 2, 3, 2**63])


class StoreMachine(RuleBasedStateMachine):
    @initialize(
        metric=st.sampled_from(["cosine", "dot", "l2"]),
        storage=st.sampled_from(["float32", "float16", "int8"]),
    )
    def start(self, metric: str, storage: str) -> None:
        self.metric = metric
        # Elsewhere the scores are rounded, and near ties may swap.
        self.is_exact = metric != "cosine" and storage != "int8"
        self.store = VectorStore(DIMENSIONS, metric, storage=storage)
        self.model = reference.FlatIndex(DIMENSIONS, metric, storage)

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

    @rule(id=ids, vector=vectors, tags=tags)
    def insert(self, id: int, vector: list[int], tags: int) -> None:
        self.both(
            lambda: self.store.insert(id, vector, tags=tags),
            lambda: self.model.insert([id], [vector], [tags]),
        )

    @rule(batch=st.lists(st.tuples(ids, vectors), max_size=8))
    def insert_many(self, batch: list[tuple[int, list[int]]]) -> None:
        new_ids = [id for id, _ in batch]
        rows = np.array([row for _, row in batch], np.float32).reshape(-1, DIMENSIONS)
        self.both(
            lambda: self.store.insert_many(new_ids, rows), lambda: self.model.insert(new_ids, rows)
        )

    @rule(id=ids, vector=vectors, tags=st.none() | tags)
    def update(self, id: int, vector: list[int], tags: int | None) -> None:
        self.both(
            lambda: self.store.update(id, vector, tags=tags),
            lambda: self.model.update(id, vector, tags),
        )

    @rule(id=ids, tags=tags)
    def set_tags(self, id: int, tags: int) -> None:
        self.both(lambda: self.store.set_tags(id, tags), lambda: self.model.set_tags(id, tags))

    @rule(id=ids)
    def delete(self, id: int) -> None:
        self.both(lambda: self.store.delete(id), lambda: self.model.remove(id))

    @rule(
        query=vectors,
        k=st.integers(1, 30),
        where=st.none() | st.lists(ids, max_size=20),
        any_tags=st.none() | tags,
    )
    def search(
        self, query: list[int], k: int, where: list[int] | None, any_tags: int | None
    ) -> None:
        if self.metric == "cosine" and not any(query):
            with pytest.raises(InputError, match="zeros"):
                self.store.search(query, k)
            return
        hits = self.store.search(query, k, where=where, any_tags=any_tags)
        expected_ids, expected_scores = self.model.search(query, k, where, any_tags)
        np.testing.assert_allclose([hit.score for hit in hits], expected_scores, atol=2e-6)
        if self.is_exact:
            assert [hit.id for hit in hits] == expected_ids.tolist()
        found = [hit.id for hit in hits]
        scores = self.store.scores(query, found).tolist()
        assert scores == [hit.score for hit in hits]
        np.testing.assert_allclose(scores, self.model.scores(query, found), atol=2e-6)
        assert len(set(found)) == len(expected_ids)
        assert all(any_tags is None or self.model.tags(id) & any_tags for id in found)
        if where is not None:
            assert set(found) <= set(where)
        many, _ = self.store.search_many([query, query], k, where=where, any_tags=any_tags)
        assert many.tolist() == [found, found]

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
            assert self.store.tags(id) == self.model.tags(id)
            if expected is not None:
                np.testing.assert_allclose(kept, expected, atol=1e-7)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
