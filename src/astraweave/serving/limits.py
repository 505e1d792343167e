"""How often a model may be asked: by the minute, by character, and as often as it puts up with."""

from __future__ import annotations

import bisect
import itertools
import math
import threading
from collections import OrderedDict
from collections.abc import Callable

from astraweave.core.clock import SystemClock
from astraweave.core.protocols import Clock
from astraweave.errors import CapacityError
from astraweave.llm import PRIORITIES, Priority
from astraweave.observability import NULL_TELEMETRY, Telemetry
from astraweave.serving._pace import Pace
from astraweave.serving._windows import Bucket, Taken
from astraweave.serving.policies import LimitSettings, Rate
from astraweave.serving.timers import Alarm, Timers

__all__ = ["RateLimited", "RateLimiter", "Reservation"]

_RANK = {priority: rank for rank, priority in enumerate(PRIORITIES)}


class RateLimited(CapacityError):
    """It would take too long until this may be asked; ``retry_after_s`` says how long."""


class Reservation:
    """A place among those that may ask. Thread-safe.

    Attributes
    ----------
    admitted : bool
        Whether it may ask now.
    wait_s : float
        As estimated when it was made: seconds until it may, if everybody before it goes first.
    """

    __slots__ = (
        "_keys",
        "_limiter",
        "_order",
        "_ready",
        "_taken",
        "_tokens",
        "admitted",
        "model",
        "wait_s",
    )

    def __init__(
        self,
        limiter: RateLimiter,
        model: str,
        keys: tuple[str, ...],
        tokens: float,
        order: tuple[int, int],
        ready: Callable[[], None],
    ) -> None:
        self._limiter = limiter
        self.model = model
        self._keys = keys
        self._tokens = tokens
        self._order = order
        self._ready = ready
        self._taken: list[Taken] | None = None
        self.admitted = False
        self.wait_s = 0.0

    def settle(self, tokens: int) -> None:
        """It ended, and really took so many tokens."""
        if self._taken:
            self._limiter._settle(self, tokens)

    def cancel(self) -> None:
        """It is not needed any more. What was admitted stays counted as it was announced."""
        if not self.admitted:
            self._limiter._cancel(self)


class RateLimiter:
    """Lets requests through at given rates, the most urgent first. Thread-safe; nobody spins.

    A request has to fit into the windows of everything, of its model and of its owner at once. Who
    does not is woken when there is room; who would be woken too late is told so at once. An owner
    who asks too much waits alone: those behind it who are held up by nothing else pass it.

    Parameters
    ----------
    settings : LimitSettings
        The rates.
    clock : Clock, optional
        Its `monotonic` is read.
    timers : Timers
        Wake who waits.
    telemetry : Telemetry
        Counters ``limits.waited``, ``refused``, ``slowed``.

    Notes
    -----
    Guarantee: the requests admitted, and the tokens announced for them, never exceed a rate in any
    window of its length, wherever it begins. Who announces more tokens than a whole window holds is
    let in when it is empty, and fills it. Tokens beyond what was announced count from the moment
    that they are known.
    """

    _MOST_OWNERS = 4096

    def __init__(
        self,
        settings: LimitSettings = LimitSettings(),  # noqa: B008 - immutable
        *,
        clock: Clock | None = None,
        timers: Timers,
        telemetry: Telemetry = NULL_TELEMETRY,
    ) -> None:
        self._now = (clock or SystemClock()).monotonic
        self._timers = timers
        self._telemetry = telemetry
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._waiting: list[Reservation] = []
        self._alarm: Alarm | None = None
        self._settings = settings
        self._free = _is_free(settings)
        self._counts_tokens = _counts_tokens(settings)
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._paces: dict[str, Pace] = {}
        self._free_places: dict[str, Reservation] = {}

    @property
    def counts_tokens(self) -> bool:
        """Whether any rate is of tokens; where none is, nobody needs to count them."""
        return self._counts_tokens

    @property
    def waiting(self) -> int:
        """Requests that are not admitted yet."""
        return len(self._waiting)

    def wait_s(self, model: str, *, owner: str = "", tokens: int = 0) -> float:
        """Seconds until a request of normal urgency would be admitted; 0: at once."""
        with self._lock:
            order = (_RANK["normal"], next(self._numbers))
            asking = Reservation(self, model, _keys(model, owner), tokens, order, _nothing)
            return self._estimate(self._now(), asking)

    def reserve(
        self,
        model: str,
        ready: Callable[[], None],
        *,
        owner: str = "",
        tokens: int = 0,
        priority: Priority = "normal",
        deadline: float | None = None,
    ) -> Reservation:
        """Ask for admission; look at `Reservation.admitted` first.

        Parameters
        ----------
        model : str
            Which model.
        ready : callable
            Called once when a request that had to wait is admitted; never when it was at once.
        owner : str
            For whom; ``""``: for nobody in particular.
        tokens : int
            What it will take, prompt and answer, as well as it can be known.
        priority : str
            Who waits is admitted in this order, and then in the order of asking.
        deadline : float, optional
            Machine time until which it has to be admitted.

        Raises
        ------
        RateLimited
            It would be too late, longer than `LimitSettings.longest_wait_s`, or too many wait.
        """
        if self._free and model not in self._paces and not self._waiting:
            return self._free_places.get(model) or self._free_place(model)
        with self._lock:
            now = self._now()
            order = (_RANK[priority], next(self._numbers))
            asking = Reservation(self, model, _keys(model, owner), max(0, tokens), order, ready)
            bisect.insort(self._waiting, asking, key=lambda other: other._order)
            woken = self._pump(now)
            if not asking.admitted:
                asking.wait_s = self._estimate(now, asking)
                try:
                    self._check(now, asking, deadline)
                except RateLimited:
                    self._waiting.remove(asking)
                    raise
                finally:
                    self._set_alarm(now)
        for other in woken:
            if other is not asking:
                other._ready()
        return asking

    def refused(self, model: str, retry_after_s: float | None = None) -> None:
        """The model said that it is asked too often; `retry_after_s` as it asked for."""
        with self._lock:
            now = self._now()
            adaptive = self._settings.adaptive
            if not adaptive and retry_after_s is None:
                return
            pace = self._paces.get(model)
            if pace is None:
                pace = self._paces[model] = Pace(now)
            pace.refused(now, retry_after_s, slow=adaptive)
            self._telemetry.count("limits.slowed")

    def answered(self, model: str) -> None:
        """The model answered; after a refusal this lets more through, a little at a time."""
        if model not in self._paces:
            return
        with self._lock:
            pace = self._paces.get(model)
            if pace is not None and pace.answered(self._now()):
                del self._paces[model]

    def apply(self, settings: LimitSettings) -> None:
        """Go on under other rates; the windows keep what they hold."""
        with self._lock:
            self._settings = settings
            self._free = _is_free(settings)
            self._counts_tokens = _counts_tokens(settings)
            for key, bucket in self._buckets.items():
                bucket.apply(_rate(settings, key))
            now = self._now()
            woken = self._pump(now)
            self._set_alarm(now)
        for other in woken:
            other._ready()

    def _free_place(self, model: str) -> Reservation:
        """One for all, where nothing is limited: it holds nothing that anybody could change."""
        free = Reservation(self, model, (), 0.0, (0, 0), _nothing)
        free.admitted = True
        return self._free_places.setdefault(model, free)

    # -- under the lock

    def _bucket(self, key: str) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(_rate(self._settings, key))
            if len(self._buckets) > self._MOST_OWNERS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket

    def _pump(self, now: float) -> list[Reservation]:
        """Let in whoever may come in, in order; they are to be told when the lock is free."""
        held: set[str] = set()
        woken: list[Reservation] = []
        for asking in self._waiting:
            if self._may_go(now, asking, held):
                taken = (self._bucket(key).take(now, asking._tokens) for key in asking._keys)
                asking._taken = [token for token in taken if token is not None]
                pace = self._paces.get(asking.model)
                if pace is not None:
                    pace.take(now)
                asking.admitted = True
                woken.append(asking)
        if woken:
            self._waiting = [asking for asking in self._waiting if not asking.admitted]
        return woken

    def _may_go(self, now: float, asking: Reservation, held: set[str]) -> bool:
        """Whether it fits everywhere; what has no room for it is held for it, narrowest first."""
        for key in reversed(asking._keys):  # its owner's, then the model's, then everything
            bucket = self._bucket(key)
            if key in held or bucket.wait(now, 1, bucket.announced(asking._tokens)) > 0:
                held.add(key)
                return False
        pace = self._paces.get(asking.model)
        return pace is None or pace.wait(now, 0) <= 0

    def _estimate(self, now: float, asking: Reservation) -> float:
        """Seconds until it is let in if all before it, that could be, go first."""
        before = [other for other in self._waiting if other._order < asking._order]
        pace = self._paces.get(asking.model)
        ahead = sum(other.model == asking.model for other in before)
        wait = 0.0 if pace is None else pace.wait(now, ahead)
        for depth, key in enumerate(asking._keys):
            bucket = self._bucket(key)
            amount, requests = bucket.announced(asking._tokens), 1
            for other in before:
                if key in other._keys and not self._waits_alone(now, other, depth):
                    amount += bucket.announced(other._tokens)
                    requests += 1
            wait = max(wait, bucket.wait(now, requests, amount))
        return wait

    def _waits_alone(self, now: float, other: Reservation, depth: int) -> bool:
        """Whether something narrower than what is at `depth` holds it up."""
        return any(
            self._bucket(key).wait(now, 1, self._bucket(key).announced(other._tokens)) > 0
            for key in other._keys[depth + 1 :]
        )

    def _check(self, now: float, asking: Reservation, deadline: float | None) -> None:
        wait = asking.wait_s
        have = self._settings
        late = deadline is not None and now + wait > deadline
        if late or wait > have.longest_wait_s or len(self._waiting) > have.max_waiting:
            self._telemetry.count("limits.refused")
            raise RateLimited(
                f"the limits let this through in {wait:.2f} s, which is too late; ask less "
                "often, or raise the limits",
                retry_after_s=wait,
                model=asking.model,
                waiting=len(self._waiting) - 1,
            )
        self._telemetry.count("limits.waited")

    def _set_alarm(self, now: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        soonest = math.inf
        for asking in self._waiting:
            pace = self._paces.get(asking.model)
            wait = 0.0 if pace is None else pace.wait(now, 0)
            for key in asking._keys:
                bucket = self._bucket(key)
                wait = max(wait, bucket.wait(now, 1, bucket.announced(asking._tokens)))
            if wait > 0:  # else it only stands behind another
                soonest = min(soonest, wait)
        if self._waiting:
            # Not sooner than a moment: what rounding left over must not keep the alarm ringing.
            self._alarm = self._timers.at(now + max(soonest, 0.001), self._ring)

    def _ring(self) -> None:
        with self._lock:
            now = self._now()
            woken = self._pump(now)
            self._set_alarm(now)
        for asking in woken:
            asking._ready()

    def _settle(self, asking: Reservation, tokens: int) -> None:
        with self._lock:
            for window, entry in asking._taken or ():
                window.change(entry, tokens - asking._tokens)
            asking._taken = None
            now = self._now()
            woken = self._pump(now) if self._waiting else []
            if woken:
                self._set_alarm(now)
        for other in woken:
            other._ready()

    def _cancel(self, asking: Reservation) -> None:
        with self._lock:
            if asking in self._waiting:
                self._waiting.remove(asking)
                now = self._now()
                woken = self._pump(now)
                self._set_alarm(now)
            else:
                woken = []
        for other in woken:
            other._ready()


def _nothing() -> None:
    pass


def _keys(model: str, owner: str) -> tuple[str, ...]:
    return ("", f"m{model}", f"o{owner}") if owner else ("", f"m{model}")


def _rate(settings: LimitSettings, key: str) -> Rate:
    if not key:
        return settings.everything
    if key[0] == "m":
        return settings.models.get(key[1:], settings.model)
    return settings.owners.get(key[1:], settings.owner)


def _rates(settings: LimitSettings) -> list[Rate]:
    rates = [settings.everything, settings.model, settings.owner]
    return [*rates, *settings.models.values(), *settings.owners.values()]


def _is_free(settings: LimitSettings) -> bool:
    return all(rate == Rate() for rate in _rates(settings))


def _counts_tokens(settings: LimitSettings) -> bool:
    return any(rate.tokens_per_minute is not None for rate in _rates(settings))
