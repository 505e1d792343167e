"""Words that mean the same, by lexicon and by embedding."""

from __future__ import annotations

import numpy as np
import pytest

from astraweave.dialogue import Similarity
from astraweave.embeddings.protocol import EmbedderInfo


class Everything:
    """An embedder to which all words are alike, and which counts."""

    dimensions = 2
    model_info = EmbedderInfo(id="alike", dimensions=2, max_tokens=8)

    def __init__(self):
        self.asked = []

    def embed(self, text):
        self.asked.append(text)
        return np.array([1.0, 0.0], dtype=np.float32)

    def embed_batch(self, texts):
        return np.stack([self.embed(text) for text in texts])


@pytest.mark.parametrize(
    ("left", "right"),
    [("stole", "robbed"), ("geese", "goose"), ("animal", "geese"), ("hidden", "buried")],
)
def test_lexicon_knows(left, right):
    assert Similarity().near(left, right) == 1.0


@pytest.mark.parametrize(
    ("left", "right"), [("sister", "brother"), ("gold", "silver"), ("goat", "sheep")]
)
def test_known_words_are_never_left_to_the_embedder(left, right):
    embedder = Everything()
    assert Similarity(embedder).near(left, right) == 0.0
    assert not embedder.asked


def test_unknown_words_are_embedded_within_the_budget():
    embedder = Everything()
    similarity = Similarity(embedder, budget=2)
    assert similarity.near("gizmo", "widget") > 0
    assert similarity.near("gizmo", "doohickey") == 0.0
    similarity.begin()
    assert similarity.near("gizmo", "doohickey") > 0
    assert embedder.asked == ["gizmo", "widget", "doohickey"]
