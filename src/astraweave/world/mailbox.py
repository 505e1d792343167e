"""Where finished work waits for the game's thread.

Any thread posts; only the game's thread delivers. Posting is one append, so the runtime never
waits for the game, and delivering stops when its budget is spent, so the game never waits for the
runtime.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable

from astraweave.core.clock import monotonic_ns

__all__ = ["Mailbox"]

Delivery = Callable[[], None]


class Mailbox:
    """Deliveries in the order in which they were posted."""

    def __init__(self) -> None:
        self._items: deque[Delivery] = deque()
        self._arrived = threading.Event()
        # Replaced, never changed: other threads go over it without a lock.
        self._loops: dict[asyncio.AbstractEventLoop, int] = {}

    def __len__(self) -> int:
        return len(self._items)

    def post(self, delivery: Delivery) -> None:
        """Add a delivery; from any thread."""
        self._items.append(delivery)
        self._arrived.set()
        for loop in self._loops:
            # A loop that ended without closing its generators has nobody left to deliver to.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self.deliver)

    def deliver(self, budget_us: float = float("inf")) -> int:
        """Run deliveries until none is left or the budget is spent; on the game's thread.

        Returns
        -------
        int
            How many were run.
        """
        items = self._items
        if not items:
            return 0
        stop = monotonic_ns() + budget_us * 1000
        count = 0
        while items:
            items.popleft()()
            count += 1
            if monotonic_ns() >= stop:
                break
        return count

    def deliver_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Deliver, waiting for more, until `done` or the time is over; returns whether `done`."""
        stop = monotonic_ns() + timeout_s * 1e9
        while True:
            self._arrived.clear()
            self.deliver()
            if done():
                return True
            left = (stop - monotonic_ns()) / 1e9
            if left <= 0 or not self._arrived.wait(left):
                self.deliver()
                return done()

    def listen(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Deliver on `loop` whatever is posted, until the returned function is called."""
        self._count(loop, 1)
        loop.call_soon(self.deliver)
        return lambda: self._count(loop, -1)

    def _count(self, loop: asyncio.AbstractEventLoop, change: int) -> None:
        counts = {other: count for other, count in self._loops.items() if not other.is_closed()}
        counts[loop] = counts.get(loop, 0) + change
        if counts[loop] <= 0:
            del counts[loop]
        self._loops = counts
