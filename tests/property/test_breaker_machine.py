"""The circuit breaker against a breaker that remembers everything and is easy to read."""

from __future__ import annotations

import random
from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from astraweave.serving.breaker import (
    BreakerOpen,
    BreakerState,
    CircuitBreaker,
    CircuitBreakers,
    Permit,
)
from astraweave.serving.policies import BreakerSettings

SETTINGS = BreakerSettings(
    failures=3, min_share=0.3, window_s=10.0, cool_down_s=2.0, longest_cool_down_s=16.0,
    jitter=0.0, probes=2, successes=2, probe_lease_s=5.0,
)  # fmt: skip


class Clock:
    def __init__(self, at: float = 1000.0) -> None:
        self.at = at

    def monotonic(self) -> float:
        return self.at

    def now(self) -> float:
        return self.at


class Reference:
    """Keeps every result with its time, and every permit with the state that it was given in."""

    def __init__(self) -> None:
        self.state = "closed"
        self.results: list[tuple[float, bool]] = []
        self.period = 0
        self.until = 0.0
        self.openings = 0
        self.good = 0
        self.closed_at = 1000.0
        self.probes: dict[int, float] = {}

    def look(self, now: float) -> None:
        if self.state == "open":
            self.probes = {n: end for n, end in self.probes.items() if end > now}
            if now >= self.until:
                self.state = "half_open"
        if self.state == "half_open" and any(end <= now for end in self.probes.values()):
            self.trip(now)

    def trip(self, now: float) -> None:
        self.state = "open"
        self.until = now + min(2.0 * 2**self.openings, 16.0)
        self.openings += 1
        self.new_period()

    def new_period(self) -> None:
        self.period += 1
        self.results, self.good, self.probes = [], 0, {}

    def may_call(self, now: float) -> bool:
        self.look(now)
        return self.state == "closed" or (self.state == "half_open" and len(self.probes) < 2)

    def settle(self, number: int, period: int, probe: bool, now: float, ok: bool | None) -> None:
        if self.state != "closed":
            self.look(now)
        self.probes.pop(number, None)
        if period != self.period or ok is None:
            return
        if self.state == "closed":
            self.results.append((now, ok))
            # A tenth of the window is forgotten at a time.
            window = [good for at, good in self.results if int(now) - int(at) < 10]
            bad = window.count(False)
            if ok and self.openings and now - self.closed_at >= 10.0:
                self.openings = 0
            if not ok and bad >= 3 and bad >= 0.3 * len(window):
                self.trip(now)
        elif probe and ok:
            self.good += 1
            if self.good >= 2:
                self.state, self.closed_at = "closed", now
                self.new_period()
            else:
                self.state = "half_open"
        elif self.state == "half_open":
            self.trip(now)
        else:
            self.good = 0


class BreakerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = CircuitBreaker("m", SETTINGS, clock=self.clock)
        self.reference = Reference()
        self.out: list[tuple[int, int, bool, Permit]] = []
        self.number = 0

    def lend(self, permit: Permit, probe: bool) -> None:
        self.number += 1
        self.out.append((self.number, self.reference.period, probe, permit))
        if probe:
            self.reference.probes[self.number] = self.clock.at + 5.0

    @rule(seconds=st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 4.5, 9.0, 20.0]))
    def wait(self, seconds: float) -> None:
        self.clock.at += seconds

    @rule()
    def call(self) -> None:
        may = self.reference.may_call(self.clock.at)
        assert (self.breaker.refusal() is None) == may
        if may:
            self.lend(self.breaker.acquire(), self.reference.state == "half_open")
        else:
            with pytest.raises(BreakerOpen) as refused:
                self.breaker.acquire()
            wait = refused.value.details["retry_after_s"]
            expected = max(0.0, self.reference.until - self.clock.at)
            assert wait == pytest.approx(expected if self.reference.state == "open" else 0.0)

    @rule()
    def health_check(self) -> None:
        self.reference.look(self.clock.at)
        permit = self.breaker.acquire_probe()
        if self.reference.state == "closed":
            assert permit is not None
            self.lend(permit, False)
        elif len(self.reference.probes) < 2:
            assert permit is not None
            self.lend(permit, True)
        else:
            assert permit is None

    @precondition(lambda self: self.out)
    @rule(data=st.data(), ok=st.sampled_from([True, False, False, None]), twice=st.booleans())
    def settle(self, data: st.DataObject, ok: bool | None, twice: bool) -> None:
        at = data.draw(st.integers(0, len(self.out) - 1))
        number, period, probe, permit = self.out.pop(at)
        for _ in range(1 + twice):  # only the first one counts
            {True: permit.success, False: permit.failure, None: permit.ignore}[ok]()
        self.reference.settle(number, period, probe, self.clock.at, ok)

    @rule()
    def save_and_load(self) -> None:
        saved = self.breaker.export()
        self.reference.look(self.clock.at)
        self.clock = Clock(self.clock.at + 12345.0)  # another machine, another clock
        self.breaker = CircuitBreaker("m", SETTINGS, clock=self.clock)
        self.breaker.restore(saved)
        wait = max(0.0, self.reference.until - (self.clock.at - 12345.0))
        if self.reference.state == "half_open":
            self.reference.state, wait = "open", 0.0
        self.reference.until = self.clock.at + wait
        self.reference.closed_at = self.clock.at
        self.reference.new_period()
        self.out = []

    @invariant()
    def same_state(self) -> None:
        self.reference.look(self.clock.at)
        assert self.breaker.state == self.reference.state


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=200, stateful_step_count=60)


def test_five_failures_open_it_and_four_do_not() -> None:
    breaker = CircuitBreaker("m", clock=Clock())
    for _ in range(4):
        breaker.acquire().failure()
    assert breaker.state == "closed"
    breaker.acquire().failure()
    assert breaker.state == "open"


def test_five_failures_of_a_thousand_calls_are_no_outage() -> None:
    breaker = CircuitBreaker("m", clock=Clock())
    for _ in range(1000):
        breaker.acquire().success()
    for _ in range(5):
        breaker.acquire().failure()
    assert breaker.state == "closed"


def test_failures_that_are_old_are_forgotten() -> None:
    clock = Clock()
    breaker = CircuitBreaker("m", clock=clock)
    for _ in range(20):
        breaker.acquire().failure()
        clock.at += 8.0  # never five within 30 seconds
    assert breaker.state == "closed"


def test_the_cool_down_doubles_with_each_opening_and_varies() -> None:
    clock = Clock()
    settings_ = BreakerSettings(cool_down_s=1.0, longest_cool_down_s=8.0, jitter=0.2, failures=1)
    breaker = CircuitBreaker("m", settings_, clock=clock, rng=random.Random(3))
    waits = []
    for _ in range(6):
        breaker.acquire().failure()
        refused = breaker.refusal()
        assert refused is not None
        waits.append(refused.details["retry_after_s"])
        clock.at += waits[-1]
    for wait, usual in zip(waits, [1, 2, 4, 8, 8, 8], strict=True):
        assert 0.8 * usual <= wait <= min(1.2 * usual, 8.0)
    assert len(set(waits[:3])) == 3


def test_an_answer_from_before_the_outage_does_not_close_it() -> None:
    clock = Clock()
    breaker = CircuitBreaker("m", SETTINGS, clock=clock)
    before = [breaker.acquire() for _ in range(4)]
    for _ in range(3):
        breaker.acquire().failure()
    clock.at += 2.0
    assert breaker.state == "half_open"
    for permit in before:
        permit.success()
    assert breaker.state == "half_open"


def test_a_probe_that_never_returns_blocks_nobody() -> None:
    clock = Clock()
    breaker = CircuitBreaker("m", SETTINGS, clock=clock)
    for _ in range(3):
        breaker.acquire().failure()
    clock.at += 2.0
    breaker.acquire(), breaker.acquire()
    assert breaker.refusal() is not None
    clock.at += 5.0
    assert breaker.state == "open"
    clock.at += 4.0
    assert breaker.state == "half_open"
    assert breaker.refusal() is None


def test_the_states_of_all_models_travel_together() -> None:
    clock = Clock()
    breakers = CircuitBreakers(SETTINGS, clock=clock)
    for _ in range(3):
        breakers["big"].acquire().failure()
    assert breakers["small"].state == "closed"
    saved = breakers.export()
    assert saved["big"] == BreakerState(state="open", wait_s=2.0, openings=1)
    other = CircuitBreakers(SETTINGS, clock=Clock(5.0))
    other["forgotten"].acquire().failure()
    other.restore(saved)
    assert Counter(breaker.state for breaker in (other["big"], other["small"])) == Counter(
        ["open", "closed"]
    )


def test_new_settings_keep_the_state() -> None:
    clock = Clock()
    breaker = CircuitBreaker("m", SETTINGS, clock=clock)
    for _ in range(2):
        breaker.acquire().failure()
    breaker.apply(BreakerSettings(failures=3, window_s=10.0))
    breaker.acquire().failure()
    assert breaker.state == "open"
