"""The client against a real server: llama.cpp's, which serves the GGUF of our default model.

``ASTRAWEAVE_LLAMA_SERVER`` names the program (`.ci/llama-server` builds it) and
``ASTRAWEAVE_LLAMA_GGUF`` the model; without them these tests are skipped.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("aiohttp")

from astraweave.bench.llama_server import LlamaServer
from astraweave.embeddings import OpenAIEmbedder
from astraweave.errors import CapacityError, ConfigError, InputError, ModelUnavailable
from astraweave.llm import (
    Choice,
    GenerationRequest,
    JsonSchema,
    Message,
    OpenAILanguageModel,
    Regex,
    SamplingParams,
    Tool,
)

BINARY, GGUF = (
    os.environ.get(name, "") for name in ("ASTRAWEAVE_LLAMA_SERVER", "ASTRAWEAVE_LLAMA_GGUF")
)
pytestmark = pytest.mark.skipif(
    not (BINARY and GGUF),
    reason="ASTRAWEAVE_LLAMA_SERVER and ASTRAWEAVE_LLAMA_GGUF name no server and no model",
)
KEY = "a-key-of-this-test"
PATTERNS = (
    r"(yes|no), \d{1,3} gold( coins)?",
    r"[A-Z][a-z]{2,8}(?: the \w{3,9})?!",
    r"\[[^\]\n-]{1,9}\]",
)
QUEST = {
    "type": "object",
    "properties": {
        "target": {"type": "string", "enum": ["wolf", "bear"]},
        "gold": {"type": "integer", "minimum": 1, "maximum": 99},
    },
    "required": ["target", "gold"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    options = ("--api-key", KEY)
    with LlamaServer(BINARY, GGUF, parallel=2, context=1024, threads=1, options=options) as server:
        yield server


@pytest.fixture(scope="module")
def model(server: LlamaServer) -> Iterator[OpenAILanguageModel]:
    with OpenAILanguageModel(server.url, api_key=KEY) as model:
        model.connect()
        yield model


def ask(text: str, **values: object) -> GenerationRequest:
    messages = (Message("system", "You are Tam, a smith."), Message("user", text))
    return GenerationRequest(messages=messages, **{"max_tokens": 24, **values})  # type: ignore[arg-type]


GREEDY = SamplingParams(temperature=0.0, seed=1)


def test_it_says_what_it_is(model: OpenAILanguageModel) -> None:
    assert model.info.id == Path(GGUF).name
    assert model.info.context_tokens == 1024
    assert model.counting == "server"


def test_a_chat_is_streamed_and_counted(model: OpenAILanguageModel) -> None:
    request = ask("How is the forge?", sampling=GREEDY)
    chunks = list(model.generate(request))
    assert len(chunks) > 5
    last = chunks[-1]
    assert last.finish_reason in ("stop", "length")
    assert last.usage is not None
    assert not last.usage.estimated
    assert last.usage.prompt_tokens == model.count_messages(request.messages)
    assert 0 < last.usage.first_token_ms <= last.usage.total_ms
    again = model.generate(request)
    assert again.result(60) == "".join(chunk.text for chunk in chunks)
    assert again.usage.reused_tokens > 0  # type: ignore[attr-defined]


def test_it_counts_as_our_own_tokenizer_does(model: OpenAILanguageModel) -> None:
    assert model.count("") == 0
    assert model.count("Hello") == 1
    assert model.count("<|im_start|>") > 1  # text is text


def test_an_answer_goes_on_from_its_beginning(model: OpenAILanguageModel) -> None:
    text = model.generate(ask("How is it?", prefix="Aye, the forge is", sampling=GREEDY)).result(60)
    assert text
    assert not text.startswith("Aye, the forge is")


@pytest.mark.parametrize("seed", range(3))
def test_answers_keep_to_what_they_are_held_to(model: OpenAILanguageModel, seed: int) -> None:
    sampling = SamplingParams(temperature=1.5, seed=seed)
    quest = ask("A quest!", constraint=JsonSchema(schema=QUEST), max_tokens=100, sampling=sampling)
    found = json.loads(model.generate(quest).result(60))
    assert found["target"] in ("wolf", "bear")
    options = ("yes, it is", 'no "way", say\nI', "vielleicht, é")
    choice = ask("Is it warm?", constraint=Choice(options=options), sampling=sampling)
    assert model.generate(choice).result(60) in options
    for pattern in PATTERNS:
        regex = ask("How much?", constraint=Regex(pattern=pattern), sampling=sampling)
        assert re.fullmatch(pattern, model.generate(regex).result(60))


def test_a_tool_is_called_if_the_model_can(model: OpenAILanguageModel) -> None:
    tool = Tool(name="give", description="Give gold.", parameters=QUEST)
    answer = model.generate(ask("Give three gold.", tools=(tool,), max_tokens=40))
    answer.result(60)  # this model cannot: what counts is that the server takes them
    for call in answer.tool_calls:  # type: ignore[attr-defined]
        assert call.name == "give"


def test_stop_strings_end_it(model: OpenAILanguageModel) -> None:
    answer = model.generate(ask("Say a sentence.", stop=(" ",), sampling=GREEDY))
    assert " " not in answer.result(60)
    assert answer.finish_reason == "stop"  # type: ignore[attr-defined]


def test_cancelling_frees_the_slot(model: OpenAILanguageModel) -> None:
    running = [model.generate(ask("A long story.", max_tokens=900)) for _ in range(4)]
    next(iter(running[0]))
    for each in running:
        each.cancel()
    assert {list(each)[-1].finish_reason for each in running} == {"cancelled"}
    assert model.generate(ask("Hello.", max_tokens=2)).result(20) is not None


def test_many_at_once(model: OpenAILanguageModel) -> None:
    answers = [model.generate(ask(f"Number {n}?", max_tokens=3)) for n in range(12)]
    assert all(isinstance(answer.result(60), str) for answer in answers)
    assert threading.active_count() < 10


def test_a_prompt_that_is_too_long_is_said_to_be(model: OpenAILanguageModel) -> None:
    with pytest.raises(CapacityError, match="too long"):
        model.generate(ask("word " * 3000)).result(60)


def test_a_schema_that_the_server_cannot_read_is_our_error(model: OpenAILanguageModel) -> None:
    with pytest.raises((InputError, ModelUnavailable)):
        model.generate(ask("?", constraint=JsonSchema(schema={"type": "nonsense"}))).result(60)


def test_a_wrong_key_is_said_and_not_shown(server: LlamaServer) -> None:
    for dialect in ("auto", "llama.cpp"):
        with OpenAILanguageModel(server.url, api_key="wrong-key", dialect=dialect) as model:
            with pytest.raises(ConfigError, match="does not accept the key") as caught:
                model.generate(ask("Hello?")).result(20)
            assert "wrong-key" not in str(caught.value)


def test_vectors_come_from_a_server_too() -> None:
    options = ("--embeddings", "--pooling", "mean")
    texts = [f"word {n}" for n in range(20)]
    with (
        LlamaServer(BINARY, GGUF, parallel=2, context=512, threads=1, options=options) as server,
        OpenAIEmbedder(server.url, "m", batch_size=6) as embedder,
    ):
        assert embedder.dimensions == 576
        vectors = embedder.embed_batch(texts)
        assert vectors.shape == (20, 576)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
        alone = np.stack([embedder.embed(text) for text in texts])
        assert (vectors @ alone.T).argmax(axis=1).tolist() == list(range(20))
