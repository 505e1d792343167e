"""The queue in front of the model against sorting everything each time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.serving import _order
from astraweave.serving._order import ELDERS_TURN, LEVELS, ReadyQueue, rank


@dataclass(eq=False)
class Entry:
    level: int
    owner: str
    deadline: float = math.inf
    since: float = 0.0
    seq: int = 0


class Sorting:
    """What `ReadyQueue` means: goes over everything that waits, every time."""

    def __init__(self, per_owner: int | None, ageing_s: float) -> None:
        self.per_owner, self.ageing_s = per_owner, ageing_s
        self.waiting: list[Entry] = []
        self.running: list[str] = []
        self.turn = [0] * LEVELS
        self.turns: list[dict[str, int]] = [{} for _ in range(LEVELS)]
        self.starts = 0

    def may_run(self, owner: str) -> bool:
        return not owner or self.per_owner is None or self.running.count(owner) < self.per_owner

    def add(self, entry: Entry) -> None:
        turns = self.turns[entry.level]
        if not any((e.level, e.owner) == (entry.level, entry.owner) for e in self.waiting):
            turns[entry.owner] = max(turns.get(entry.owner, 0), self.turn[entry.level])
        self.waiting.append(entry)

    def remove(self, entry: Entry) -> bool:
        if entry not in self.waiting:
            return False
        self.waiting.remove(entry)
        if not any(e.level == entry.level for e in self.waiting):
            self.turns[entry.level], self.turn[entry.level] = {}, 0
        return True

    def pop(self, now: float) -> Entry | None:
        able = sorted((e for e in self.waiting if self.may_run(e.owner)), key=lambda e: e.seq)
        if not able:
            return None
        if self.starts + 1 >= ELDERS_TURN and now - able[0].since >= self.ageing_s:
            entry, self.starts = able[0], 0
        else:
            entry = min(able, key=lambda e: rank(e, self.turns[e.level][e.owner]))
            turns = self.turns[entry.level]
            self.turn[entry.level] = max(self.turn[entry.level], turns[entry.owner])
            turns[entry.owner] += 1
            if len(turns) > _order.ROUND:
                self.turn[entry.level] += 1
                here = {e.owner for e in self.waiting if e.level == entry.level}
                self.turns[entry.level] = {o: t for o, t in turns.items() if o in here}
            self.starts += 1
        self.remove(entry)
        self.running.append(entry.owner)
        return entry

    def shed(self, level: int) -> Entry | None:
        less = [e for e in self.waiting if e.level > level]
        if not less:
            return None
        entry = max(less, key=lambda e: (e.level, e.seq))
        self.remove(entry)
        return entry


levels = st.integers(0, LEVELS - 1)
owners = st.sampled_from(["", "ann", "bob", "cyd", "dot"])
steps = st.one_of(
    st.tuples(st.just("add"), levels, owners, st.sampled_from([1.0, 2.0, 5.0, math.inf])),
    st.tuples(st.just("pop"), st.floats(0, 3)),
    st.tuples(st.just("release"), st.integers(0, 30)),
    st.tuples(st.just("remove"), st.integers(0, 30)),
    st.tuples(st.just("shed"), levels),
)


@settings(max_examples=300)
@given(
    script=st.lists(steps, max_size=80),
    per_owner=st.sampled_from([None, 1, 2]),
    round_size=st.sampled_from([2, 1024]),
)
def test_the_order_is_that_of_sorting(script, per_owner, round_size) -> None:
    queue: ReadyQueue[Entry] = ReadyQueue(per_owner=per_owner, ageing_s=1.0)
    model = Sorting(per_owner, 1.0)
    now = 0.0
    with patch.object(_order, "ROUND", round_size):
        for what, *arguments in script:
            if what == "add":
                entry = Entry(*arguments, since=now)
                queue.add(entry)
                model.add(entry)
            elif what == "pop":
                now += arguments[0]
                assert queue.pop(now) is model.pop(now)
            elif what == "release" and model.running:
                owner = model.running.pop(arguments[0] % len(model.running))
                queue.release(owner)
            elif what == "remove" and model.waiting:
                entry = model.waiting[arguments[0] % len(model.waiting)]
                assert model.remove(entry)
                assert queue.remove(entry)
                assert not queue.remove(entry)
            elif what == "shed":
                assert queue.shed(arguments[0]) is model.shed(arguments[0])
            assert len(queue) == len(model.waiting)
        while model.waiting:
            for owner in model.running:
                queue.release(owner)
            model.running.clear()
            entry = model.pop(now)
            assert entry is not None
            assert queue.pop(now) is entry
    assert queue.pop(now) is None


@settings(max_examples=50)
@given(
    flood=st.lists(st.tuples(levels, owners, st.sampled_from([0.5, math.inf])), min_size=1),
    older=st.lists(st.tuples(levels, owners), max_size=6),
    level=levels,
)
def test_nothing_starves(flood, older, level) -> None:
    """However urgent what keeps coming: started within 8 (k + 1) starts once it is old enough."""
    queue: ReadyQueue[Entry] = ReadyQueue(ageing_s=1.0)
    for entry in older:
        queue.add(Entry(*entry))
    patient = Entry(level, "patient")
    queue.add(patient)
    now, starts = 1.0, 0
    for number in range(10_000):
        for more in range(2):  # more comes than can run
            what = flood[(2 * number + more) % len(flood)]
            queue.add(Entry(what[0], what[1], now + what[2], now))
        starts += 1
        if queue.pop(now) is patient:
            break
        now += 0.01
    assert starts <= ELDERS_TURN * (len(older) + 1)


def test_a_queue_that_is_only_cancelled_does_not_grow() -> None:
    queue: ReadyQueue[Entry] = ReadyQueue(per_owner=1)
    queue.add(Entry(2, "ann", 0.0))
    assert queue.pop(0.0) is not None
    queue.add(Entry(2, "ann", 0.0))
    assert queue.pop(0.0) is None  # one of hers runs
    for number in range(10_000):
        entry = Entry(2, "ann" if number % 2 else f"npc{number}", 1e6 - number)
        queue.add(entry)
        queue.remove(entry)
    level = queue._levels[2]
    assert len(level._offers) + sum(map(len, level._lines.values())) < 300
    assert len(level._lines) == 1


def test_urgency_then_turns_then_deadlines_then_arrival() -> None:
    queue: ReadyQueue[Entry] = ReadyQueue()
    names = {
        "low": Entry(3, "zoe", 0.1),
        "ann late": Entry(2, "ann", 9.0),
        "ann soon": Entry(2, "ann", 1.0),
        "bob": Entry(2, "bob", 5.0),
        "cyd": Entry(2, "cyd"),
        "dot": Entry(2, "dot"),
        "critical": Entry(0, "zoe"),
    }
    for entry in names.values():
        queue.add(entry)
    order = []
    while (entry := queue.pop(0.0)) is not None:
        order.append(next(name for name, each in names.items() if each is entry))
    assert order == ["critical", "ann soon", "bob", "cyd", "dot", "ann late", "low"]
