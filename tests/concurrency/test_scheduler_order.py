"""Who goes first, who goes at all, who is told what: with a model that the test plays itself."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from astraweave.errors import CapacityError, DeadlineExceeded, InputError, UsageError
from astraweave.llm import (
    PRIORITIES,
    ChunkStream,
    GenerationRequest,
    Message,
    ModelInfo,
    SamplingParams,
    Score,
    ScoreRequest,
    ScriptedModel,
)
from astraweave.observability import Telemetry
from astraweave.serving import LlmScheduler, Ticket, request_digest

FOREVER = 60.0


class HandModel:
    """Every answer is a `ChunkStream` that only the test writes; beginning it is instant."""

    def __init__(self, slots: int = 1) -> None:
        self.info = ModelInfo(id="hand", context_tokens=4096, slots=slots, instant=True)
        self.requests: list[GenerationRequest] = []
        self.streams: list[ChunkStream] = []

    def count(self, text: str) -> int:
        return len(text.split())

    def count_messages(self, messages: Sequence[Message]) -> int:
        return sum(self.count(message.content) for message in messages)

    def generate(self, request: GenerationRequest) -> ChunkStream:
        self.requests.append(request)
        self.streams.append(ChunkStream())
        return self.streams[-1]

    def close(self) -> None:
        for stream in self.streams:
            stream.finish("cancelled")

    @property
    def asked(self) -> list[str]:
        return [request.messages[-1].content for request in self.requests]

    def open(self) -> list[ChunkStream]:
        return [stream for stream in self.streams if not stream.done]

    def answer(self, text: str = "done", at: int = 0) -> None:
        stream = self.open()[at]
        stream.finish("cancelled" if stream.cancelled else "stop", text=text)


class SetClock:
    """Machine time that only the test moves; far enough from its deadlines that no thread does."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return 0.0

    def monotonic(self) -> float:
        return self.time


class Journal:
    def __init__(self) -> None:
        self.events: list[Mapping[str, object]] = []

    def record(self, kind: str, payload: Mapping[str, object]) -> None:
        self.events.append(payload)


class Road:
    def __init__(self, slots: int = 1, **options: object) -> None:
        self.model = HandModel(slots)
        self.clock = SetClock()
        self.journal = Journal()
        self.telemetry = Telemetry()
        self.scheduler = LlmScheduler(
            self.model,
            clock=self.clock,
            journal=self.journal,
            telemetry=self.telemetry,
            **options,  # type: ignore[arg-type]
        )

    def ask(self, text: str = "hello", *, owner: str = "", **options: object) -> Ticket:
        request = GenerationRequest(messages=(Message("user", text),), owner=owner)
        return self.scheduler.submit(request, **options)  # type: ignore[arg-type]

    def play(self) -> list[str]:
        """Answer until nothing is left; what was asked, in order, from the first on."""
        while self.model.open():
            self.model.answer()
        return self.model.asked

    def close(self) -> None:
        threading.Timer(0.0, self.model.close).start()
        self.scheduler.close()


@pytest.fixture
def road():
    roads: list[Road] = []

    def build(*arguments: int, **options: object) -> Road:
        roads.append(Road(*arguments, **options))
        return roads[-1]

    yield build
    for one in roads:
        one.close()


def test_the_order_is_decided_when_a_place_is_free(road) -> None:
    r = road()
    r.ask("runs")
    for priority in reversed(PRIORITIES):
        r.ask(priority, priority=priority)
    assert r.model.asked == ["runs"]  # nothing has been handed to the model ahead
    assert r.play() == ["runs", *PRIORITIES]


def test_earlier_deadlines_first_within_a_priority(road) -> None:
    r = road()
    r.ask("runs")
    for name, deadline in [("none", None), ("late", 9e5), ("soon", 1e5), ("middle", 5e5)]:
        r.ask(name, deadline=deadline)
    r.ask("urgent", priority="critical")
    assert r.play() == ["runs", "urgent", "soon", "middle", "late", "none"]


def test_one_who_asks_much_does_not_hold_up_the_others(road) -> None:
    r = road()
    r.ask("runs")
    for n in range(4):
        r.ask(f"chatty {n}", owner="chatty")
    r.ask("ann", owner="ann")
    r.ask("bob", owner="bob")
    assert r.play() == ["runs", "chatty 0", "ann", "bob", "chatty 1", "chatty 2", "chatty 3"]


def test_owners_have_a_limit_and_hold_up_nobody(road) -> None:
    r = road(4, per_owner=1)
    for n in range(3):
        r.ask(f"ann {n}", owner="ann")
    r.ask("bob", owner="bob")
    r.ask("nobody 1")
    r.ask("nobody 2")
    assert r.model.asked == ["ann 0", "bob", "nobody 1", "nobody 2"]
    assert r.scheduler.waiting == 2
    r.model.answer(at=1)  # bob's: ann has one running still
    assert r.scheduler.running == 3
    r.model.answer(at=0)
    assert r.model.asked[4:] == ["ann 1"]
    assert r.play()[5:] == ["ann 2"]


def test_a_background_request_is_started_under_a_flood_of_critical_ones(road) -> None:
    r = road(ageing_s=1.0, max_queue=10_000)
    r.ask("runs")
    r.ask("patient", priority="background")
    for n in range(100):
        r.ask(f"urgent {n}", priority="critical")
        r.ask(f"urgent {n} too", priority="critical")
        r.clock.time += 0.1
        r.model.answer()
    at = r.model.asked.index("patient")
    assert 10 <= at <= 10 + 8  # a second, and one of eight starts


def test_a_full_queue_drops_the_youngest_of_the_least_urgent(road) -> None:
    r = road(max_queue=3)
    r.ask("runs")
    first = r.ask("first", priority="background")
    second = r.ask("second", priority="background")
    low = r.ask("low", priority="low")
    with pytest.raises(CapacityError, match="3 requests wait"):
        r.ask("third", priority="background")
    r.ask("normal")
    with pytest.raises(CapacityError, match="'background'") as caught:
        second.result(0)
    assert caught.value.priority == "background"
    r.ask("high", priority="high")
    assert (first.finish_reason, low.finish_reason) == ("error", None)
    criticals = [r.ask(f"critical {n}", priority="critical") for n in range(5)]
    assert not any(ticket.done for ticket in criticals)
    with pytest.raises(CapacityError):
        r.ask("high too", priority="high")
    assert r.telemetry.counters["llm.shed"] == 5
    assert r.telemetry.counters["llm.rejected"] == 2
    assert r.play() == ["runs", *(f"critical {n}" for n in range(5))]
    assert len(r.journal.events) == 1 + 5 + 5


def test_equal_requests_share_a_run_and_leave_it_one_by_one(road) -> None:
    r = road()
    r.ask("runs")
    ann = r.ask("same", owner="ann", coalesce=True)
    bob = r.ask("same", owner="bob", coalesce=True, priority="critical")
    other = r.ask("other", priority="high")
    alone = r.ask("same", owner="cyd", coalesce=False)
    r.model.answer()
    assert r.model.asked == ["runs", "same"]  # as urgent as the most urgent of them
    dot = r.ask("same", owner="dot", coalesce=True)
    r.model.streams[1].push("one ")
    eve = r.ask("same", owner="eve", coalesce=True)
    assert eve.text == dot.text == "one "
    ann.cancel()
    assert (ann.result(0), ann.finish_reason) == ("one ", "cancelled")
    assert not r.model.streams[1].cancelled
    r.model.answer("two")
    assert [t.result(0) for t in (bob, dot, eve)] == ["one two"] * 3
    assert r.play() == ["runs", "same", "other", "same"]
    assert (other.done, alone.done) == (True, True)
    assert r.telemetry.counters["llm.coalesced"] == 3
    digests = Counter(event["request"] for event in r.journal.events)
    assert digests[request_digest(ann.request)] == 5


def test_the_last_to_leave_a_shared_run_ends_it(road) -> None:
    r = road()
    tickets = [r.ask("same", coalesce=True) for _ in range(3)]
    for ticket in tickets:
        assert not r.model.streams[0].cancelled
        ticket.cancel()
    assert r.model.streams[0].cancelled
    late = r.ask("same", coalesce=True)  # does not join what is ending
    assert late.state == "waiting"
    assert r.play() == ["same", "same"]


@pytest.mark.parametrize(
    ("sampling", "share"),
    [
        (SamplingParams(), False),
        (SamplingParams(seed=1), True),
        (SamplingParams(temperature=0), True),
    ],
)
def test_by_default_only_what_would_be_equal_anyway_is_shared(road, sampling, share) -> None:
    r = road(4)
    request = GenerationRequest(messages=(Message("user", "x"),), sampling=sampling)
    for _ in range(2):
        r.scheduler.submit(request)
    assert len(r.model.requests) == (1 if share else 2)


def test_an_answer_that_the_world_has_moved_past_is_dropped(road) -> None:
    version = 7
    r = road(world_version=lambda: version)
    open_shop = {"smith": True, "inn": True}
    running = r.ask("runs", valid_while=lambda: open_shop["smith"])
    waiting = r.ask("waits", valid_while=lambda: open_shop["inn"])
    planned = r.ask("plans", world_version=7)
    kept = r.ask("kept", world_version=8)
    r.model.streams[0].push("Aye, ")
    open_shop["smith"] = False
    r.model.streams[0].push("come in")
    assert (running.text, running.finish_reason, running.stale) == ("Aye, ", "cancelled", True)
    assert r.model.streams[0].cancelled
    open_shop["inn"] = False
    version = 8
    r.model.answer()
    assert [ticket.stale for ticket in (waiting, planned, kept)] == [True, True, False]
    assert r.play() == ["runs", "kept"]
    assert (kept.result(0), r.telemetry.counters["llm.stale"]) == ("done", 3)
    assert r.scheduler.running == r.scheduler.waiting == 0


def test_a_question_of_validity_that_fails_ends_only_its_request(road) -> None:
    r = road()
    broken = r.ask("broken", valid_while=lambda: 1 / 0 > 0)
    assert r.ask("fine").state == "running"
    with pytest.raises(ZeroDivisionError):
        broken.result(0)


def test_what_makes_no_sense_is_refused(road) -> None:
    r = road()
    with pytest.raises(InputError, match="'urgent' is no priority"):
        r.ask(priority="urgent")
    with pytest.raises(UsageError, match="world's version"):
        r.ask(world_version=3)
    with pytest.raises(UsageError, match="cannot score"):
        r.scheduler.score(ScoreRequest(messages=(), continuations=()))
    assert r.scheduler.running == r.scheduler.waiting == 0


def test_scoring_stands_in_the_same_queue() -> None:
    class Judge(ScriptedModel):
        def score(self, request: ScoreRequest):  # type: ignore[no-untyped-def]
            judge = self

            class Verdict:
                def cancel(self) -> None: ...

                def result(self, timeout: float | None = None) -> list[Score]:
                    judge.judged.append(request)
                    return [Score(logprob=-len(c), tokens=1) for c in request.continuations]

            return Verdict()

        judged: list[ScoreRequest] = []  # noqa: RUF012

    model = Judge(["said"])
    scheduler = LlmScheduler(model)
    request = ScoreRequest(messages=(Message("user", "x"),), continuations=("a", "bc"))
    verdict = scheduler.score(request, priority="high", owner="ann")
    assert [score.logprob for score in verdict.result(FOREVER)] == [-1, -2]
    assert (model.judged[0].owner, model.judged[0].priority) == ("ann", "high")
    with pytest.raises(DeadlineExceeded):
        scheduler.score(request, deadline=-1.0).result(FOREVER)
    assert scheduler.submit(GenerationRequest(messages=(Message("user", "x"),))).result() == "said"
    scheduler.close()


def test_nothing_is_left_of_a_request_that_ended(road) -> None:
    r = road(2)
    gc.collect()
    gc.disable()
    try:
        left = []
        for n in range(20):
            ticket = r.ask(f"{n}", coalesce=n % 2 == 0, deadline=1e6, valid_while=lambda: True)
            if n % 3 == 0:
                ticket.cancel()
            left.append(weakref.ref(ticket))
            r.play()
            r.model.streams.clear()
            del ticket
        assert [ref() for ref in left] == [None] * 20
        assert len(r.scheduler._timers) == 0
    finally:
        gc.enable()


def test_who_keeps_a_ticket_does_not_keep_the_world(road) -> None:
    class World: ...

    r = road()
    world = World()
    ticket = r.ask(deadline=1e6, valid_while=lambda w=world: isinstance(w, World))
    left = weakref.ref(world)
    del world
    r.play()
    assert (ticket.done, left()) == (True, None)


def test_a_model_that_answers_at_once_does_not_nest() -> None:
    """Ten thousand answers, one after the other, each of them started by the one before."""
    model = ScriptedModel(["Aye."])
    scheduler = LlmScheduler(model, max_queue=20_000)
    with scheduler._lock:  # nothing starts while they come
        scheduler._concurrency = 0
    request = GenerationRequest(messages=(Message("user", "x"),))
    tickets = [scheduler.submit(request) for _ in range(10_000)]
    scheduler._concurrency = 1
    scheduler._fill()
    assert {ticket.result(FOREVER) for ticket in tickets} == {"Aye."}
    scheduler.close()


def test_what_another_thread_starts_meanwhile_is_not_started_twice(road) -> None:
    """Room is made between a request's coming into the queue and its asker's looking again."""
    r = road()
    count = r.telemetry.count

    def interrupting(name: str, n: int = 1) -> None:
        count(name, n)
        if name == "llm.queued" and r.scheduler.waiting:
            r.model.answer()

    r.ask("first")
    r.telemetry.count = interrupting
    ticket = r.ask("second")
    assert (r.model.asked, ticket.state) == (["first", "second"], "running")
    r.model.answer()
    assert ticket.result(0) == "done"
    assert len(r.model.requests) == 2
    assert r.scheduler.running == 0


def test_an_interrupt_inside_the_model_leaves_no_place_taken(road) -> None:
    r = road()
    generate = r.model.generate

    def interrupted(request: GenerationRequest) -> ChunkStream:
        r.model.generate = generate
        raise KeyboardInterrupt

    r.model.generate = interrupted
    with pytest.raises(KeyboardInterrupt):
        r.ask("stopped")
    assert r.scheduler.running == 0
    assert r.ask("next").state == "running"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_told_and_its_parent_goes_on(road) -> None:
    r = road()
    ticket = r.ask("runs")
    child = os.fork()
    if not child:
        code = 1
        try:
            r.ask("in the child")
        except UsageError:
            r.scheduler.close()
            code = 0
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    r.model.answer()
    assert ticket.result(0) == "done"


class Machine(RuleBasedStateMachine):
    """Whatever comes in whatever order: every ticket ends once, with the words of its own run."""

    SLOTS, PER_OWNER, QUEUE = 2, 1, 4

    def __init__(self) -> None:
        super().__init__()
        self.road = Road(self.SLOTS, per_owner=self.PER_OWNER, max_queue=self.QUEUE, ageing_s=2.0)
        self.tickets: list[Ticket] = []
        self.valid: dict[int, bool] = {}
        self.ends: Counter[int] = Counter()
        self.words = 0

    def teardown(self) -> None:
        self.road.play()
        for number, ticket in enumerate(self.tickets):
            assert ticket.done
            assert self.ends[number] == 1
        assert len(self.road.journal.events) == len(self.tickets)
        assert self.road.scheduler.waiting == self.road.scheduler.running == 0
        assert not self.road.scheduler._shared
        self.road.close()

    @rule(
        text=st.sampled_from("ab"),
        owner=st.sampled_from(["", "ann", "bob", "cyd"]),
        priority=st.sampled_from(PRIORITIES),
        after=st.sampled_from([None, 1.0, 4.0]),
        coalesce=st.booleans(),
    )
    def submit(self, text, owner, priority, after, coalesce) -> None:
        number = len(self.tickets)
        self.valid[number] = True
        deadline = None if after is None else self.road.clock.time + after  # `pass_time` keeps it
        try:
            ticket = self.road.ask(
                text,
                owner=owner,
                priority=priority,
                coalesce=coalesce,
                valid_while=lambda: self.valid[number],
            )
        except CapacityError:
            assert priority != "critical"
            return
        ticket.deadline = deadline
        self.tickets.append(ticket)

        def ended(chunks, error) -> None:  # type: ignore[no-untyped-def]
            if error is not None or chunks[-1].finish_reason is not None:
                self.ends[number] += 1

        ticket.listen(ended)

    @precondition(lambda self: self.road.model.open())
    @rule(at=st.integers(0, 1), last=st.booleans())
    def speak(self, at: int, last: bool) -> None:
        stream = self.road.model.open()[at % len(self.road.model.open())]
        self.words += 1
        if last or stream.cancelled:
            stream.finish("cancelled" if stream.cancelled else "stop", text=f"{self.words}.")
        else:
            stream.push(f"{self.words} ")

    @precondition(lambda self: self.road.model.open())
    @rule(at=st.integers(0, 1))
    def fail(self, at: int) -> None:
        self.road.model.open()[at % len(self.road.model.open())].fail(RuntimeError("broken"))

    @precondition(lambda self: self.tickets)
    @rule(at=st.integers(0, 50))
    def cancel(self, at: int) -> None:
        self.tickets[at % len(self.tickets)].cancel()

    @precondition(lambda self: self.tickets)
    @rule(at=st.integers(0, 50))
    def move_past(self, at: int) -> None:
        self.valid[at % len(self.tickets)] = False

    @rule(seconds=st.sampled_from([0.5, 3.0]))
    def pass_time(self, seconds: float) -> None:
        self.road.clock.time += seconds
        for ticket in self.tickets:
            if ticket.deadline is not None and ticket.deadline <= self.road.clock.time:
                self.road.scheduler._expire(ticket)

    @invariant()
    def limits_hold(self) -> None:
        scheduler = self.road.scheduler
        assert scheduler.running <= self.SLOTS
        owners = Counter(run.owner for run in scheduler._running if run.owner)
        assert all(count <= self.PER_OWNER for count in owners.values())
        waiting = [t for t in self.tickets if t.state == "waiting"]
        if not any(t.priority == "critical" for t in waiting):
            assert scheduler.waiting <= self.QUEUE
        if scheduler.running < self.SLOTS:  # nobody waits who could run
            assert all(t._run.owner in owners for t in waiting)

    @invariant()
    def words_are_in_order(self) -> None:
        for ticket in self.tickets:
            words = [int(word.rstrip(".")) for word in ticket.text.split()]
            assert words == sorted(words)
            if ticket.finish_reason == "stop":
                assert ticket.text.endswith(".")


Machine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestMachine = Machine.TestCase


@pytest.mark.parametrize("instant", [True, False])
def test_eight_threads_at_once_lose_nothing_and_wake_everybody(instant: bool) -> None:
    """Submitting, cancelling, reading and expiring at once; every reader hears the end."""
    answers: Callable[[GenerationRequest], str] | list[str]
    answers = ["Aye, so it is."] if instant else (lambda request: "Aye, so it is.")
    journal = Journal()
    model = ScriptedModel(answers, slots=3)
    scheduler = LlmScheduler(model, journal=journal, max_queue=64, per_owner=2, ageing_s=0.01)
    ended: list[Ticket] = []
    refused = Counter()

    def run(thread: int) -> None:
        for n in range(150):
            request = GenerationRequest(
                messages=(Message("user", f"{n % 7}"),),
                owner=f"npc{(thread + n) % 5}",
                priority=PRIORITIES[(thread * n) % 5],
            )
            deadline = scheduler._clock.monotonic() + (0.0005 if n % 11 == 0 else FOREVER)
            try:
                ticket = scheduler.submit(request, deadline=deadline, coalesce=n % 3 == 0)
            except CapacityError:
                refused[thread] += 1
                continue
            if n % 5 == 0:
                ticket.cancel()
            try:
                assert ticket.result(FOREVER) in ("Aye, so it is.", "", "Aye,", "Aye, so")
            except (CapacityError, DeadlineExceeded):
                assert ticket.finish_reason == "error"
            ended.append(ticket)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(FOREVER)
    assert len(ended) + sum(refused.values()) == 8 * 150
    assert len(journal.events) == len(ended)
    assert all(ticket.done for ticket in ended)
    assert scheduler.waiting == 0
    scheduler.close()
    model.close()
    assert scheduler.running == 0
