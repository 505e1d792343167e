"""The rates hold in every window, nobody starves, and waiting is told in advance."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from astraweave.errors import CapacityError
from astraweave.serving.limits import RateLimited, RateLimiter, Reservation
from astraweave.serving.policies import LimitSettings, Rate
from astraweave.serving.timers import Timers


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> float:
        return self.at


class Town:
    """A limiter with a clock of its own, and a list of who was let in when."""

    def __init__(self, **limits: Any) -> None:
        self.clock = Clock()
        self.timers = Timers(self.clock, threaded=False, resolution_s=0.001)
        limits.setdefault("longest_wait_s", 3600.0)
        self.limiter = RateLimiter(LimitSettings(**limits), clock=self.clock, timers=self.timers)
        self.admitted: list[tuple[float, str, int]] = []

    def ask(self, owner: str = "", tokens: int = 0, **options: Any) -> Reservation:
        def ready() -> None:
            self.admitted.append((self.clock.at, owner, tokens))

        place = self.limiter.reserve("m", ready, owner=owner, tokens=tokens, **options)
        if place.admitted:
            ready()
        return place

    def until(self, when: float) -> None:
        while True:
            due = self.timers.run_due()
            if due is None or due > when:
                break
            self.clock.at = max(self.clock.at, due)
        self.clock.at = when
        self.timers.run_due()


def most_in(events: list[tuple[float, float]], length: float) -> float:
    """The fullest window of that length: it begins with some event, and its end is open."""
    return max(
        (sum(n for at, n in events if begin <= at < begin + length) for begin, _ in events),
        default=0,
    )


asks = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.01, 0.3, 1.0, 7.5, 40.0]),
        st.sampled_from(["", "tam", "mira", "mira"]),
        st.integers(0, 60),
        st.sampled_from(["critical", "normal", "background"]),
    ),
    max_size=60,
)


@given(asks)
@settings(max_examples=150)
def test_no_window_ever_holds_more_than_its_rate(rows: list[tuple[float, str, int, Any]]) -> None:
    town = Town(
        everything=Rate(requests_per_minute=12, requests_per_second=4),
        model=Rate(tokens_per_minute=100),
        owner=Rate(requests_per_minute=5),
    )
    places = []
    for pause, owner, tokens, priority in rows:
        town.until(town.clock.at + pause)
        places.append(town.ask(owner, tokens, priority=priority))
    town.until(town.clock.at + 3600.0)
    assert all(place.admitted for place in places), "somebody starved"
    assert len(town.admitted) == len(places)
    assert most_in([(at, 1) for at, _, _ in town.admitted], 60.0) <= 12
    assert most_in([(at, 1) for at, _, _ in town.admitted], 1.0) <= 4
    assert most_in([(at, n) for at, _, n in town.admitted], 60.0) <= 100
    for owner in ("tam", "mira"):
        assert most_in([(at, 1) for at, who, _ in town.admitted if who == owner], 60.0) <= 5


@given(asks)
@settings(max_examples=100)
def test_the_wait_that_was_told_is_kept_when_nobody_urgent_comes(
    rows: list[tuple[float, str, int, Any]],
) -> None:
    town = Town(everything=Rate(requests_per_minute=6), owner=Rate(requests_per_minute=2))
    for pause, owner, _, _ in rows[:20]:
        town.until(town.clock.at + pause)
        asked = town.clock.at
        told: list[float] = []
        place = town.limiter.reserve("m", lambda told=told: told.append(town.clock.at), owner=owner)
        if not place.admitted:
            town.until(asked + place.wait_s + 0.02)
            assert place.admitted
            assert told
            assert told[0] >= asked + place.wait_s * 0.2 - 0.05


def test_an_owner_who_asks_too_much_holds_up_nobody_else() -> None:
    town = Town(everything=Rate(requests_per_minute=100), owner=Rate(requests_per_minute=2))
    greedy = [town.ask("greedy") for _ in range(50)]
    modest = town.ask("modest")
    assert [place.admitted for place in greedy].count(True) == 2
    assert modest.admitted


def test_a_large_request_is_not_passed_for_ever_by_small_ones() -> None:
    town = Town(model=Rate(tokens_per_minute=100))
    town.ask(tokens=60)
    large = town.ask(tokens=90)
    small = town.ask(tokens=10)
    assert not large.admitted
    assert not small.admitted
    town.until(town.clock.at + 61)
    assert large.admitted
    assert small.admitted


def test_what_is_larger_than_a_whole_window_gets_an_empty_one() -> None:
    town = Town(model=Rate(tokens_per_minute=100))
    town.ask(tokens=1)
    huge = town.ask(tokens=5000)
    assert huge.wait_s == pytest.approx(60, abs=0.1)
    town.until(town.clock.at + 60.1)
    assert huge.admitted


def test_the_urgent_go_first() -> None:
    town = Town(everything=Rate(requests_per_minute=1))
    town.ask()
    low = town.ask("low", priority="low")
    critical = town.ask("critical", priority="critical")
    town.until(town.clock.at + 61)
    assert critical.admitted
    assert not low.admitted


def test_who_would_be_too_late_is_told_at_once() -> None:
    town = Town(everything=Rate(requests_per_minute=1))
    town.ask()
    with pytest.raises(RateLimited) as refused:
        town.ask(deadline=town.clock.at + 5.0)
    assert refused.value.details["retry_after_s"] == pytest.approx(60, abs=0.1)
    assert isinstance(refused.value, CapacityError)
    assert town.limiter.waiting == 0
    assert not town.ask(deadline=town.clock.at + 100.0).admitted
    assert town.limiter.wait_s("m") == pytest.approx(120, abs=0.1)


def test_the_line_is_bounded() -> None:
    town = Town(everything=Rate(requests_per_minute=1), max_waiting=2)
    for _ in range(3):
        town.ask()
    with pytest.raises(RateLimited):
        town.ask()
    assert town.limiter.waiting == 2


def test_real_usage_takes_the_place_of_what_was_announced() -> None:
    town = Town(model=Rate(tokens_per_minute=100))
    first = town.ask(tokens=100)
    waiting = town.ask(tokens=50)
    assert not waiting.admitted
    first.settle(30)
    assert waiting.admitted
    waiting.settle(70)
    assert town.limiter.wait_s("m", tokens=1) > 59


def test_who_gives_up_makes_room() -> None:
    town = Town(everything=Rate(requests_per_minute=1))
    town.ask()
    gone, next_one = town.ask(), town.ask()
    gone.cancel()
    town.until(town.clock.at + 61)
    assert next_one.admitted
    assert not gone.admitted


def test_retry_after_is_honoured_to_the_second() -> None:
    town = Town()
    assert town.ask().admitted
    town.limiter.refused("m", 7.0)
    place = town.ask()
    assert place.wait_s == pytest.approx(7.0)
    town.until(town.clock.at + 6.99)
    assert not place.admitted
    town.until(town.clock.at + 0.05)
    assert place.admitted


def test_a_model_that_refuses_is_asked_less_and_then_more_again() -> None:
    town = Town()
    start = town.clock.at

    def served(seconds: float) -> int:
        """Ask fifty times a second; the model answers what is let through."""
        end, before = town.clock.at + seconds, len(town.admitted)
        while town.clock.at < end:
            for _ in range(5):
                place = town.ask()
                if not place.admitted:
                    place.cancel()
                else:
                    town.limiter.answered("m")
            town.until(town.clock.at + 0.1)
        return len(town.admitted) - before

    assert served(2.0) == 100
    for _ in range(20):
        town.limiter.refused("m")
        town.until(town.clock.at + 0.3)
    assert served(0.5) < 10
    served(3.0)
    assert served(2.0) == 100
    assert town.clock.at - start < 20


def test_other_rates_take_over_at_once_and_forget_nothing() -> None:
    town = Town(everything=Rate(requests_per_minute=1))
    town.ask()
    waiting = [town.ask() for _ in range(4)]
    town.limiter.apply(LimitSettings(everything=Rate(requests_per_minute=3), longest_wait_s=3600.0))
    assert [place.admitted for place in waiting] == [True, True, False, False]
