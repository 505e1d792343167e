"""The scripted model behaves as a real one does."""

from __future__ import annotations

import asyncio

import pytest

from astraweave.errors import InputError, ModelTimeout, UsageError
from astraweave.llm import (
    GenerationRequest,
    LanguageModel,
    Message,
    SamplingParams,
    ScriptedModel,
)


def ask(text: str = "My hammer?", **fields: object) -> GenerationRequest:
    return GenerationRequest(messages=(Message("user", text),), **fields)  # type: ignore[arg-type]


@pytest.fixture
def model():
    model = ScriptedModel(["Aye, I have it here."])
    yield model
    model.close()


def test_it_is_a_language_model(model: ScriptedModel) -> None:
    assert isinstance(model, LanguageModel)
    assert model.info.id == "scripted"
    assert model.count("Aye, I have it here.") == 5
    assert model.count_messages([Message("user", "one two")]) == 2 + 4 + 3


def test_tokens_arrive_one_by_one(model: ScriptedModel) -> None:
    chunks = list(model.generate(ask()))
    assert [chunk.text for chunk in chunks] == ["Aye,", " I", " have", " it", " here.", ""]
    usage = chunks[-1].usage
    assert chunks[-1].finish_reason == "stop"
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (9, 5)


def test_a_function_answers_what_was_asked() -> None:
    model = ScriptedModel(lambda request: request.messages[-1].content.upper(), tokens_per_chunk=4)
    assert model.generate(ask("my hammer, please")).result() == "MY HAMMER, PLEASE"
    assert [chunk.text for chunk in model.generate(ask("a b c d e"))] == ["A B C D", " E"]
    assert [request.messages[0].content for request in model.requests][1] == "a b c d e"
    model.close()


def test_limits_and_stops_hold(model: ScriptedModel) -> None:
    cut = model.generate(ask(max_tokens=2))
    assert (cut.result(), cut.finish_reason) == ("Aye, I", "length")
    stopped = model.generate(ask(stop=("ve it",)))
    assert (stopped.result(), stopped.finish_reason) == ("Aye, I ha", "stop")


def test_failures_are_raised_where_the_answer_is_read() -> None:
    model = ScriptedModel([ModelTimeout("slow"), "one two three"], fail_after=2)
    with pytest.raises(ModelTimeout, match="slow"):
        model.generate(ask()).result()
    broken = model.generate(ask())
    with pytest.raises(RuntimeError, match="breaks here"):
        broken.result()
    assert broken.text == "one two"
    model.close()


def test_a_hanging_answer_can_be_cancelled() -> None:
    model = ScriptedModel(["one two three"], hang_after=1)
    hanging = model.generate(ask())
    assert next(iter(hanging)).text == "one"
    hanging.cancel()
    assert (hanging.result(5), hanging.finish_reason) == ("one", "cancelled")
    model.close()


@pytest.mark.parametrize("ignore_cancel", [False, True])
def test_close_ends_everything(ignore_cancel: bool) -> None:
    model = ScriptedModel(["one two"], delay=60, ignore_cancel=ignore_cancel)
    running = model.generate(ask())
    if ignore_cancel:
        running.cancel()
    model.close()
    model.close()
    assert running.finish_reason == "cancelled"
    with pytest.raises(UsageError, match="closed"):
        model.generate(ask())


def test_it_can_be_awaited(model: ScriptedModel) -> None:
    async def read() -> str:
        return "".join([chunk.text async for chunk in model.generate(ask())])

    assert asyncio.run(read()) == "Aye, I have it here."


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"max_tokens": 0}, "max_tokens must be 1 or more, not 0"),
        ({"stop": ("",)}, "stop string"),
        ({"sampling": SamplingParams(temperature=-1)}, "temperature must be from 0 to 100, not -1"),
        ({"sampling": SamplingParams(temperature=float("nan"))}, "temperature"),
        ({"sampling": SamplingParams(top_k=-1)}, "top_k must be 0 or more"),
        ({"sampling": SamplingParams(top_p=0)}, "top_p must be above 0"),
        ({"sampling": SamplingParams(min_p=1.5)}, "min_p"),
        ({"sampling": SamplingParams(repetition_penalty=0)}, "repetition_penalty"),
    ],
)
def test_impossible_requests_are_refused(model: ScriptedModel, fields, named: str) -> None:
    with pytest.raises(InputError, match=named):
        model.generate(ask(**fields))


def test_a_request_needs_messages(model: ScriptedModel) -> None:
    with pytest.raises(InputError, match="at least one message"):
        model.generate(GenerationRequest(messages=()))
