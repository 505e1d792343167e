"""Alarms for thousands of calls on one thread."""

from __future__ import annotations

import heapq
import logging
import math
import threading
from collections.abc import Callable

from astraweave.core.clock import SystemClock
from astraweave.core.protocols import Clock

__all__ = ["Alarm", "Timers"]

_LOG = logging.getLogger(__name__)


class Alarm:
    """Something to do at a time."""

    __slots__ = ("_action", "_slot", "_timers")

    def __init__(self, timers: Timers, slot: int, action: Callable[[], None]) -> None:
        self._timers = timers
        self._slot = slot
        self._action = action

    def cancel(self) -> None:
        """Forget it; one that rings already is not stopped."""
        self._timers._forget(self)


class Timers:
    """Rings alarms, never early and at most `resolution_s` late as long as nobody blocks it.

    Most alarms of a road are cancelled, for most calls end well. So alarms of the same few
    milliseconds share a slot (a dict), cancelling takes one out of its slot in constant time, and
    nothing of it stays behind: a heap of single alarms would keep every cancelled one until its
    time. Thread-safe.

    Parameters
    ----------
    clock : Clock, optional
        Its `monotonic` is read.
    resolution_s : float
        Width of a slot.
    name : str
        Of the thread, which starts with the first alarm.
    threaded : bool
        False: nothing rings but in `run_due`; for tests with a clock of their own.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        resolution_s: float = 0.005,
        name: str = "astraweave-timers",
        threaded: bool = True,
    ) -> None:
        self._now = (clock or SystemClock()).monotonic
        self._resolution = resolution_s
        self._name = name
        self._changed = threading.Condition(threading.Lock())
        self._slots: dict[int, dict[Alarm, None]] = {}
        self._order: list[int] = []
        self._thread: threading.Thread | None = None
        self._threaded = threaded
        self._closed = False

    def at(self, when: float, action: Callable[[], None]) -> Alarm:
        """Call `action` at machine time `when`; on the timers' thread, so it must be short."""
        slot = math.ceil(when / self._resolution) if math.isfinite(when) else 0
        alarm = Alarm(self, slot, action)
        if not math.isfinite(when):
            return alarm  # for ever: never rings
        with self._changed:
            if self._closed:
                return alarm
            found = self._slots.get(slot)
            if found is None:
                self._slots[slot] = {alarm: None}
                heapq.heappush(self._order, slot)
                if self._order[0] == slot:
                    self._changed.notify()
            else:
                found[alarm] = None
            if self._thread is None and self._threaded:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        return alarm

    def run_due(self) -> float | None:
        """Ring what is due; when the next slot is, or None."""
        while True:
            with self._changed:
                while self._order and not self._slots[self._order[0]]:
                    del self._slots[heapq.heappop(self._order)]  # nobody wakes for the cancelled
                if not self._order:
                    return None
                due = self._order[0] * self._resolution
                if due > self._now():
                    return due
                ringing = self._slots.pop(heapq.heappop(self._order))
            for alarm in ringing:
                try:
                    alarm._action()
                except Exception:  # noqa: BLE001 - the others have to ring as well
                    _LOG.exception("an alarm failed")

    def close(self) -> None:
        """Ring nothing more and join the thread. Closing twice is allowed."""
        with self._changed:
            self._closed = True
            self._slots.clear()
            self._order.clear()
            self._changed.notify()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def __len__(self) -> int:
        """Alarms that are set."""
        with self._changed:
            return sum(map(len, self._slots.values()))

    def _forget(self, alarm: Alarm) -> None:
        with self._changed:
            slot = self._slots.get(alarm._slot)
            if slot is not None:
                slot.pop(alarm, None)

    def _run(self) -> None:
        while True:
            due = self.run_due()
            with self._changed:
                if self._closed:
                    return
                if due is None and self._order:
                    continue
                if self._order and due is not None and self._order[0] * self._resolution < due:
                    continue
                self._changed.wait(None if due is None else max(0.0, due - self._now()))
