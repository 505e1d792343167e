"""So many calls at once, and the rest waits or goes away."""

from __future__ import annotations

import bisect
import itertools
import threading
from collections import Counter
from collections.abc import Callable

from astraweave.errors import CapacityError
from astraweave.llm import PRIORITIES, Priority
from astraweave.serving.policies import BulkheadSettings

__all__ = ["Berth", "Bulkhead"]

_RANK = {priority: rank for rank, priority in enumerate(PRIORITIES)}


class Berth:
    """One call's room, or its place in the line for it. Thread-safe."""

    __slots__ = ("_bulkhead", "_ready", "entered", "left", "order", "use")

    def __init__(self, bulkhead: Bulkhead, use: str, ready: Callable[[], None]) -> None:
        self._bulkhead = bulkhead
        self._ready = ready
        self.order = (0, 0)
        self.use = use
        self.entered = False
        self.left = False

    def leave(self) -> None:
        """Give the room back, or the place in the line; twice does nothing."""
        self._bulkhead._leave(self)


class Bulkhead:
    """Counts the calls of one model, and of each use of it. Thread-safe.

    Parameters
    ----------
    settings : BulkheadSettings
        How many.
    """

    def __init__(self, settings: BulkheadSettings = BulkheadSettings()) -> None:  # noqa: B008
        self._settings = settings
        self._lock = threading.Lock()
        self._running = 0
        self._uses: Counter[str] = Counter()
        self._waiting: list[Berth] = []
        self._numbers = itertools.count()

    @property
    def running(self) -> int:
        """Calls inside."""
        return self._running

    @property
    def waiting(self) -> int:
        """Calls in the line."""
        return len(self._waiting)

    def enter(
        self,
        use: str,
        ready: Callable[[], None],
        *,
        priority: Priority = "normal",
        wait: bool = True,
    ) -> Berth:
        """Ask for room; look at `Berth.entered` first.

        Parameters
        ----------
        ready : callable
            Called once when a call that had to wait gets room.
        wait : bool
            False: now or not at all.

        Raises
        ------
        CapacityError
            There is no room, and none in the line.
        """
        with self._lock:
            berth = Berth(self, use, ready)
            # Who has room goes in past the line: the line is there because their use is full.
            if self._has_room(use):
                self._admit(berth)
            elif not wait or len(self._waiting) >= self._settings.max_waiting:
                raise CapacityError(
                    f"{self._running} calls run and {len(self._waiting)} wait already (bulkhead); "
                    "ask less at once, or allow more",
                    running=self._running,
                    waiting=len(self._waiting),
                    use=use,
                )
            else:
                berth.order = (_RANK[priority], next(self._numbers))
                bisect.insort(self._waiting, berth, key=lambda other: other.order)
        return berth

    def apply(self, settings: BulkheadSettings) -> None:
        """Go on under other numbers; who is inside stays."""
        with self._lock:
            self._settings = settings
            woken = self._let_in()
        for berth in woken:
            berth._ready()

    def _has_room(self, use: str) -> bool:
        have = self._settings
        return self._running < have.calls and self._uses[use] < have.uses.get(use, have.calls)

    def _admit(self, berth: Berth) -> None:
        berth.entered = True
        self._running += 1
        self._uses[berth.use] += 1

    def _leave(self, berth: Berth) -> None:
        with self._lock:
            if berth.left:
                return
            berth.left = True
            if not berth.entered:
                self._waiting.remove(berth)
                return
            self._running -= 1
            self._uses[berth.use] -= 1
            if not self._uses[berth.use]:
                del self._uses[berth.use]
            woken = self._let_in() if self._waiting else ()
        for other in woken:
            other._ready()

    def _let_in(self) -> list[Berth]:
        woken = []
        for berth in self._waiting:
            if self._running >= self._settings.calls:
                break
            if self._has_room(berth.use):
                self._admit(berth)
                woken.append(berth)
        if woken:
            self._waiting = [berth for berth in self._waiting if not berth.entered]
        return woken
