"""Every request is answered exactly once and in time, whatever the tiers do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from astraweave.errors import ConfigError, ModelUnavailable, UsageError
from astraweave.observability import Telemetry
from astraweave.serving.fallback import LAST_RESORT, Answering, FallbackChain
from astraweave.serving.responders import CallableResponder
from astraweave.serving.timers import Timers


class Clock:
    at = 100.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> float:
        return self.at


class Scripted:
    """Does what a row says: [(seconds after being asked, what)], with the clock of the test."""

    def __init__(self, name: str, clock: Clock, timers: Timers, acts: list[Any], takes: float):
        self.name = name
        self.expected_s = takes
        self.clock, self.timers, self.acts = clock, timers, acts
        self.asked = 0
        self.stopped = 0

    def respond(self, request: str, deadline: float, reply: Any) -> Callable[[], None] | None:
        self.asked += 1
        for after, what in self.acts:
            if what == "raise":
                raise ZeroDivisionError("not of our tree")
            act = {
                "words": lambda: reply.push("w "),
                "finish": lambda: reply.finish(f"{self.name}!"),
                "fail": lambda: reply.fail(ModelUnavailable("gone")),
            }[what]
            if after == 0:
                act()
            else:
                self.timers.at(self.clock.at + after, act)
        return self.stop

    def stop(self) -> None:
        self.stopped += 1


acts = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.1, 0.5, 0.96, 0.999, 1.5]),
        st.sampled_from(["words", "finish", "fail", "raise"]),
    ),
    max_size=4,
).map(lambda rows: sorted(rows, key=lambda row: row[0]))


@given(st.lists(st.tuples(acts, st.sampled_from([0.0, 0.05, 0.5, 2.0])), max_size=3), acts)
@settings(max_examples=400)
def test_exactly_one_answer_by_the_deadline(rows: list[Any], last: list[Any]) -> None:
    clock = Clock()
    timers = Timers(clock, threaded=False, resolution_s=0.001)
    tiers = [Scripted(f"t{n}", clock, timers, does, takes) for n, (does, takes) in enumerate(rows)]
    tiers.append(Scripted("last", clock, timers, last, 0.0))
    chain = FallbackChain(tiers, "...", clock=clock, timers=timers)
    ends: list[float] = []
    answering = chain.ask("hello", timeout_s=1.0)

    def hear(chunks: Any, error: BaseException | None) -> None:
        if error is not None or chunks[-1].finish_reason is not None:
            ends.append(clock.at)

    answering.listen(hear)
    while clock.at < 103.0:
        clock.at += 0.001
        timers.run_due()
    assert len(ends) == 1, "answered once"
    assert ends[0] <= 101.0, "by the deadline"
    answer = answering.answered
    assert answer is not None
    assert answering.error is None
    assert chain.running == 0
    assert answering.result() == answer.answer or answering.text.startswith("w ")
    names = [tier.name for tier in tiers]
    assert [tried.tier for tried in answer.tried] == names[: len(answer.tried)], "in order"
    assert answer.tier == ([*names, LAST_RESORT])[answer.level]
    assert all(tier.asked <= 1 for tier in tiers)
    assert all(tried.why for tried in answer.tried if tried.outcome != "answered")
    if answer.cut:
        assert answering.text.strip("w ") == ""
        assert answer.tried[-1].outcome == "cut"
    elif answer.tier != LAST_RESORT:
        assert answer.answer == f"{answer.tier}!"
        assert answer.tried[-1].outcome == "answered"
    for tier, tried in zip(tiers, answer.tried, strict=False):
        assert (tried.outcome == "skipped") == (tier.asked == 0)
        if tried.outcome == "late":
            assert tier.stopped == 1, "who is given up is told"


def chain_of(*tiers: Any, **options: Any) -> FallbackChain[str, str]:
    return FallbackChain(tiers, "...", **options)


def rule(name: str, answer: str | None, takes: float = 0.0) -> CallableResponder[str, str]:
    return CallableResponder(name, lambda _: answer, expected_s=takes)


def test_the_reader_is_told_who_answered_and_why_others_did_not() -> None:
    telemetry = Telemetry()
    chain = chain_of(rule("cache", None), rule("rule", "Aye."), telemetry=telemetry)
    answering = chain.ask("?", timeout_s=1.0)
    assert answering.result(1.0) == "Aye."
    answer = answering.answered
    assert answer is not None
    assert (answer.tier, answer.level, answer.cut) == ("rule", 1, False)
    assert [(tried.tier, tried.outcome) for tried in answer.tried] == [
        ("cache", "failed"),
        ("rule", "answered"),
    ]
    assert "no answer" in answer.tried[0].why
    assert telemetry.counters["chain.tier.rule"] == 1
    chain.close()


def test_a_tier_without_time_is_not_begun_and_is_tried_again_later() -> None:
    clock = Clock()
    timers = Timers(clock, threaded=False, resolution_s=0.001)
    slow = Scripted("slow", clock, timers, [(0.1, "finish")], 5.0)
    chain = FallbackChain([slow, rule("rule", "Aye.")], "...", clock=clock, timers=timers)
    assert chain.ask("?", timeout_s=1.0).result(0) == "Aye."
    assert slow.asked == 0
    clock.at += 30.0  # what it was once said to take is not believed for ever
    answering = chain.ask("?", timeout_s=1.0)
    assert slow.asked == 1
    clock.at += 0.2
    timers.run_due()
    assert answering.result(0) == "slow!"


def test_time_that_the_next_tier_needs_is_kept_for_it() -> None:
    clock = Clock()
    timers = Timers(clock, threaded=False, resolution_s=0.001)
    hangs = Scripted("hangs", clock, timers, [], 0.2)
    helps = Scripted("helps", clock, timers, [(0.2, "finish")], 0.3)
    chain = FallbackChain([hangs, helps, rule("rule", "Aye.")], "...", clock=clock, timers=timers)
    answering = chain.ask("?", timeout_s=1.0)
    while clock.at < 101.0:
        clock.at += 0.001
        timers.run_due()
    assert answering.answered is not None
    assert answering.answered.tier == "helps"
    assert hangs.stopped == 1


def test_a_function_that_hangs_is_given_up_and_does_not_pile_up() -> None:
    gate = threading.Event()
    hangs = CallableResponder[str, str](
        "hangs", lambda _: "late" if gate.wait(20) else None, expected_s=0.01, threads=2
    )
    chain = chain_of(hangs, rule("rule", "Aye."))
    answers = [chain.ask("?", timeout_s=0.2) for _ in range(10)]
    assert [answering.result(5.0) for answering in answers] == ["Aye."] * 10
    tried = [a.answered.tried[0].outcome for a in answers if a.answered is not None]
    assert sorted(tried) == ["failed"] * 8 + ["late"] * 2
    gate.set()
    chain.close()


def test_even_the_last_tier_may_break() -> None:
    def breaks(_: str) -> str:
        raise KeyError("a studio's bug")

    chain = chain_of(CallableResponder("rule", breaks))
    answering = chain.ask("?", timeout_s=1.0)
    assert answering.result(1.0) == "..."
    assert answering.answered is not None
    assert answering.answered.tier == LAST_RESORT
    assert "KeyError" in answering.answered.tried[0].why
    chain.close()


def test_cancelling_stops_the_tier_and_ends_the_answer() -> None:
    clock = Clock()
    timers = Timers(clock, threaded=False)
    slow = Scripted("slow", clock, timers, [(0.0, "words")], 0.2)
    chain = FallbackChain([slow, rule("rule", "Aye.")], "...", clock=clock, timers=timers)
    answering = chain.ask("?", timeout_s=1.0)
    answering.cancel()
    answering.cancel()
    assert answering.finish_reason == "cancelled"
    assert answering.answered is None
    assert slow.stopped == 1
    assert chain.running == 0


def test_closing_answers_what_is_open() -> None:
    clock = Clock()
    timers = Timers(clock, threaded=False)
    slow = Scripted("slow", clock, timers, [], 0.2)
    chain = FallbackChain([slow, rule("rule", "Aye.")], "...", clock=clock, timers=timers)
    answering = chain.ask("?", timeout_s=1.0)
    chain.close()
    assert answering.result(0) == "..."
    with pytest.raises(UsageError):
        chain.ask("?", timeout_s=1.0)


def test_the_asyncio_door_is_the_same_object() -> None:
    chain = chain_of(rule("slow", "Aye.", takes=0.01), rule("rule", "No."))

    async def talk() -> tuple[str, Answering[str, str]]:
        answering = chain.ask("?", timeout_s=5.0)
        return "".join([chunk.text async for chunk in answering]), answering

    text, answering = asyncio.run(talk())
    assert text == "Aye."
    assert answering.answered is not None
    chain.close()


@pytest.mark.parametrize(
    "tiers",
    [(), (rule("a", "x"), rule("a", "y")), (rule("a", "x", 1.0),), (rule(LAST_RESORT, "x"),)],
)
def test_chains_that_cannot_keep_their_promise_are_refused(tiers: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigError):
        chain_of(*tiers)
