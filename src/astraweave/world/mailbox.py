"""Where finished work waits for the game's thread.

Any thread posts; only the game's thread delivers. Posting never waits for the game, and delivering
stops when its budget is spent, so the game never waits for the runtime.

What waits is kept by the native mailbox (``csrc/mailbox``). Under the GIL a `collections.deque`
would do, and its append takes half as long (25 ns to 50). The native one is there for what a deque
has not: pieces of urgent lines come first within a tick; a frame's worth is delivered by one call,
a third faster; whoever sleeps is woken once and not for every piece (setting an event costs ten
times what posting does, waking an event loop forty times); and none of it leans on the GIL: a
thread that is stopped in the middle of posting holds up nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable

from astraweave._native import Mailbox as _Native
from astraweave.core.clock import monotonic_ns
from astraweave.llm import PRIORITIES, Priority

__all__ = ["Mailbox"]

Delivery = Callable[[], None]

_LANE = {priority: lane for lane, priority in enumerate(PRIORITIES)}


class Mailbox:
    """Deliveries, the urgent ones first; those of equal urgency in the order of posting.

    Attributes
    ----------
    after : callable
        Called on the game's thread when deliveries have been run for somebody who waits for them.
        Whoever calls `deliver` knows that much already.
    """

    def __init__(self) -> None:
        self._items = _Native()
        self.after: Callable[[], None] = lambda: None
        self._arrived = threading.Event()
        # Replaced, never changed: other threads go over it without a lock.
        self._loops: dict[asyncio.AbstractEventLoop, int] = {}

    def __len__(self) -> int:
        return len(self._items)

    def post(self, delivery: Delivery, priority: Priority = "normal") -> None:
        """Add a delivery; from any thread."""
        if self._items.post(delivery, _LANE[priority]):
            self._wake()

    def deliver(self, budget_us: float = math.inf) -> int:
        """Run deliveries until none is left or the budget is spent; on the game's thread.

        What a delivery raises is raised; the others wait for the next call.

        Returns
        -------
        int
            How many were run; at least one where there was one.
        """
        return self._items.deliver(-1 if budget_us == math.inf else max(0, int(budget_us * 1000)))

    def deliver_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Deliver, waiting for more, until `done` or the time is over; returns whether `done`."""
        stop = monotonic_ns() + timeout_s * 1e9
        while True:
            self._arrived.clear()
            self._items.arm()
            self._deliver()
            if done():
                return True
            left = (stop - monotonic_ns()) / 1e9
            if left <= 0 or not self._arrived.wait(left):
                self._deliver()
                return done()

    def listen(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Deliver on `loop` whatever is posted, until the returned function is called."""
        self._count(loop, 1)
        loop.call_soon(self._deliver_on_loop, loop)
        return lambda: self._count(loop, -1)

    def _deliver_on_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        self._items.arm()
        try:
            self._deliver()
        finally:
            if len(self):  # one of them has raised
                loop.call_soon(self._deliver_on_loop, loop)

    def _deliver(self) -> None:
        try:
            self.deliver()
        finally:
            self.after()

    def _wake(self) -> None:
        """Tell all who may sleep; they arm the mailbox again before they look."""
        self._arrived.set()
        for loop in self._loops:
            # A loop that ended without closing its generators has nobody left to deliver to.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._deliver_on_loop, loop)

    def _count(self, loop: asyncio.AbstractEventLoop, change: int) -> None:
        counts = {other: count for other, count in self._loops.items() if not other.is_closed()}
        counts[loop] = counts.get(loop, 0) + change
        if counts[loop] <= 0:
            del counts[loop]
        self._loops = counts
