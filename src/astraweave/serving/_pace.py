"""How fast a model puts up with being asked, found out from its refusals."""

from __future__ import annotations

__all__ = ["Pace"]

_HALF = 0.5
_SLOWEST = 0.5
_STEP_S = 0.2
_STEPS_TO_PEAK = 5
_SPAN = 2.0
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 2.0


class Pace:
    """Requests a second that a model stands: halved when it refuses, raised step by step (AIMD).

    There is one only for a model that has refused something. A step is a fifth of the fastest that
    it stood before the refusal, so it is back there after a second of answers, whatever the
    scale; past twice that rate nothing holds it any more. Not thread-safe.
    """

    __slots__ = ("_blocked", "_next", "_peak", "_raised", "_rate", "_refused", "_row", "_taken")

    def __init__(self, now: float) -> None:
        self._rate: float | None = None
        self._peak = 0.0
        self._next = now
        self._blocked = now
        self._refused = float("-inf")
        self._raised = now
        self._row = 0
        self._taken: list[float] = []

    def refused(self, now: float, retry_after_s: float | None, *, slow: bool) -> None:
        """It said 429."""
        if retry_after_s is None:
            # Many calls are refused together; one pause answers them all.
            if now >= self._blocked:
                pause = min(_FIRST_PAUSE * 2.0 ** min(self._row, 8), _LONGEST_PAUSE)
                self._row += 1
                self._blocked = now + pause
        else:
            self._blocked = max(self._blocked, now + max(0.0, retry_after_s))
        if slow and now - self._refused >= _STEP_S:
            seen = max(self._seen(now), _SLOWEST)
            self._peak = max(self._peak, seen) if self._rate is not None else max(seen, 10.0)
            before = self._peak if self._rate is None else self._rate
            self._rate = max(before * _HALF, _SLOWEST)
        self._refused = now
        self._raised = now

    def answered(self, now: float) -> bool:
        """It answered; whether nothing needs to hold it back any more."""
        if now < self._blocked:
            return False
        self._row = 0
        if self._rate is None:
            return True
        if now - self._raised >= _STEP_S:
            steps = min((now - self._raised) // _STEP_S, 2.0)
            self._rate += steps * max(self._peak / _STEPS_TO_PEAK, _SLOWEST)
            self._raised = now
        return self._rate >= 2 * self._peak

    def wait(self, now: float, ahead: int) -> float:
        """Seconds until the next may go when `ahead` go before it."""
        start = max(self._blocked, self._next)
        if self._rate is not None:
            start = max(start, now) + ahead / self._rate if ahead else start
        return max(0.0, start - now)

    def take(self, now: float) -> None:
        """One goes."""
        self._taken.append(now)
        if len(self._taken) > 512:
            del self._taken[:256]
        if self._rate is not None:
            self._next = max(self._next, now - 0.1) + 1 / self._rate

    def _seen(self, now: float) -> float:
        """Requests a second lately."""
        return sum(at > now - _SPAN for at in self._taken) / _SPAN
