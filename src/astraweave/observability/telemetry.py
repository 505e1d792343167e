"""Counts and durations, kept in memory.

A counter is one addition and a span two clock reads and an append, under a lock that is held for
no longer than that: nothing is lost when threads count together, with or without the GIL.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from types import TracebackType

import msgspec

__all__ = ["NULL_TELEMETRY", "Distribution", "Span", "Telemetry"]

_KEPT = 4096
"""Latest durations kept for each span name."""


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """Durations of one span name, in milliseconds; quantiles over the latest ones."""

    count: int
    total_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Span:
    """One measured stretch of work; use it in a `with` statement."""

    __slots__ = ("_name", "_start", "_telemetry", "duration_ms")

    def __init__(self, telemetry: Telemetry, name: str) -> None:
        self._telemetry = telemetry
        self._name = name
        self._start = 0
        self.duration_ms = 0.0

    def __enter__(self) -> Span:
        self._start = time.perf_counter_ns()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.duration_ms = (time.perf_counter_ns() - self._start) / 1e6
        self._telemetry.observe(self._name, self.duration_ms)


class _NoSpan(Span):
    __slots__ = ()

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        return


class Telemetry:
    """Counters and spans of one world.

    Thread-safe.

    Parameters
    ----------
    enabled : bool
        False: every method returns at once and nothing is kept.

    Examples
    --------
    >>> telemetry = Telemetry()
    >>> telemetry.count("replies")
    >>> with telemetry.span("retrieve"):
    ...     pass
    >>> telemetry.counters["replies"], telemetry.spans()["retrieve"].count
    (1, 1)
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self.counters: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._spans: dict[str, deque[float]] = {}
        self._totals: dict[str, tuple[int, float]] = {}
        self._no_span = _NoSpan(self, "")

    def count(self, name: str, n: int = 1) -> None:
        """Add `n` to a counter."""
        if self.enabled:
            with self._lock:
                self.counters[name] += n

    def span(self, name: str) -> Span:
        """Measure a `with` block under this name."""
        return Span(self, name) if self.enabled else self._no_span

    def observe(self, name: str, duration_ms: float) -> None:
        """Add a duration that was measured elsewhere."""
        if not self.enabled:
            return
        with self._lock:
            kept = self._spans.get(name)
            if kept is None:
                kept = self._spans[name] = deque(maxlen=_KEPT)
            kept.append(duration_ms)
            count, total = self._totals.get(name, (0, 0.0))
            self._totals[name] = (count + 1, total + duration_ms)

    def spans(self) -> dict[str, Distribution]:
        """What was measured so far, by name."""
        with self._lock:
            copies = {name: (list(kept), self._totals[name]) for name, kept in self._spans.items()}
        result = {}
        for name, (kept, (count, total)) in copies.items():
            ordered = sorted(kept)
            result[name] = Distribution(
                count=count,
                total_ms=total,
                p50_ms=_quantile(ordered, 0.5),
                p95_ms=_quantile(ordered, 0.95),
                p99_ms=_quantile(ordered, 0.99),
                max_ms=ordered[-1],
            )
        return result


def _quantile(ordered: list[float], q: float) -> float:
    """The smallest value that at least a share `q` of all values does not exceed."""
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


NULL_TELEMETRY = Telemetry(enabled=False)
"""Shared by everything that was given no telemetry; keeps nothing."""
