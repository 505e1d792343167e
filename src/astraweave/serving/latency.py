"""How long a model takes, learnt from what it did, and how long it is therefore worth waiting."""

from __future__ import annotations

import math
import threading

from astraweave.errors import InputError
from astraweave.serving.policies import TimeoutSettings

__all__ = ["LatencyBook", "Patience", "QuantileSketch"]

_SMALLEST = 1e-5
"""Seconds; what is faster counts as this."""
_LARGEST = 1e4
_DOZEN = 12


class QuantileSketch:
    """Quantiles of a stream of durations, the latest counting most. Thread-safe.

    Durations fall into buckets whose edges grow by a constant ratio, so every quantile is right to
    a relative error and no more than about 220 counts are kept, however many durations come
    (DDSketch, Masson et al., VLDB 2019). Once `memory` durations' weight is there all counts are
    halved: a model that became slower is believed after some `memory` calls, not after as many as
    there ever were.

    Parameters
    ----------
    relative_error : float
        Of a quantile, above 0 and below 1.
    memory : int
        About how many of the latest durations count.

    Examples
    --------
    >>> sketch = QuantileSketch()
    >>> for ms in range(1, 101):
    ...     sketch.add(ms / 1000)
    >>> round(sketch.quantile(0.5), 2), len(sketch)
    (0.05, 100)
    """

    def __init__(self, relative_error: float = 0.05, memory: int = 512) -> None:
        if not 0 < relative_error < 1 or memory < 2:
            raise InputError("relative_error must be between 0 and 1, and memory 2 or more")
        ratio = (1 + relative_error) / (1 - relative_error)
        self._scale = 1 / math.log(ratio)
        self._middle = 2 / (1 + ratio)  # of a bucket, seen from its upper edge
        self._ratio = ratio
        self._memory = memory
        self._lowest = math.ceil(math.log(_SMALLEST) * self._scale)
        # Of fixed length and without a lock: threads that add at the same moment may lose a count,
        # which no quantile notices, and nobody can come upon a half-changed list.
        self._counts = [0.0] * (math.ceil(math.log(_LARGEST) * self._scale) - self._lowest + 1)
        self._weight = 0.0
        self._seen = 0

    def add(self, seconds: float) -> None:
        """Count a duration."""
        if not _SMALLEST <= seconds <= _LARGEST:
            seconds = _SMALLEST if seconds < _SMALLEST else _LARGEST
        self._counts[math.ceil(math.log(seconds) * self._scale) - self._lowest] += 1.0
        self._weight += 1.0
        self._seen += 1
        if self._weight >= self._memory:
            self._counts = [n / 2 if n > 1 / 16 else 0.0 for n in self._counts]
            self._weight = sum(self._counts)

    def quantile(self, q: float) -> float:
        """Seconds that a share `q` of the durations does not exceed; NaN before the first."""
        counts = self._counts
        want = q * sum(counts) - 1e-9
        seen = 0.0
        for bucket, count in enumerate(counts, self._lowest):
            seen += count
            if count and seen >= want:
                return float(self._ratio**bucket * self._middle)
        return math.nan

    def __len__(self) -> int:
        """Durations that were added, forgotten ones included."""
        return self._seen


class Patience:
    """How long to wait for one use of one model. Thread-safe.

    The wait is a multiple of the 99th percentile of what was seen, between a floor and a ceiling.
    Calls that were given up are counted as having lasted as long as they were waited for: the truth
    is longer, but so a model that has become slower stretches the wait, step by step, instead of
    being cut off for ever by what it once was. They are believed by the dozen, for a model that has
    gone silent must not stretch anything before its breaker has noticed.

    Attributes
    ----------
    first, total : QuantileSketch
        Seconds to the first words, and to the end.
    """

    __slots__ = ("_due", "_given_up", "_settings", "_waits", "first", "total")

    def __init__(self, settings: TimeoutSettings) -> None:
        self.first = QuantileSketch()
        self.total = QuantileSketch()
        self._settings = settings
        self._waits = (settings.cold_first_s, settings.cold_total_s)
        self._due = settings.learn_after
        self._given_up: list[tuple[QuantileSketch, float]] = []

    def gave_up(self, seconds: float, *, spoke: bool) -> None:
        """A call was given up after so long; it had said its first words, or not."""
        waiting = self._given_up
        waiting.append((self.total if spoke else self.first, seconds))
        if len(waiting) >= _DOZEN:
            self._given_up = []
            for sketch, waited in waiting:
                sketch.add(waited)

    def waits(self) -> tuple[float, float]:
        """Longest waits in seconds: for the first words, and for the whole answer."""
        if self.first._seen >= self._due or self.total._seen >= self._due:
            self._learn()
        return self._waits

    def expected_first_s(self) -> float:
        """What hardly any first word exceeds: the 95th percentile; NaN while nothing is known."""
        if self.first._seen < self._settings.learn_after:
            return math.nan
        return self.first.quantile(0.95)

    def apply(self, settings: TimeoutSettings) -> None:
        """Go on under other settings with what was learnt."""
        self._settings = settings
        self._learn()

    def _learn(self) -> None:
        have = self._settings
        first, total = have.cold_first_s, have.cold_total_s
        if len(self.first) >= have.learn_after:
            first = self.first.quantile(0.99) * have.factor
        if len(self.total) >= have.learn_after:
            total = self.total.quantile(0.99) * have.factor
        self._waits = (
            min(max(first, have.floor_first_s), have.ceiling_first_s),
            min(max(total, have.floor_total_s), have.ceiling_total_s),
        )
        # A quantile costs as much as a few calls; every 16th call pays it.
        self._due = max(len(self.first), len(self.total), have.learn_after - 16) + 16


class LatencyBook:
    """A `Patience` for every use. Thread-safe.

    Parameters
    ----------
    settings : dict of str to TimeoutSettings
        By use; uses that it does not name get `other`.
    other : TimeoutSettings
        For all others.
    """

    _MOST_USES = 64

    def __init__(self, settings: dict[str, TimeoutSettings], other: TimeoutSettings) -> None:
        self._lock = threading.Lock()
        self._settings = settings
        self._other = other
        self._uses: dict[str, Patience] = {}

    def __getitem__(self, use: str) -> Patience:
        patience = self._uses.get(use)
        if patience is None:
            with self._lock:
                if len(self._uses) >= self._MOST_USES and use not in self._settings:
                    use = ""  # a use is a kind of thing, not a name for each call
                patience = self._uses.setdefault(
                    use, Patience(self._settings.get(use, self._other))
                )
        return patience

    def apply(self, settings: dict[str, TimeoutSettings], other: TimeoutSettings) -> None:
        """Go on under other settings with what was learnt."""
        with self._lock:
            self._settings, self._other = settings, other
            uses = dict(self._uses)
        for use, patience in uses.items():
            patience.apply(settings.get(use, other))

    def waits(self) -> dict[str, tuple[float, float]]:
        """Longest waits in seconds by use, as they are now."""
        return {use: patience.waits() for use, patience in dict(self._uses).items()}
