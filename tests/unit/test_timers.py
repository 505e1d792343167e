"""Alarms ring, in time and once; cancelled ones do not, and nothing of them stays."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from astraweave.core.clock import SystemClock
from astraweave.serving._actor import Actor
from astraweave.serving.timers import Timers


class Clock:
    at = 50.0

    def monotonic(self) -> float:
        return self.at

    def now(self) -> float:
        return self.at


@given(st.lists(st.tuples(st.floats(0, 10), st.booleans()), max_size=40))
def test_alarms_ring_once_and_never_early(rows: list[tuple[float, bool]]) -> None:
    clock = Clock()
    timers = Timers(clock, threaded=False)
    rung: dict[int, float] = {}
    alarms = [
        timers.at(50.0 + after, lambda n=n: rung.__setitem__(n, clock.at))
        for n, (after, _) in enumerate(rows)
    ]
    for alarm, (_, cancelled) in zip(alarms, rows, strict=True):
        if cancelled:
            alarm.cancel()
    assert len(timers) == sum(not cancelled for _, cancelled in rows)
    for step in range(2100):
        clock.at = 50.0 + step * 0.005
        timers.run_due()
    assert rung.keys() == {n for n, (_, cancelled) in enumerate(rows) if not cancelled}
    for n, at in rung.items():
        assert 0 <= at - (50.0 + rows[n][0]) < 0.0101
    assert len(timers) == 0


def test_one_that_fails_stops_no_other(caplog: object) -> None:
    clock = Clock()
    timers = Timers(clock, threaded=False)
    rung: list[int] = []
    timers.at(50.0, lambda: 1 / 0)
    timers.at(50.0, lambda: rung.append(1))
    clock.at = 51.0
    timers.run_due()
    assert rung == [1]


def test_the_thread_rings_and_ends() -> None:
    clock = SystemClock()
    timers = Timers(clock)
    rung = threading.Event()
    timers.at(clock.monotonic() + 3600, lambda: None)
    timers.at(float("inf"), lambda: None)
    timers.at(clock.monotonic() + 0.01, rung.set)
    assert rung.wait(10)
    timers.close()
    timers.close()
    assert not [t for t in threading.enumerate() if t.name == "astraweave-timers"]


def test_steps_of_an_actor_never_overlap_and_none_is_lost() -> None:
    actor = Actor()
    inside = [0]
    done: list[int] = []
    outside: list[int] = []

    def step(n: int) -> None:
        inside[0] += 1
        assert inside[0] == 1
        done.append(n)
        if n % 3 == 0:
            actor.post(lambda: done.append(-n - 1))  # from within: later, not now
            assert done[-1] == n
        actor.outside(lambda: outside.append(n))
        inside[0] -= 1

    def post(base: int) -> None:
        for n in range(500):
            actor.post(lambda n=n: step(base + n))

    threads = [threading.Thread(target=post, args=(base,)) for base in range(0, 4000, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {base + n for base in range(0, 4000, 1000) for n in range(500)}
    assert {n for n in done if n >= 0} == expected
    assert sorted(outside) == sorted(expected)
    for base in range(0, 4000, 1000):  # in the order in which each thread posted
        assert [n for n in done if base <= n < base + 1000] == list(range(base, base + 500))


def test_nobody_wakes_for_what_was_cancelled() -> None:
    clock = Clock()
    timers = Timers(clock, threaded=False)
    rung: list[int] = []
    alarms = [timers.at(51.0 + n, lambda n=n: rung.append(n)) for n in range(9)]
    for alarm in alarms[:-1]:
        alarm.cancel()
    assert timers.run_due() == 59.0
    again = timers.at(52.0, lambda: rung.append(100))
    assert timers.run_due() == 52.0
    again.cancel()
    clock.at = 60.0
    assert timers.run_due() is None
    assert rung == [8]
