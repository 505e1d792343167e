"""A game's loop, measured as a game would feel it."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence

import msgspec

from astraweave.core.clock import monotonic_ns

__all__ = ["LATE_MS", "FrameLoop", "FrameReport", "Swarm", "quantile"]

LATE_MS = 4.0
"""A frame that starts this much after its time is seen as a stutter at 60 Hz."""


class FrameReport(msgspec.Struct, frozen=True, kw_only=True):
    """Quantiles over the frames of one stretch, in microseconds.

    Attributes
    ----------
    frames, late : int
        How many ran, and how many began more than 4 ms after their time.
    tick_us_p50, tick_us_p99, tick_us_p999, tick_us_max : float
        Time inside the measured call.
    work_us_p50, work_us_p99, work_us_p999 : float
        Time of the game's own work in the same frames.
    frame_us_p99, frame_us_p999 : float
        From the frame's beginning to the end of its work.
    wake_us_p50, wake_us_p99, wake_us_p999, wake_us_max : float
        How late frames began: what the operating system and the interpreter's lock cost.
    """

    frames: int
    late: int
    tick_us_p50: float
    tick_us_p99: float
    tick_us_p999: float
    tick_us_max: float
    work_us_p50: float
    work_us_p99: float
    work_us_p999: float
    frame_us_p99: float
    frame_us_p999: float
    wake_us_p50: float
    wake_us_p99: float
    wake_us_p999: float
    wake_us_max: float


class FrameLoop:
    """Runs frames at a fixed rate: a tick, what the game asks, the game's own work, then sleep.

    Parameters
    ----------
    hz : float
        Frames a second.
    work : callable, optional
        The game's own work each frame; by default `Swarm`, about 1 ms of plain Python.
    """

    def __init__(self, hz: float = 60.0, work: Callable[[], None] | None = None) -> None:
        self.period_ns = int(1e9 / hz)
        self.work = work or Swarm()
        self._next = 0
        self._tick = array("d")
        self._work = array("d")
        self._frame = array("d")
        self._wake = array("d")

    def __len__(self) -> int:
        """Measured frames so far."""
        return len(self._tick)

    def resume(self) -> None:
        """Begin the cadence anew: the game did something else meanwhile (a menu, a loading)."""
        self._next = 0

    def frame(
        self,
        tick: Callable[[], object],
        ask: Callable[[], object] | None = None,
        *,
        measured: bool = True,
    ) -> None:
        """One frame; sleeps until its time has come.

        Parameters
        ----------
        tick : callable
            Measured by itself.
        ask : callable, optional
            What else the game calls in this frame; part of the frame, of neither tick nor work.
        measured : bool
            False: a frame to warm up.
        """
        now = monotonic_ns()
        if not self._next or now - self._next > 10 * self.period_ns:
            self._next = now  # the first frame, or the game was stopped: begin anew
        if self._next > now:
            time.sleep((self._next - now) / 1e9)
        start = monotonic_ns()
        tick()
        ticked = monotonic_ns()
        if ask is not None:
            ask()
        asked = monotonic_ns()
        self.work()
        worked = monotonic_ns()
        if measured:
            self._wake.append((start - self._next) / 1e3)
            self._tick.append((ticked - start) / 1e3)
            self._work.append((worked - asked) / 1e3)
            self._frame.append((worked - start) / 1e3)
        self._next += self.period_ns

    def report(self) -> FrameReport:
        """What the frames so far measured."""
        tick, work = sorted(self._tick), sorted(self._work)
        frame, wake = sorted(self._frame), sorted(self._wake)
        return FrameReport(
            frames=len(tick),
            late=sum(1 for late in wake if late > LATE_MS * 1e3),
            tick_us_p50=quantile(tick, 0.5),
            tick_us_p99=quantile(tick, 0.99),
            tick_us_p999=quantile(tick, 0.999),
            tick_us_max=tick[-1] if tick else 0.0,
            work_us_p50=quantile(work, 0.5),
            work_us_p99=quantile(work, 0.99),
            work_us_p999=quantile(work, 0.999),
            frame_us_p99=quantile(frame, 0.99),
            frame_us_p999=quantile(frame, 0.999),
            wake_us_p50=quantile(wake, 0.5),
            wake_us_p99=quantile(wake, 0.99),
            wake_us_p999=quantile(wake, 0.999),
            wake_us_max=wake[-1] if wake else 0.0,
        )


def quantile(ordered: Sequence[float], q: float) -> float:
    """The value below which the share `q` of sorted values lies; 0 when there are none."""
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else 0.0


class Swarm:
    """A stand-in for a game's update: things that move and bounce, in plain Python.

    It holds the interpreter for about 1 ms, as the update of a small game does: long enough to
    suffer when other threads take the interpreter, the caches or the core away.
    """

    def __init__(self, count: int = 20_000) -> None:
        self._x = [float(i % 1000) for i in range(count)]
        self._v = [1.0 + i % 7 for i in range(count)]

    def __call__(self) -> None:
        """One update."""
        x, v = self._x, self._v
        for i, speed in enumerate(v):
            place = x[i] + speed * 0.016
            x[i] = place if place < 1000.0 else 0.0
