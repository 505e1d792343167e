"""The only place that reads the machine's clock."""

from __future__ import annotations

import time

__all__ = ["ManualClock", "SystemClock", "monotonic_ns"]

monotonic_ns = time.perf_counter_ns
"""Machine time in nanoseconds, for budgets and measurements that no replay depends on."""


class SystemClock:
    """Game time runs with the machine's, from `start` on.

    Parameters
    ----------
    start : float
        Game time in seconds at construction.
    scale : float
        Game seconds per real second.
    """

    def __init__(self, start: float = 0.0, scale: float = 1.0) -> None:
        self._scale = scale
        self._start = start
        self._origin = time.monotonic()

    def now(self) -> float:
        """Game time in seconds."""
        return self._start + (time.monotonic() - self._origin) * self._scale

    def monotonic(self) -> float:
        """Machine time in seconds."""
        return time.monotonic()

    def set(self, now: float) -> None:
        """Let game time go on from `now` (a save was loaded)."""
        self._start, self._origin = now, time.monotonic()


class ManualClock:
    """Game time moves only when the game says so; machine time is real.

    Examples
    --------
    >>> clock = ManualClock()
    >>> clock.advance(60.0)
    >>> clock.now()
    60.0
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        """Game time in seconds."""
        return self._now

    def monotonic(self) -> float:
        """Machine time in seconds."""
        return time.monotonic()

    def advance(self, seconds: float) -> None:
        """Move game time forward."""
        self._now += seconds

    def set(self, now: float) -> None:
        """Move game time anywhere (a save was loaded)."""
        self._now = now
