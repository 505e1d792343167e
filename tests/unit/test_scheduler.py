"""The queue in front of the model: order, deadlines, cancelling, capacity, and its journal."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping

import pytest

from astraweave.core.clock import SystemClock
from astraweave.errors import (
    CapacityError,
    DeadlineExceeded,
    InputError,
    InvalidResponse,
    ModelError,
    UsageError,
)
from astraweave.llm import ChunkStream, GenerationRequest, Message, ScriptedModel
from astraweave.observability import Telemetry
from astraweave.serving import LlmScheduler, request_digest

FOREVER = 60.0


def ask(text: str = "hello", **fields: object) -> GenerationRequest:
    return GenerationRequest(messages=(Message("user", text),), **fields)  # type: ignore[arg-type]


class Journal:
    def __init__(self) -> None:
        self.events: list[Mapping[str, object]] = []

    def record(self, kind: str, payload: Mapping[str, object]) -> None:
        assert kind == "llm"
        self.events.append(payload)


class Road:
    """A scheduler with everything that it was given."""

    def __init__(self, model: ScriptedModel, **options: object) -> None:
        self.model = model
        self.clock = SystemClock()
        self.journal = Journal()
        self.telemetry = Telemetry()
        self.scheduler = LlmScheduler(
            model,
            clock=self.clock,
            journal=self.journal,
            telemetry=self.telemetry,
            **options,  # type: ignore[arg-type]
        )

    def soon(self, seconds: float) -> float:
        return self.clock.monotonic() + seconds

    def close(self) -> None:
        self.scheduler.close()
        self.model.close()


@pytest.fixture
def road() -> Iterator:
    roads: list[Road] = []

    def build(model: ScriptedModel, **options: object) -> Road:
        roads.append(Road(model, **options))
        return roads[-1]

    yield build
    for one in roads:
        one.close()


def echo(request: GenerationRequest) -> str:
    return request.messages[-1].content


def hang_on_wait(request: GenerationRequest) -> str:
    return "one two three" if request.messages[-1].content == "wait" else "done"


def test_first_in_first_out_one_at_a_time(road) -> None:
    r = road(ScriptedModel(echo, delay=0.001))
    tickets = [r.scheduler.submit(ask(f"line {n}"), owner=f"npc{n}") for n in range(20)]
    assert [ticket.result(FOREVER) for ticket in tickets] == [f"line {n}" for n in range(20)]
    assert [q.messages[0].content for q in r.model.requests] == [f"line {n}" for n in range(20)]
    assert [q.owner for q in r.model.requests] == [f"npc{n}" for n in range(20)]
    assert [event["text"] for event in r.journal.events] == [f"line {n}" for n in range(20)]
    counters = r.telemetry.counters
    assert (counters["llm.queued"], counters["llm.started"], counters["llm.finished"]) == (20,) * 3
    spans = r.telemetry.spans()
    assert {spans[f"llm.{name}"].count for name in ("wait", "first_token", "total")} == {20}


def test_the_journal_knows_the_end_before_the_reader(road) -> None:
    r = road(ScriptedModel(["Aye."]))
    request = ask("My hammer?", owner="tam")
    ticket = r.scheduler.submit(request)
    for chunk in ticket:
        if chunk.finish_reason is not None:
            (event,) = r.journal.events
    assert event["request"] == request_digest(request)
    assert (event["owner"], event["text"], event["finish_reason"]) == ("tam", "Aye.", "stop")
    assert (event["late"], event["error"]) == (False, None)
    assert event["usage"]["completion_tokens"] == 1  # type: ignore[index]
    assert request_digest(request) != request_digest(ask("My hammer!", owner="tam"))
    assert request_digest(ask(use="quest")) == request_digest(ask())


def test_a_deadline_that_passed_in_the_queue_is_never_begun(road) -> None:
    r = road(ScriptedModel(hang_on_wait, hang_after=1))
    blocking = r.scheduler.submit(ask("wait"))
    assert next(iter(blocking)).text == "one"
    waiting = r.scheduler.submit(ask("late"), deadline=r.soon(0.02))
    with pytest.raises(DeadlineExceeded, match="not begun by its deadline"):
        waiting.result(FOREVER)
    assert not waiting.late
    blocking.cancel()
    assert r.scheduler.submit(ask("next")).result(FOREVER) == "done"
    assert [q.messages[0].content for q in r.model.requests] == ["wait", "next"]
    assert r.telemetry.counters["llm.expired"] == 1
    assert r.scheduler.waiting == 0


def test_a_deadline_in_the_past_is_refused_at_the_head_too(road) -> None:
    r = road(ScriptedModel(echo))
    with pytest.raises(DeadlineExceeded):
        r.scheduler.submit(ask(), deadline=r.soon(-1)).result(FOREVER)
    assert r.model.requests == []


@pytest.mark.parametrize("ignore_cancel", [False, True])
def test_at_its_deadline_a_running_answer_ends_with_what_came(road, ignore_cancel) -> None:
    r = road(ScriptedModel(hang_on_wait, hang_after=1, ignore_cancel=ignore_cancel))
    ticket = r.scheduler.submit(ask("wait"), deadline=r.soon(0.1))
    assert ticket.result(FOREVER) == "one"
    assert (ticket.late, ticket.finish_reason) == (True, "cancelled")
    assert r.telemetry.counters["llm.late"] == 1
    (event,) = r.journal.events
    assert (event["text"], event["late"]) == ("one", True)
    if ignore_cancel:
        # The model is stuck: whoever comes next still gets an answer by the deadline.
        with pytest.raises(DeadlineExceeded):
            r.scheduler.submit(ask("next"), deadline=r.soon(0.02)).result(FOREVER)
        r.model.close()
    else:
        assert r.scheduler.submit(ask("next")).result(FOREVER) == "done"


def test_an_answer_in_time_is_not_late(road) -> None:
    r = road(ScriptedModel(["Aye."]))
    ticket = r.scheduler.submit(ask(), deadline=r.soon(FOREVER))
    assert (ticket.result(FOREVER), ticket.late) == ("Aye.", False)


def test_cancel_while_waiting_running_and_done(road) -> None:
    r = road(ScriptedModel(hang_on_wait, hang_after=1))
    running = r.scheduler.submit(ask("wait"))
    waiting = r.scheduler.submit(ask("never"))
    assert next(iter(running)).text == "one"
    assert (running.state, waiting.state) == ("running", "waiting")
    waiting.cancel()
    assert (waiting.result(0), waiting.finish_reason) == ("", "cancelled")
    running.cancel()
    assert (running.result(0), running.finish_reason) == ("one", "cancelled")
    done = r.scheduler.submit(ask("x"))
    assert done.result(FOREVER) == "done"
    done.cancel()
    assert (done.finish_reason, done.state) == ("stop", "done")
    assert [q.messages[0].content for q in r.model.requests] == ["wait", "x"]
    assert r.telemetry.counters["llm.cancelled"] == 2
    assert [event["finish_reason"] for event in r.journal.events] == [
        "cancelled",
        "cancelled",
        "stop",
    ]


def test_the_queue_is_bounded(road) -> None:
    r = road(ScriptedModel(hang_on_wait, hang_after=1), max_queue=2)
    running = r.scheduler.submit(ask("wait"))
    next(iter(running))
    tickets = [r.scheduler.submit(ask(str(n))) for n in range(2)]
    with pytest.raises(CapacityError, match="2 requests wait") as caught:
        r.scheduler.submit(ask("one too many"))
    assert caught.value.details == {"waiting": 2, "max_queue": 2}
    assert r.telemetry.counters["llm.rejected"] == 1
    tickets[0].cancel()
    tickets.append(r.scheduler.submit(ask("fits again")))
    running.cancel()
    assert [ticket.result(FOREVER) for ticket in tickets[1:]] == ["done", "done"]


def test_what_the_model_raises_passes_through(road) -> None:
    r = road(ScriptedModel([ModelError("weights are damaged"), "fine"]))
    with pytest.raises(ModelError, match="weights are damaged"):
        r.scheduler.submit(ask()).result(FOREVER)
    with pytest.raises(InputError, match="max_tokens"):
        r.scheduler.submit(ask(max_tokens=0)).result(FOREVER)
    assert r.scheduler.submit(ask()).result(FOREVER) == "fine"
    assert r.telemetry.counters["llm.failed"] == 2
    assert r.journal.events[0]["error"] == "ModelError: weights are damaged"


def test_an_answer_without_an_end_is_an_error(road) -> None:
    class Endless(ScriptedModel):
        def generate(self, request: GenerationRequest):  # type: ignore[no-untyped-def]
            return ()

    r = road(Endless(["x"]))
    with pytest.raises(InvalidResponse, match="no end"):
        r.scheduler.submit(ask()).result(FOREVER)


def test_what_cannot_be_written_down_is_not_an_answer(road) -> None:
    r = road(ScriptedModel(["Aye."]))

    def full(kind: str, payload: object) -> None:
        raise CapacityError("the disk is full")

    r.journal.record = full
    for _ in range(2):
        with pytest.raises(CapacityError, match="disk is full"):
            r.scheduler.submit(ask()).result(FOREVER)


def test_close_ends_what_waits_and_what_runs(road) -> None:
    r = road(ScriptedModel(hang_on_wait, hang_after=1))
    tickets = [r.scheduler.submit(ask("wait"), deadline=r.soon(FOREVER)) for _ in range(3)]
    next(iter(tickets[0]))
    readers = [threading.Thread(target=ticket.result) for ticket in tickets]
    for reader in readers:
        reader.start()
    r.scheduler.close()
    r.scheduler.close()
    for reader in readers:
        reader.join(FOREVER)
    assert [ticket.finish_reason for ticket in tickets] == ["cancelled"] * 3
    assert [ticket.text for ticket in tickets] == ["one", "", ""]
    with pytest.raises(UsageError, match="closed"):
        r.scheduler.submit(ask())
    left = {thread.name for thread in threading.enumerate()}
    assert not left & {"astraweave-llm", "astraweave-deadlines"}


def test_close_does_not_wait_for_ever_for_a_stuck_model(road) -> None:
    r = road(ScriptedModel(["one two"], hang_after=1, ignore_cancel=True))
    ticket = r.scheduler.submit(ask())
    next(iter(ticket))
    r.scheduler.close(timeout=0.05)
    assert ticket.finish_reason == "cancelled"
    r.model.close()


def test_several_run_at_once_where_allowed(road) -> None:
    together = threading.Barrier(3)

    def meet(request: GenerationRequest) -> str:
        together.wait(FOREVER)
        return "met"

    r = road(ScriptedModel(meet), concurrency=3)
    tickets = [r.scheduler.submit(ask()) for _ in range(3)]
    assert [ticket.result(FOREVER) for ticket in tickets] == ["met"] * 3


def test_a_ticket_is_awaited_chunk_by_chunk(road) -> None:
    r = road(ScriptedModel(["one two three"], delay=0.001))

    async def read() -> list[str]:
        ticket = r.scheduler.submit(ask(), deadline=r.soon(FOREVER))
        return [chunk.text async for chunk in ticket]

    assert asyncio.run(read()) == ["one", " two", " three", ""]


def test_submitting_from_many_threads_loses_nothing(road) -> None:
    r = road(ScriptedModel(echo), max_queue=1000, concurrency=4)
    results: dict[str, str] = {}

    def run(thread: int) -> None:
        tickets = {f"{thread}/{n}": r.scheduler.submit(ask(f"{thread}/{n}")) for n in range(30)}
        for name, ticket in tickets.items():
            if name.endswith("7"):
                ticket.cancel()
            results[name] = ticket.result(FOREVER)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(r.journal.events) == 180
    assert all(text in (name, "") for name, text in results.items())
    assert all(results[name] == name for name in results if not name.endswith("7"))


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="not 0, 1 and None"):
        LlmScheduler(ScriptedModel(["x"]), max_queue=0)


def test_a_ticket_is_a_generation(road) -> None:
    r = road(ScriptedModel(["x"]))
    ticket = r.scheduler.submit(ask(owner="tam"))
    assert isinstance(ticket, ChunkStream)
    assert ticket.owner == "tam"
    assert ticket.result(FOREVER) == "x"


def test_what_is_not_recorded_is_answered_all_the_same(road) -> None:
    one = road(ScriptedModel(["warm", "said"]))
    request = GenerationRequest(messages=(Message("user", "x"),))
    assert one.scheduler.submit(request, recorded=False).result(5) == "warm"
    assert one.scheduler.submit(request).result(5) == "said"
    assert [event["text"] for event in one.journal.events] == ["said"]


def test_a_request_that_begins_as_it_expires_leaves_the_model_idle(road) -> None:
    one = road(ScriptedModel(["a long story " * 50, "said"], delay=0.2))
    request = GenerationRequest(messages=(Message("user", "x"),))
    ticket = one.scheduler.submit(request)
    while ticket._run.generation is None:
        threading.Event().wait(0.001)
    one.scheduler._expire(ticket, begun=False)  # as the deadline's thread saw it just before
    with pytest.raises(DeadlineExceeded):
        ticket.result(5)
    assert one.scheduler.submit(request).result(5) == "said"


class Punctual(ScriptedModel):
    """Writes down by when it is asked to answer, and can give an answer up by itself."""

    takes_deadline = True

    def __init__(self, *script: object, **options: object) -> None:
        super().__init__(*script, **options)  # type: ignore[arg-type]
        self.deadlines: list[float | None] = []

    def generate(  # type: ignore[override]
        self, request: GenerationRequest, *, deadline: float | None = None
    ) -> ChunkStream:
        self.deadlines.append(deadline)
        return super().generate(request)


def test_a_model_that_takes_deadlines_is_told_the_last_one_of_a_run(road) -> None:
    r = road(Punctual(echo, delay=0.05))
    soon, later = r.soon(20.0), r.soon(30.0)
    first = r.scheduler.submit(ask("first"))
    shared = [
        r.scheduler.submit(ask("shared"), deadline=when, coalesce=True) for when in (later, soon)
    ]
    assert [ticket.result(FOREVER) for ticket in (first, *shared)] == ["first", "shared", "shared"]
    assert r.model.deadlines == [None, later]


def test_nobody_joins_a_run_that_its_model_ends_too_early(road) -> None:
    r = road(Punctual(echo, delay=0.05), concurrency=2)
    soon, later = r.soon(20.0), r.soon(30.0)
    tickets = [
        r.scheduler.submit(ask("the same"), deadline=when, coalesce=True)
        for when in (soon, soon, later)
    ]
    assert [ticket.result(FOREVER) for ticket in tickets] == ["the same"] * 3
    assert sorted(r.model.deadlines) == [soon, later]


def test_an_answer_that_its_model_gave_up_at_the_deadline_is_late_and_no_failure(road) -> None:
    class GivesUp(Punctual):
        def generate(  # type: ignore[override]
            self, request: GenerationRequest, *, deadline: float | None = None
        ) -> ChunkStream:
            assert deadline is not None
            while r.clock.monotonic() < deadline:
                pass
            raise DeadlineExceeded("too late")

    r = road(GivesUp(["never"]))
    ticket = r.scheduler.submit(ask(), deadline=r.soon(0.02))
    assert ticket.result(FOREVER) == ""
    assert ticket.late
