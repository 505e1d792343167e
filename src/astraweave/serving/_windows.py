"""What was let through lately, and when there is room again."""

from __future__ import annotations

import math
from collections import deque

from astraweave.serving.policies import Rate

__all__ = ["Bucket", "Taken", "Window"]

_MINUTE = 60.0
_SLOTS = 6000
"""Parts of a window: what was let in within one part counts until the whole part is old."""


class Window:
    """What the last `length` seconds held, and when there is room again. Not thread-safe.

    Everything let in is kept until it is `length` old, so no window of that length ever holds more
    than `limit`: a bucket that refills would let through up to its size beyond.
    """

    __slots__ = ("_entries", "_slot", "length", "limit", "total")

    def __init__(self, limit: float, length: float) -> None:
        self.limit = limit
        self.length = length
        self.total = 0.0
        self._slot = length / _SLOTS
        self._entries: deque[list[float]] = deque()  # [end of its slot, amount]

    def add(self, now: float, amount: float) -> list[float]:
        end = (math.floor(now / self._slot) + 1) * self._slot
        entries = self._entries
        if entries and entries[-1][0] >= end:
            entry = entries[-1]
            entry[1] += amount
        else:
            entry = [end, amount]
            entries.append(entry)
        self.total += amount
        return entry

    def change(self, entry: list[float], difference: float) -> None:
        """Something turned out larger or smaller than it was announced to be."""
        if self._entries and entry[0] >= self._entries[0][0]:
            entry[1] += difference
            self.total += difference

    def wait(self, now: float, amount: float) -> float:
        """Seconds until `amount` fits; of more than the limit, until the last of it does."""
        entries, old = self._entries, now - self.length
        while entries and entries[0][0] <= old:
            self.total -= entries.popleft()[1]
        if not entries:
            self.total = 0.0  # without what rounding left over
        rounds = max(0, math.ceil(amount / self.limit - 1e-9) - 1)
        over = self.total + min(amount, self.limit) - self.limit
        wait = rounds * self.length
        if over > 1e-9:
            for end, gone in entries:
                over -= gone
                if over <= 1e-9:
                    return wait + end + self.length - now
        return wait


class Bucket:
    """The windows of one thing that is limited."""

    __slots__ = ("requests", "second", "tokens")

    def __init__(self, rate: Rate) -> None:
        self.requests = _window(rate.requests_per_minute, _MINUTE)
        self.tokens = _window(rate.tokens_per_minute, _MINUTE)
        self.second = _window(rate.requests_per_second, 1.0)

    def apply(self, rate: Rate) -> None:
        """Take over another rate; the windows keep what they hold."""
        self.requests = _window(rate.requests_per_minute, _MINUTE, self.requests)
        self.tokens = _window(rate.tokens_per_minute, _MINUTE, self.tokens)
        self.second = _window(rate.requests_per_second, 1.0, self.second)

    def announced(self, tokens: float) -> float:
        """What counts of `tokens`: one who asks for more than everything gets everything."""
        return min(tokens, self.tokens.limit) if self.tokens is not None else 0.0

    def wait(self, now: float, requests: int, tokens: float) -> float:
        wait = 0.0
        if self.requests is not None:
            wait = self.requests.wait(now, requests)
        if self.second is not None:
            wait = max(wait, self.second.wait(now, requests))
        if self.tokens is not None and tokens:
            wait = max(wait, self.tokens.wait(now, tokens))
        return wait

    def take(self, now: float, tokens: float) -> Taken | None:
        if self.requests is not None:
            self.requests.add(now, 1)
        if self.second is not None:
            self.second.add(now, 1)
        return (self.tokens, self.tokens.add(now, tokens)) if self.tokens is not None else None


Taken = tuple[Window, list[float]]


def _window(limit: int | None, length: float, before: Window | None = None) -> Window | None:
    if limit is None:
        return None
    if before is None:
        return Window(float(limit), length)
    before.limit = float(limit)
    return before
