"""One thread that keeps everybody's deadline."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from astraweave.core.protocols import Clock

__all__ = ["Deadlines"]


class _Ends(Protocol):
    @property
    def done(self) -> bool: ...


T = TypeVar("T", bound=_Ends)


class Deadlines(Generic[T]):
    """Calls `due` with each item that is not done at its deadline. Thread-safe.

    Nothing is taken out when an item is done: it is skipped when its time comes, and all that are
    done are swept out when there may be more of them than of the others. The thread is woken only
    for a deadline that is earlier than the one it sleeps for.

    Parameters
    ----------
    clock : Clock
        Whose `monotonic` deadlines are in.
    due : callable
        Called in the thread; must not raise.
    """

    def __init__(self, clock: Clock, due: Callable[[T], None]) -> None:
        self._clock = clock
        self._due = due
        self._heap: list[tuple[float, int, T]] = []
        self._numbers = itertools.count()
        self._news = threading.Condition(threading.Lock())
        self._wakes_at = math.inf
        self._sweep_at = 64
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="astraweave-deadlines", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, deadline: float, item: T) -> None:
        """Keep a deadline."""
        with self._news:
            heapq.heappush(self._heap, (deadline, next(self._numbers), item))
            if len(self._heap) > self._sweep_at:
                self._heap = [each for each in self._heap if not each[2].done]
                heapq.heapify(self._heap)
                self._sweep_at = max(64, 2 * len(self._heap))
            if deadline < self._wakes_at:
                self._news.notify()

    def close(self, timeout: float | None = None) -> None:
        """End the thread. Calling it again does nothing."""
        with self._news:
            self._closing = True
            self._heap.clear()
            self._news.notify()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        while (due := self._next()) is not None:
            for item in due:
                self._due(item)
            del due  # keep nothing alive while waiting

    def _next(self) -> list[T] | None:
        """What is due, once something is; None: it is time to go."""
        with self._news:
            while not self._closing:
                now = self._clock.monotonic()
                due = []
                while self._heap and (self._heap[0][0] <= now or self._heap[0][2].done):
                    item = heapq.heappop(self._heap)[2]
                    if not item.done:
                        due.append(item)
                if due:
                    self._wakes_at = -math.inf  # it looks again before it sleeps
                    return due
                self._wakes_at = self._heap[0][0] if self._heap else math.inf
                left = self._wakes_at - now
                self._news.wait(None if left > threading.TIMEOUT_MAX else left)
            return None
