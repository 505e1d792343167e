"""Who goes next. Decided when a place is free, never on arrival.

Among those who may run now (an owner that has as many running as it may have waits, and holds up
nobody else):

1. The most urgent priority.
2. Within a priority every owner gets a turn before any owner gets a second one. Whoever comes
   while others wait joins in the round that is on; nobody remembers a round once nobody waits.
   Requests without an owner share one turn.
3. Within a round the earliest deadline; who has none comes behind all that have one.
4. Then first come, first served.

So that nothing starves, every eighth start (`ELDERS_TURN`) belongs to whoever has waited longest,
if that is longer than `ageing_s`. That bounds the wait whatever else arrives: a request that is
that old and has k older ones before it is started within 8 (k + 1) starts (not counting those that
its owner's limit holds back). And it bounds the harm: at most an eighth of the starts is taken from
the urgent, however long the queue of the old has become.

`rank` is the order as a function; `ReadyQueue` gives the same answers from heaps.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from astraweave.llm import PRIORITIES

__all__ = ["ELDERS_TURN", "LEVELS", "ROUND", "Entry", "ReadyQueue", "rank"]

LEVELS = len(PRIORITIES)
ELDERS_TURN = 8
ROUND = 1024
"""A round also ends after so many owners, lest one go on for ever."""


class Entry(Protocol):
    """What waits.

    Attributes
    ----------
    level : int
        Index into `PRIORITIES`.
    owner : str
        Who gets a turn with it; empty: nobody in particular, and no limit holds it back.
    deadline : float
        Machine time; `math.inf` for none.
    since : float
        Machine time from which it waits.
    seq : int
        Its number in the queue; the queue writes it.

    Nothing but the queue may change these while it waits.
    """

    level: int
    owner: str
    deadline: float
    since: float
    seq: int


E = TypeVar("E", bound=Entry)


def rank(entry: Entry, turn: int) -> tuple[int, int, float, int]:
    """The smallest goes first; `turn` is the round in which its owner's next turn is."""
    return (entry.level, turn, entry.deadline, entry.seq)


class ReadyQueue(Generic[E]):
    """Entries that wait, in the order of this module. Not thread-safe.

    Adding, removing and popping cost O(log n).

    Parameters
    ----------
    per_owner : int or None
        How many of one owner may run at once; None: any number.
    ageing_s : float
        Seconds of waiting after which the elders' turn may fall to an entry.
    """

    def __init__(self, *, per_owner: int | None = None, ageing_s: float = 2.0) -> None:
        self._per_owner = per_owner
        self._ageing_s = ageing_s
        self._levels: list[_Level[E]] = [_Level() for _ in range(LEVELS)]
        self._running: Counter[str] = Counter()
        self._size = 0
        self._seq = 0
        self._starts = 0
        """Since the last elders' turn."""

    def __len__(self) -> int:
        return self._size

    def may_run(self, owner: str) -> bool:
        """Whether its owner's limit lets one more run."""
        return self._per_owner is None or not owner or self._running[owner] < self._per_owner

    def begin(self, owner: str) -> None:
        """One of `owner` runs that was never added."""
        if owner and self._per_owner is not None:
            self._running[owner] += 1

    def release(self, owner: str) -> None:
        """One that was popped, or begun, has ended."""
        if not owner or self._per_owner is None:
            return
        self._running[owner] -= 1
        if not self._running[owner]:
            del self._running[owner]
        for level in self._levels:
            level.unpark(owner)

    def add(self, entry: E) -> None:
        """Let it wait, as the last of those that are its equals."""
        self._seq += 1
        entry.seq = self._seq
        self._levels[entry.level].add(entry)
        self._size += 1

    def remove(self, entry: E) -> bool:
        """Whether it was waiting."""
        removed = self._levels[entry.level].remove(entry)
        self._size -= removed
        return removed

    def pop(self, now: float) -> E | None:
        """Take out what is next and may run, and count it as running; None: there is nothing."""
        entry = self._elder(now) if self._starts + 1 >= ELDERS_TURN else None
        if entry is not None:
            self._starts = 0
            self._levels[entry.level].remove(entry)
        else:
            entry = next(filter(None, (level.take(self.may_run) for level in self._levels)), None)
            if entry is None:
                return None
            self._starts += 1
        self._size -= 1
        self.begin(entry.owner)
        return entry

    def shed(self, level: int) -> E | None:
        """Take out the youngest of the least urgent, if that is less urgent than `level`."""
        for least in reversed(self._levels[level + 1 :]):
            if least.waiting:
                entry = least.waiting[next(reversed(least.waiting))]
                self.remove(entry)
                return entry
        return None

    def _elder(self, now: float) -> E | None:
        found: E | None = None
        for level in self._levels:
            for entry in level.waiting.values():
                if found is not None and entry.seq > found.seq:
                    break
                if self.may_run(entry.owner):
                    found = entry
                    break
        return found if found is not None and now - found.since >= self._ageing_s else None


class _Level(Generic[E]):
    """One priority: a heap of deadlines for each owner, and a heap of the owners' first ones.

    Both are lazy. An offer counts only while it says what is true: that this entry is the first of
    its owner's and that this is the owner's turn. Owners whose limit is reached are parked.
    """

    def __init__(self) -> None:
        self.waiting: OrderedDict[int, E] = OrderedDict()
        """By number, so that the eldest is first and the youngest last."""
        self._lines: dict[str, list[tuple[float, int]]] = {}
        self._offers: list[tuple[int, float, int, str]] = []
        self._turns: dict[str, int] = {}
        self._turn = 0
        self._parked: set[str] = set()

    def add(self, entry: E) -> None:
        line = self._lines.get(entry.owner)
        if line is None:
            line = self._lines[entry.owner] = []
            self._turns[entry.owner] = max(self._turns.get(entry.owner, 0), self._turn)
        self.waiting[entry.seq] = entry
        heapq.heappush(line, (entry.deadline, entry.seq))
        if line[0][1] == entry.seq:
            self._offer(entry.owner)

    def remove(self, entry: E) -> bool:
        if self.waiting.pop(entry.seq, None) is None:
            return False
        line = self._lines[entry.owner]
        if line[0][1] == entry.seq:
            self._offer(entry.owner)
        elif len(line) > 64 + 2 * len(self.waiting):
            line[:] = [(deadline, seq) for deadline, seq in line if seq in self.waiting]
            heapq.heapify(line)
        if not self.waiting:
            self._forget()
        return True

    def take(self, may_run: Callable[[str], bool]) -> E | None:
        """The first that may run, with its owner's turn."""
        while self._offers:
            turn, _, seq, owner = self._offers[0]
            line = self._lines.get(owner)
            if line is None or line[0][1] != seq or self._turns[owner] != turn:
                heapq.heappop(self._offers)
            elif not may_run(owner):
                heapq.heappop(self._offers)
                self._parked.add(owner)
            else:
                self._turn = max(self._turn, turn)
                self._turns[owner] = turn + 1
                if len(self._turns) > ROUND:
                    self._new_round()
                entry = self.waiting[seq]
                self.remove(entry)
                return entry
        return None

    def unpark(self, owner: str) -> None:
        if owner in self._parked:
            self._parked.discard(owner)
            self._offer(owner)

    def _offer(self, owner: str) -> None:
        """Let an owner stand where the first of its line belongs."""
        line = self._lines.get(owner)
        while line and line[0][1] not in self.waiting:
            heapq.heappop(line)
        if not line:
            self._lines.pop(owner, None)
            return
        if len(self._offers) > 64 + 4 * len(self.waiting):
            self._offers = [
                (self._turns[each], *self._lines[each][0], each)
                for each in self._lines
                if each not in self._parked and each != owner
            ]
            heapq.heapify(self._offers)
        heapq.heappush(self._offers, (self._turns[owner], *line[0], owner))

    def _new_round(self) -> None:
        self._turn += 1
        self._turns = {owner: self._turns[owner] for owner in self._lines}

    def _forget(self) -> None:
        self._offers.clear()
        self._turns.clear()
        self._parked.clear()
        self._turn = 0
