"""Vectors from a server, in the order of the texts and as they should be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("aiohttp")

from astraweave.bench import _fault_answers as answers
from astraweave.bench.fault_server import FaultServer
from astraweave.embeddings import EmbeddingClient, MockEmbeddingClient, OpenAIEmbedder
from astraweave.errors import ConfigError, InputError, InvalidResponse, UsageError

TEXTS = [f"line {n} of the song" for n in range(23)]


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def embedder(server: FaultServer) -> Iterator[OpenAIEmbedder]:
    with OpenAIEmbedder(server.url, "vectors", batch_size=5) as embedder:
        yield embedder


def test_it_is_a_client_like_the_others(embedder: OpenAIEmbedder) -> None:
    assert isinstance(embedder, EmbeddingClient)
    assert embedder.dimensions == 64
    assert embedder.model_info.id == "vectors"
    assert not embedder.model_info.exact


def test_batches_come_back_in_the_order_of_the_texts(
    embedder: OpenAIEmbedder, server: FaultServer
) -> None:
    before = len(server.requests)
    vectors = embedder.embed_batch(TEXTS)
    sizes = sorted(len(each["input"]) for each in server.requests[before:])
    assert sizes == [3, 5, 5, 5, 5]
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, MockEmbeddingClient(64).embed_batch(TEXTS), atol=1e-6)
    np.testing.assert_array_equal(vectors[7], embedder.embed(TEXTS[7]))


def test_nothing_gives_nothing(embedder: OpenAIEmbedder) -> None:
    assert embedder.embed_batch([]).shape == (0, 64)


def test_texts_must_be_texts(embedder: OpenAIEmbedder) -> None:
    for wrong in (5, None, b"x"):
        with pytest.raises(InputError, match="a text is needed"):
            embedder.embed(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="takes a list"):
        embedder.embed_batch("abc")
    with pytest.raises(InputError, match="half a surrogate pair"):
        embedder.embed("\ud800")


def test_many_threads_ask_at_once(embedder: OpenAIEmbedder) -> None:
    expected = MockEmbeddingClient(64).embed_batch(TEXTS)
    wrong: list[int] = []

    def ask(number: int) -> None:
        for _ in range(5):
            if not np.allclose(embedder.embed(TEXTS[number]), expected[number], atol=1e-6):
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert wrong == []


def test_other_dimensions_than_agreed_are_refused(server: FaultServer) -> None:
    with OpenAIEmbedder(server.url, "m", dimensions=32) as embedder:
        with pytest.raises(InvalidResponse, match="vectors of 32 dimensions were expected"):
            embedder.embed("a")
        assert embedder.dimensions == 32


@pytest.mark.parametrize(
    "told",
    [
        [],
        [{"index": 1, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": []}],
        [{"index": 0, "embedding": [0.0, 0.0]}],
        [{"index": 0, "embedding": ["a"]}],
    ],
)
def test_vectors_that_are_none_are_refused(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch, told: list[Any]
) -> None:
    import msgspec

    body = msgspec.json.encode({"data": told})
    monkeypatch.setattr(answers, "vectors", lambda *_: body)
    with OpenAIEmbedder(server.url, "m") as embedder, pytest.raises(InvalidResponse):
        embedder.embed("a")


def test_the_largest_numbers_have_a_direction_too(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b'{"data": [{"index": 0, "embedding": [1e300, 1e300]}]}'
    monkeypatch.setattr(answers, "vectors", lambda *_: body)
    with OpenAIEmbedder(server.url, "m") as embedder:
        np.testing.assert_allclose(embedder.embed("a"), [0.5**0.5, 0.5**0.5])


def test_a_closed_one_says_so(server: FaultServer) -> None:
    embedder = OpenAIEmbedder(server.url, "m")
    embedder.close()
    embedder.close()
    with pytest.raises(UsageError, match="closed"):
        embedder.embed("a")


@pytest.mark.parametrize("wrong", [{"dimensions": -1}, {"batch_size": 0}, {"ask_dimensions": True}])
def test_impossible_numbers_are_refused(server: FaultServer, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        OpenAIEmbedder(server.url, "m", **wrong)
