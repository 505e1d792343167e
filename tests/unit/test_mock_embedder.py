"""The hashing embedder: the same bits everywhere, and near where words are shared."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.embeddings import EmbeddingClient, MockEmbeddingClient
from astraweave.errors import InputError

TEXTS = [
    "",
    "hammer",
    "Where is my hammer?",
    "Привет, мир",
    "猫が好き\x00",
    "\ud800 alone",
    "🔨" * 50,
]


PINNED = 0xE58CD96C


def test_its_bits_are_pinned() -> None:
    vectors = MockEmbeddingClient(64).embed_batch(TEXTS)
    assert zlib.crc32(vectors.astype("<f4").tobytes()) == PINNED


def test_texts_that_share_words_are_near() -> None:
    embedder = MockEmbeddingClient()
    texts = [
        "Tam lost his hammer at the old mill",
        "The queen sleeps in the northern tower",
        "Mira sells apples and honey on market day",
    ]
    queries = ["where is Tam's hammer", "who sleeps in the tower", "can I buy honey or an apple"]
    scores = embedder.embed_batch(queries) @ embedder.embed_batch(texts).T
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]


@given(st.lists(st.text(alphabet=st.characters(), max_size=60), max_size=5))
def test_every_text_has_a_unit_vector_of_its_own(texts: list[str]) -> None:
    embedder = MockEmbeddingClient(32)
    assert isinstance(embedder, EmbeddingClient)
    vectors = embedder.embed_batch(texts)
    assert vectors.shape == (len(texts), 32)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for text, vector in zip(texts, vectors, strict=True):
        assert (embedder.embed(text) == vector).all()


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(InputError, match="not int"):
        MockEmbeddingClient().embed(7)
    with pytest.raises(InputError, match="list of texts"):
        MockEmbeddingClient().embed_batch("one")
    with pytest.raises(InputError, match="at least 8"):
        MockEmbeddingClient(2)
