"""Lots of requests: complete, in order, bounded, resumable, behind everything else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.errors import InputError, ModelError, UsageError
from astraweave.llm import GenerationRequest, Message, ScriptedModel
from astraweave.serving import BatchInference, LlmScheduler


def ask(text: str, **fields: object) -> GenerationRequest:
    return GenerationRequest(messages=(Message("user", text),), **fields)  # type: ignore[arg-type]


def echo(request: GenerationRequest) -> str | BaseException:
    text = request.messages[-1].content
    return ModelError(text) if text == "broken" else text


@pytest.fixture
def scheduler() -> Iterator[LlmScheduler]:
    model = ScriptedModel(echo, slots=3)
    scheduler = LlmScheduler(model)
    yield scheduler
    scheduler.close()
    model.close()


@settings(max_examples=40)
@given(
    texts=st.lists(st.sampled_from(["one", "two", "broken", "bad"]), max_size=12),
    done=st.sets(st.integers(0, 11)),
    in_flight=st.integers(1, 5),
    in_order=st.booleans(),
    awaited=st.booleans(),
)
def test_every_request_has_one_result(texts, done, in_flight, in_order, awaited) -> None:
    model = ScriptedModel(echo, slots=2)
    scheduler = LlmScheduler(model)
    told: list[tuple[int, int | None]] = []
    batch = BatchInference(
        scheduler,
        in_flight=in_flight,
        in_order=in_order,
        progress=lambda count, total: told.append((count, total)),
    )
    lot = [ask(text, max_tokens=0 if text == "bad" else 9) for text in texts]

    async def read() -> list:
        return [result async for result in batch.run_async(lot, done=done)]

    results = asyncio.run(read()) if awaited else list(batch.run(lot, done=done))
    indices = [result.index for result in results]
    wanted = [index for index in range(len(texts)) if index not in done]
    assert (indices if in_order else sorted(indices)) == wanted
    for result in results:
        text = texts[result.index]
        if text == "broken":
            assert isinstance(result.error, ModelError)
        elif text == "bad":
            assert isinstance(result.error, InputError)
        else:
            assert (result.text, result.error, result.finish_reason) == (text, None, "stop")
    assert told == [(n + 1, len(wanted)) for n in range(len(wanted))]
    scheduler.close()
    assert scheduler.waiting == scheduler.running == 0
    model.close()


def test_it_reads_no_further_ahead_than_it_needs(scheduler: LlmScheduler) -> None:
    read = 0

    def endless() -> Iterator[GenerationRequest]:
        nonlocal read
        while True:
            read += 1
            yield ask("one")

    results = BatchInference(scheduler, in_flight=4).run(endless())
    for _ in range(10):
        assert next(results).text == "one"
    assert read <= 14
    results.close()  # type: ignore[attr-defined]
    assert scheduler.waiting == 0


def test_one_slow_request_holds_back_no_more_than_it_must() -> None:
    gate = threading.Event()

    def slow_first(request: GenerationRequest) -> str:
        if request.messages[-1].content == "slow":
            gate.wait(60)
        return "said"

    model = ScriptedModel(slow_first, slots=2)
    scheduler = LlmScheduler(model)
    lot = [ask("slow"), *[ask("quick")] * 5]
    results = BatchInference(scheduler, in_flight=3, in_order=False).run(lot)
    first = [next(results).index for _ in range(5)]
    gate.set()
    assert (sorted(first), next(results).index) == ([1, 2, 3, 4, 5], 0)
    scheduler.close()
    model.close()


def test_what_more_urgent_requests_drive_out_goes_in_again() -> None:
    gate = threading.Event()

    def wait(request: GenerationRequest) -> str:
        gate.wait(60)
        return request.messages[-1].content

    model = ScriptedModel(wait)
    scheduler = LlmScheduler(model, max_queue=2)
    results: list[str] = []
    batch = BatchInference(scheduler, in_flight=3)
    lot = [ask(f"{n}") for n in range(8)]
    reader = threading.Thread(
        target=lambda: results.extend(result.text for result in batch.run(lot))
    )
    reader.start()
    while scheduler.waiting < 2:
        threading.Event().wait(0.001)
    urgent = [scheduler.submit(ask("urgent"), priority="high") for _ in range(2)]
    gate.set()
    assert [ticket.result(60) for ticket in urgent] == ["urgent"] * 2
    reader.join(60)
    assert results == [f"{n}" for n in range(8)]
    scheduler.close()
    model.close()


def test_a_closed_scheduler_ends_the_lot(scheduler: LlmScheduler) -> None:
    results = BatchInference(scheduler).run([ask("one")] * 50)
    next(results)
    scheduler.close()
    with pytest.raises(UsageError, match="closed"):
        list(results)
    with pytest.raises(InputError, match="in_flight"):
        BatchInference(scheduler, in_flight=0)
