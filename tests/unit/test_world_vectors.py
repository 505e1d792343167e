"""Vectors that are known by heart are those that the embedder gave."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from astraweave.embeddings import EmbedderInfo, MockEmbeddingClient
from astraweave.world._vectors import RecentVectors


class Counting(MockEmbeddingClient):
    """Counts the texts that it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    @property
    def model_info(self) -> EmbedderInfo:
        return super().model_info

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        return super().embed_batch(texts)

    def embed(self, text: str) -> NDArray[np.float32]:
        self.asked.append(text)
        return super().embed(text)


def test_a_text_is_embedded_once() -> None:
    embedder = Counting()
    recent = RecentVectors(embedder)
    first = recent.embed("My sister lost a ring.")
    again = recent.embed("My sister lost a ring.")
    (alone,) = recent.embed_batch(["My sister lost a ring."])
    assert embedder.asked == ["My sister lost a ring."]
    assert np.array_equal(first, MockEmbeddingClient().embed("My sister lost a ring."))
    assert np.array_equal(first, again)
    assert np.array_equal(first, alone)
    assert not first.flags.writeable


def test_old_texts_are_forgotten_and_batches_are_not_kept() -> None:
    embedder = Counting()
    recent = RecentVectors(embedder)
    recent.embed("the first")
    for number in range(64):
        recent.embed(f"line {number}")
    recent.embed("the first")
    assert embedder.asked.count("the first") == 2
    recent.embed_batch(["two", "three"])
    recent.embed("two")
    assert embedder.asked[-3:] == ["two", "three", "two"]


def test_it_says_what_the_embedder_says() -> None:
    embedder = MockEmbeddingClient(64)
    recent = RecentVectors(embedder)
    assert recent.dimensions == 64
    assert recent.model_info == embedder.model_info
    assert recent.embed_batch([]).shape == (0, 64)
