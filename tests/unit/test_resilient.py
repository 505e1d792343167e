"""A model wrapped in limits: what is retried, what is blamed, what is shown, and when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from astraweave.errors import (
    CapacityError,
    DeadlineExceeded,
    InputError,
    ModelError,
    ModelTimeout,
    ModelUnavailable,
    UnsupportedModel,
    UsageError,
)
from astraweave.llm import (
    Chunk,
    ChunkStream,
    GenerationRequest,
    LanguageModel,
    Message,
    ModelInfo,
    ToolCall,
    Usage,
)
from astraweave.observability import Telemetry
from astraweave.serving.breaker import BreakerOpen
from astraweave.serving.health import HealthCheck
from astraweave.serving.limits import RateLimited
from astraweave.serving.policies import (
    BreakerSettings,
    BulkheadSettings,
    HealthSettings,
    HedgeSettings,
    LimitSettings,
    Rate,
    RetrySettings,
    RoadSettings,
    TimeoutSettings,
)
from astraweave.serving.resilient import Resilient
from astraweave.serving.retry import Budget, judge
from astraweave.serving.timers import Timers

PATIENCE = TimeoutSettings(
    cold_first_s=2.0, cold_total_s=10.0, floor_first_s=1.0, ceiling_first_s=4.0, stall_s=1.0
)
SETTINGS = RoadSettings(timeouts={"dialogue": PATIENCE})


class Clock:
    at = 100.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> float:
        return self.at


class Puppet:
    """A model whose answers the test writes."""

    def __init__(self, continues: bool = True) -> None:
        self.requests: list[GenerationRequest] = []
        self.streams: list[ChunkStream] = []
        self.error: Exception | None = None
        self.info = ModelInfo(id="puppet", context_tokens=100, continues_prefix=continues)
        self.closed = False

    def count(self, text: str) -> int:
        return len(text.split())

    def count_messages(self, messages: Sequence[Message]) -> int:
        return sum(self.count(message.content) for message in messages)

    def generate(self, request: GenerationRequest) -> ChunkStream:
        self.requests.append(request)
        if self.error is not None:
            raise self.error
        self.streams.append(ChunkStream())
        return self.streams[-1]

    def close(self) -> None:
        self.closed = True


class Inline:
    """A crew of nobody: what is to be done is done at once."""

    def run(self, job: Callable[[], object]) -> None:
        job()

    def close(self, timeout: float | None = None) -> None:
        pass


class Stage:
    def __init__(self, settings: RoadSettings = SETTINGS, **options: Any) -> None:
        self.clock = Clock()
        self.timers = Timers(self.clock, threaded=False, resolution_s=0.001)
        self.model = Puppet(options.pop("continues", True))
        self.telemetry = Telemetry()
        self.road = Resilient(
            self.model, settings, clock=self.clock, timers=self.timers,
            telemetry=self.telemetry, **options,
        )  # fmt: skip
        self.road.crew = Inline()  # type: ignore[assignment]

    def ask(self, deadline: float | None = None, **fields: Any) -> ChunkStream:
        request = GenerationRequest(messages=(Message("user", "Where is it?"),), **fields)
        call = self.road.generate(
            request, deadline=None if deadline is None else self.clock.at + deadline
        )
        assert isinstance(call, ChunkStream)
        return call

    def wait(self, seconds: float) -> None:
        end = self.clock.at + seconds
        while self.clock.at < end:
            self.clock.at = min(self.clock.at + 0.01, end)
            self.timers.run_due()

    def count(self, name: str) -> int:
        return self.telemetry.counters[name]


def test_it_is_a_language_model_and_passes_everything_on() -> None:
    stage = Stage()
    assert isinstance(stage.road, LanguageModel)
    assert stage.road.info is stage.model.info
    call = stage.ask()
    stage.model.streams[0].push("Up the ")
    assert call.text == "Up the "
    usage = Usage(prompt_tokens=3, completion_tokens=3)
    calls = (ToolCall(name="point", arguments="{}"),)
    stage.model.streams[0].finish("tool_calls", text="hill.", usage=usage, tool_calls=calls)
    assert call.result(0) == "Up the hill."
    assert (call.usage, call.tool_calls, call.finish_reason) == (usage, calls, "tool_calls")
    assert stage.road.running == 0
    assert len(stage.timers) == 0


def test_what_failed_before_its_first_word_is_asked_again() -> None:
    stage = Stage()
    call = stage.ask()
    stage.model.streams[0].fail(ModelUnavailable("gone"))
    assert not call.done
    stage.wait(0.11)
    assert len(stage.model.requests) == 2
    assert stage.model.requests[0] == stage.model.requests[1]
    stage.model.streams[1].finish("stop", text="Here.")
    assert call.result(0) == "Here."
    assert stage.count("resilient.retried") == 1


def test_an_answer_that_broke_goes_on_from_what_was_shown() -> None:
    stage = Stage()
    call = stage.ask(max_tokens=10, prefix="Well: ")
    stage.model.streams[0].push("Up the")
    stage.model.streams[0].fail(ModelUnavailable("gone"))
    stage.wait(0.11)
    again = stage.model.requests[1]
    assert (again.prefix, again.max_tokens) == ("Well: Up the", 8)
    stage.model.streams[1].finish("stop", text=" hill.")
    assert call.result(0) == "Up the hill."


@pytest.mark.parametrize("by", ["model", "settings"])
def test_where_it_cannot_go_on_it_ends_honestly(by: str) -> None:
    retry = RetrySettings(continue_broken=by != "settings")
    stage = Stage(RoadSettings(retry=retry), continues=by != "model")
    call = stage.ask()
    stage.model.streams[0].push("Up the")
    stage.model.streams[0].fail(ModelUnavailable("gone"))
    stage.wait(5)
    assert call.text == "Up the"
    with pytest.raises(ModelUnavailable):
        call.result(0)
    assert len(stage.model.requests) == 1


@pytest.mark.parametrize(
    ("error", "blames", "again"),
    [
        (ModelUnavailable("x"), True, True),
        (ModelTimeout("x"), True, True),
        (UnsupportedModel("x"), True, False),
        (ModelUnavailable("x", retryable=False), True, False),
        (ZeroDivisionError("x"), True, True),
        (CapacityError("kv is full"), False, True),
        (CapacityError("too long", status=413), False, False),
        (ModelUnavailable("x", rate_limited=True, retry_after_s=0.05), False, True),
        (InputError("x"), False, False),
        (DeadlineExceeded("x"), False, False),
        (UsageError("closed"), False, False),
    ],
)
def test_whose_fault_it_was(error: Exception, blames: bool, again: bool) -> None:
    verdict = judge(error)
    assert (verdict.blames_model, verdict.again) == (blames, again)
    stage = Stage(RoadSettings(breaker=BreakerSettings(failures=1)))
    call = stage.ask()
    stage.model.streams[0].fail(error)
    assert stage.road.breaker.state == ("open" if blames else "closed")
    stage = Stage()
    call = stage.ask()
    stage.model.streams[0].fail(error)
    stage.wait(1.0)
    assert len(stage.model.requests) == 1 + again
    assert call.done is not again


def test_errors_from_outside_our_tree_do_not_get_out() -> None:
    stage = Stage(RoadSettings(retry=RetrySettings(attempts=1)))
    stage.model.error = ZeroDivisionError("somebody's bug")
    with pytest.raises(ModelError, match="ZeroDivisionError") as caught:
        stage.ask().result(0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_silence_ends_in_time_and_what_comes_late_is_not_heard() -> None:
    stage = Stage(RoadSettings(timeouts={"dialogue": PATIENCE}, retry=RetrySettings(attempts=1)))
    call = stage.ask()
    stage.wait(1.99)
    assert not call.done
    stage.wait(0.05)
    with pytest.raises(ModelTimeout, match="say a word"):
        call.result(0)
    assert stage.model.streams[0].cancelled
    stage.model.streams[0].finish("stop", text="What?")
    assert call.text == ""
    assert stage.count("resilient.timed_out") == 1


def test_a_stall_and_an_endless_trickle_end_as_well() -> None:
    once = RoadSettings(timeouts={"dialogue": PATIENCE}, retry=RetrySettings(attempts=1))
    stage = Stage(once)
    call = stage.ask()
    stage.wait(1.5)
    stage.model.streams[0].push("Well")
    stage.wait(1.05)
    with pytest.raises(ModelTimeout, match="go on"):
        call.result(0)
    stage = Stage(once)
    call = stage.ask()
    for _ in range(30):
        stage.model.streams[0].push("x")
        stage.wait(0.4)
    with pytest.raises(ModelTimeout, match="come to an end"):
        call.result(0)
    assert stage.clock.at <= 100.0 + 12.1


def test_the_wait_is_learnt_and_a_slower_model_is_believed() -> None:
    stage = Stage(
        RoadSettings(
            timeouts={"dialogue": PATIENCE},
            retry=RetrySettings(attempts=1),
            breaker=BreakerSettings(failures=1000),
        )
    )

    def line(first: float) -> bool:
        call = stage.ask()
        stage.wait(first)
        stage.model.streams[-1].finish("stop", text="Aye.")
        ok = call.finish_reason == "stop"
        call.cancel()
        return ok

    for _ in range(40):
        assert line(0.1)
    patience = stage.road.latencies["dialogue"]
    assert patience.waits()[0] == 1.0  # the floor
    assert patience.waits()[1] == 2.0
    answered = [line(1.5) for _ in range(60)]
    assert not answered[0]
    assert all(answered[-20:])
    assert patience.waits()[0] <= 4.0


def test_a_deadline_spent_waiting_is_not_the_models_fault() -> None:
    limits = LimitSettings(everything=Rate(requests_per_minute=1))
    stage = Stage(RoadSettings(limits=limits, breaker=BreakerSettings(failures=1)))
    first = stage.ask()
    stage.model.streams[0].finish("stop", text="Aye.")
    assert first.result(0) == "Aye."
    late = stage.ask(deadline=1.0)
    with pytest.raises(RateLimited):  # at once, for it would wait a minute
        late.result(0)
    assert stage.road.breaker.state == "closed"
    assert len(stage.model.requests) == 1


def test_a_deadline_that_comes_too_soon_for_anybody_blames_nobody() -> None:
    stage = Stage(
        RoadSettings(timeouts={"dialogue": PATIENCE}, breaker=BreakerSettings(failures=1))
    )
    call = stage.ask(deadline=0.2)
    stage.wait(0.3)
    with pytest.raises(DeadlineExceeded):
        call.result(0)
    assert stage.road.breaker.state == "closed"
    call = stage.ask(deadline=1.5)  # longer than it should take
    stage.wait(1.6)
    assert isinstance(call.error, ModelTimeout)
    assert stage.road.breaker.state == "open"


def test_who_cancels_at_the_deadline_says_the_same_as_the_alarm() -> None:
    stage = Stage(
        RoadSettings(timeouts={"dialogue": PATIENCE}, breaker=BreakerSettings(failures=1))
    )
    call = stage.ask(deadline=1.5)
    stage.clock.at += 1.5
    call.cancel()
    assert call.finish_reason == "cancelled"
    assert stage.road.breaker.state == "open"


def test_cancelling_ends_it_at_once_and_blames_nobody() -> None:
    stage = Stage(RoadSettings(breaker=BreakerSettings(failures=1)))
    call = stage.ask()
    stage.model.streams[0].push("Well")
    call.cancel()
    assert (call.finish_reason, call.text) == ("cancelled", "Well")
    assert stage.model.streams[0].cancelled
    assert stage.road.breaker.state == "closed"
    assert (stage.road.running, len(stage.timers), stage.road.bulkhead.running) == (0, 0, 0)


def test_retries_are_a_share_of_the_requests() -> None:
    settings = RoadSettings(
        retry=RetrySettings(share=0.1, reserve=5.0, attempts=10),
        breaker=BreakerSettings(failures=10_000),
    )
    stage = Stage(settings)
    stage.model.error = ModelUnavailable("gone")
    calls = [stage.ask() for _ in range(200)]
    stage.wait(20)
    assert all(call.done for call in calls)
    assert 200 < len(stage.model.requests) <= 200 + 5 + 20


def test_a_budget_is_never_overdrawn() -> None:
    budget = Budget(share=0.2, reserve=3)
    spent = 0
    for paid in range(1, 200):
        budget.pay_in()
        while budget.spend():
            spent += 1
        assert spent <= 3 + 0.2 * paid + 1e-6


def test_a_model_that_says_wait_is_waited_for() -> None:
    stage = Stage()
    call = stage.ask()
    stage.model.streams[0].fail(ModelUnavailable("429", rate_limited=True, retry_after_s=1.0))
    other = stage.ask()
    stage.wait(0.95)
    assert len(stage.model.requests) == 1
    assert not call.done
    stage.wait(1.5)
    for stream in stage.model.streams[1:]:
        stream.finish("stop", text="Aye.")
    assert (call.result(0), other.result(0)) == ("Aye.", "Aye.")
    stage.road.limiter.refused("puppet", 5.0)
    with pytest.raises(RateLimited):
        stage.ask(deadline=1.0).result(0)
    assert stage.road.breaker.state == "closed"


def test_the_breaker_refuses_at_once_and_a_health_check_closes_it() -> None:
    health = HealthSettings(open_every_s=0.5, patience_s=0.3)
    stage = Stage(
        RoadSettings(
            health=health,
            breaker=BreakerSettings(cool_down_s=60.0, longest_cool_down_s=60.0),
            retry=RetrySettings(attempts=1),
        )
    )
    check = HealthCheck(stage.road)
    for _ in range(5):
        call = stage.ask()
        stage.model.streams[-1].fail(ModelUnavailable("gone"))
        assert call.done
    with pytest.raises(BreakerOpen):
        stage.ask().result(0)
    assert len(stage.model.requests) == 5
    stage.wait(5.1)  # it is asked, and says nothing
    silent = len(stage.model.requests)
    assert silent > 5 + 2
    assert stage.model.requests[-1].max_tokens == 1
    assert stage.road.breaker.state == "open"
    for _ in range(2):
        while stage.model.streams[-1].done or stage.model.streams[-1].cancelled:
            stage.wait(0.05)
        stage.model.streams[-1].finish("length", text="Yes")
    assert stage.road.breaker.state == "closed"
    call = stage.ask()
    stage.model.streams[-1].finish("stop", text="Aye.")
    assert call.result(0) == "Aye."
    check.close()
    check.close()


def test_a_model_that_is_busy_with_lines_is_not_asked_how_it_is() -> None:
    stage = Stage(RoadSettings(health=HealthSettings(idle_every_s=1.0)))
    check = HealthCheck(stage.road)
    stage.ask()
    stage.wait(1.5)
    assert len(stage.model.requests) == 1
    stage.model.streams[0].finish("stop", text="Aye.")
    stage.wait(3.0)
    assert len(stage.model.requests) == 2
    check.close()


def hedged(**fields: Any) -> Stage:
    hedge = HedgeSettings(enabled=True, share=0.1, reserve=2.0, **fields)
    stage = Stage(RoadSettings(hedge=hedge, timeouts={"dialogue": PATIENCE}))
    for _ in range(30):
        call = stage.ask()
        stage.wait(0.1)
        stage.model.streams[-1].finish("stop", text="Aye.")
        assert call.result(0) == "Aye."
    stage.model.streams.clear()
    return stage


def test_the_first_of_two_that_speaks_wins_and_the_other_is_stopped() -> None:
    stage = hedged()
    won = stage.count("resilient.hedge_won")
    call = stage.ask()
    stage.wait(0.2)
    slow, quick = stage.model.streams
    quick.push("Up ")
    assert slow.cancelled
    slow.push("Down ")
    quick.finish("stop", text="there.")
    assert call.result(0) == "Up there."
    assert stage.count("resilient.hedge_won") == won + 1
    assert stage.road.breaker.state == "closed"
    assert stage.road.bulkhead.running == 0


def test_one_of_two_may_fail() -> None:
    stage = hedged()
    call = stage.ask()
    stage.wait(0.2)
    stage.model.streams[0].fail(ModelUnavailable("gone"))
    stage.model.streams[1].finish("stop", text="Aye.")
    assert call.result(0) == "Aye."
    assert stage.count("resilient.retried") == 0


def test_second_calls_are_a_share_of_the_first() -> None:
    stage = hedged()
    before = len(stage.model.requests)
    for _ in range(40):
        call = stage.ask()
        stage.wait(0.2)
        for stream in stage.model.streams:
            stream.finish("stop", text="Aye.")
        assert call.done
    assert 0 < len(stage.model.requests) - before - 40 <= 2 + 0.1 * 70


def test_no_more_calls_at_once_than_the_bulkhead_holds() -> None:
    bulkhead = BulkheadSettings(calls=2, uses={"quest": 1}, max_waiting=2, longest_wait_s=0.5)
    stage = Stage(RoadSettings(bulkhead=bulkhead))
    first, second, third = stage.ask(use="quest"), stage.ask(use="quest"), stage.ask()
    assert len(stage.model.requests) == 2
    assert stage.model.requests[1].use == "dialogue", "one use does not hold up the other"
    stage.model.streams[0].finish("stop", text="One.")
    assert len(stage.model.requests) == 3
    assert first.done
    fourth, _fifth, sixth = stage.ask(), stage.ask(), stage.ask()
    with pytest.raises(CapacityError, match="bulkhead"):
        sixth.result(0)
    stage.wait(0.6)
    with pytest.raises(CapacityError, match="in time"):
        fourth.result(0)
    assert not second.done
    assert not third.done


def test_other_settings_hold_for_later_calls() -> None:
    stage = Stage()
    before = stage.ask()
    stage.road.apply(RoadSettings(retry=RetrySettings(attempts=1)))
    after = stage.ask()
    for stream in tuple(stage.model.streams):
        stream.fail(ModelUnavailable("gone"))
    assert after.done
    assert not before.done
    stage.wait(0.2)
    stage.model.streams[-1].finish("stop", text="Aye.")
    assert before.result(0) == "Aye."


def test_closing_ends_what_runs() -> None:
    stage = Stage(owns_model=True)
    call = stage.ask()
    stage.road.close()
    stage.road.close()
    assert call.finish_reason == "cancelled"
    assert stage.model.closed
    with pytest.raises(UsageError):
        stage.ask()


class _Foreign:
    """A `Generation` that is no `ChunkStream`."""

    def __iter__(self) -> Iterator[Chunk]:
        yield Chunk(text="Up ")
        yield Chunk(text="there.", finish_reason="stop")

    def cancel(self) -> None:
        pass


def test_models_without_listeners_work_as_well() -> None:
    stage = Stage()
    stage.model.generate = lambda request: _Foreign()  # type: ignore[assignment,return-value]
    assert stage.ask().result(0) == "Up there."
