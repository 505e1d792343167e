"""Leaving a model alone that fails, and noticing when it is back.

Three states, as everywhere: *closed* (calls run), *open* (calls are refused at once), *half open*
(a few are tried). Where this differs from others, on purpose:

- resilience4j opens on a rate alone and needs a full window before it says anything (100 calls by
  default: minutes of a quiet game); here a count opens, the share is only a brake for busy models.
- resilience4j counts an answer towards whatever state it arrives in, so answers to calls from
  before the outage can close or reopen a breaker. Here a permit belongs to the state in which it
  was given; what comes later is not counted.
- A probe that never returns leaves resilience4j half open for ever by default. Here a probe is
  lent: it fails when its lease is over, without anybody waiting for it.
- Envoy ejects for a time that grows with the number of ejections, and lets everything in
  afterwards; here the time doubles, varies by chance, and only a few calls go first.
- Only what says something about the model counts. A full queue, a rate limit, a deadline spent
  waiting, a question that no model could answer and a caller who went away say nothing.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable
from typing import Literal

import msgspec

from astraweave.core.clock import SystemClock
from astraweave.core.protocols import Clock
from astraweave.core.rng import RandomStreams
from astraweave.errors import ModelUnavailable
from astraweave.observability import NULL_TELEMETRY, Telemetry
from astraweave.serving.policies import BreakerSettings

__all__ = [
    "BreakerOpen",
    "BreakerState",
    "CircuitBreaker",
    "CircuitBreakers",
    "Permit",
    "State",
]

State = Literal["closed", "open", "half_open"]

_SLOTS = 10
"""Parts of the window; the oldest is forgotten as a whole."""


class BreakerOpen(ModelUnavailable):
    """The model is left alone for now; ``retry_after_s`` says for how long."""


class BreakerState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What survives a restart. Times are seconds from now: no machine's clock goes on elsewhere.

    Attributes
    ----------
    state : str
        A breaker that was half open is saved as open with nothing left to wait for.
    wait_s : float
        What is left of the cool-down.
    openings : int
        Times in a row that it opened.
    """

    state: Literal["closed", "open"] = "closed"
    wait_s: float = 0.0
    openings: int = 0


class Permit:
    """Leave for one call; tell how it went with exactly one of the three. Thread-safe.

    Only the first one counts.
    """

    __slots__ = ("_breaker", "epoch", "expires", "open")

    def __init__(self, breaker: CircuitBreaker, epoch: int, expires: float) -> None:
        self._breaker = breaker
        self.epoch = epoch
        self.expires = expires
        self.open = True

    def success(self) -> None:
        """The model answered."""
        self._breaker._settle(self, ok=True)

    def failure(self) -> None:
        """The model failed."""
        self._breaker._settle(self, ok=False)

    def ignore(self) -> None:
        """The call says nothing about the model."""
        self._breaker._settle(self, ok=None)


class CircuitBreaker:
    """Guards one model. Thread-safe.

    Parameters
    ----------
    name : str
        Of the model, for messages.
    settings : BreakerSettings
        When it opens and how it closes.
    clock : Clock, optional
        Its `monotonic` is read.
    rng : random.Random, optional
        For the cool-down's jitter.
    telemetry : Telemetry
        Counters ``breaker.opened``, ``half_opened``, ``closed``, ``refused``.

    Examples
    --------
    >>> breaker = CircuitBreaker("tam", BreakerSettings(failures=2))
    >>> for _ in range(2):
    ...     breaker.acquire().failure()
    >>> breaker.state
    'open'
    """

    def __init__(
        self,
        name: str,
        settings: BreakerSettings = BreakerSettings(),  # noqa: B008 - immutable
        *,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        telemetry: Telemetry = NULL_TELEMETRY,
    ) -> None:
        self.name = name
        self._settings = settings
        self._now = (clock or SystemClock()).monotonic
        self._rng = rng or RandomStreams(0)[f"breaker/{name}"]
        self._telemetry = telemetry
        self._lock = threading.Lock()
        self._state: State = "closed"
        self._epoch = 0
        self._until = 0.0
        self._openings = 0
        self._closed_at = self._now()
        self._slot = 0
        self._good = [0] * _SLOTS
        self._bad = [0] * _SLOTS
        self._probes: list[Permit] = []
        self._successes = 0

    @property
    def state(self) -> State:
        """As it is now; an open breaker whose cool-down is over is half open."""
        with self._lock:
            self._look(self._now())
            return self._state

    def refusal(self) -> BreakerOpen | None:
        """Why `acquire` would refuse now, without asking for a permit; None: it would not."""
        if self._state == "closed":  # the usual case takes no lock
            return None
        with self._lock:
            now = self._now()
            self._look(now)
            return self._refused(now)

    def acquire(self) -> Permit:
        """Leave for one call.

        Raises
        ------
        BreakerOpen
            The model is left alone, or enough probes run already; ``retry_after_s``.
        """
        with self._lock:
            now = self._now()
            if self._state != "closed":
                self._look(now)
                refused = self._refused(now)
                if refused is not None:
                    self._telemetry.count("breaker.refused")
                    raise refused
                if self._state == "half_open":
                    return self._probe(now)
            return Permit(self, self._epoch, 0.0)

    def acquire_probe(self) -> Permit | None:
        """Leave for a health check, which may ask while the breaker is open; None: not now."""
        with self._lock:
            now = self._now()
            self._look(now)
            if self._state == "closed":
                return Permit(self, self._epoch, 0.0)
            if len(self._probes) >= self._settings.probes:
                return None
            return self._probe(now)

    def apply(self, settings: BreakerSettings) -> None:
        """Go on under other settings; the state stays."""
        with self._lock:
            if settings.window_s != self._settings.window_s:
                self._forget()
            self._settings = settings

    def export(self) -> BreakerState:
        """What `restore` needs."""
        with self._lock:
            now = self._now()
            self._look(now)
            if self._state == "closed":
                return BreakerState(openings=self._openings)
            wait = max(0.0, self._until - now) if self._state == "open" else 0.0
            return BreakerState(state="open", wait_s=wait, openings=self._openings)

    def restore(self, saved: BreakerState) -> None:
        """Go on from what `export` gave; calls that run are not counted any more."""
        with self._lock:
            now = self._now()
            self._forget()
            self._state = saved.state
            self._openings = max(0, saved.openings)
            longest = self._settings.longest_cool_down_s
            self._until = now + min(max(0.0, saved.wait_s), longest)
            self._closed_at = now

    # -- under the lock

    def _refused(self, now: float) -> BreakerOpen | None:
        if self._state == "open":
            wait = self._until - now
            return BreakerOpen(
                f"the model {self.name!r} failed too often and is left alone for {wait:.1f} s",
                model=self.name,
                retry_after_s=wait,
            )
        if self._state == "half_open" and len(self._probes) >= self._settings.probes:
            return BreakerOpen(
                f"the model {self.name!r} is being tried again by {len(self._probes)} calls; "
                "wait for them",
                model=self.name,
                retry_after_s=0.0,
            )
        return None

    def _look(self, now: float) -> None:
        """What time alone changes."""
        if self._state == "open":
            self._probes = [probe for probe in self._probes if probe.expires > now]
            if now >= self._until:
                self._half_open()
        if self._state == "half_open" and any(probe.expires <= now for probe in self._probes):
            self._trip(now)

    def _probe(self, now: float) -> Permit:
        permit = Permit(self, self._epoch, now + self._settings.probe_lease_s)
        self._probes.append(permit)
        return permit

    def _settle(self, permit: Permit, *, ok: bool | None) -> None:
        with self._lock:
            if not permit.open:
                return
            permit.open = False
            now = self._now()
            if self._state != "closed":
                self._look(now)
            if permit.expires and permit in self._probes:
                self._probes.remove(permit)
            if permit.epoch != self._epoch or ok is None:
                return
            if self._state == "closed":
                self._count(now, ok)
            else:
                self._weigh(now, ok)

    def _weigh(self, now: float, ok: bool) -> None:
        """What a probe says."""
        if ok:
            self._successes += 1
            if self._successes >= self._settings.successes:
                self._close(now)
            elif self._state == "open":  # a health check was answered before its time
                self._half_open()
        elif self._state == "half_open":
            self._trip(now)
        else:
            self._successes = 0

    def _count(self, now: float, ok: bool) -> None:
        have = self._settings
        slot = int(now / (have.window_s / _SLOTS))
        gone = slot - self._slot
        if gone > 0:
            for step in range(min(gone, _SLOTS)):
                place = (slot - step) % _SLOTS
                self._good[place] = self._bad[place] = 0
            self._slot = slot
        if ok:
            self._good[slot % _SLOTS] += 1
            if self._openings and now - self._closed_at >= have.window_s:
                self._openings = 0  # it has been well for long enough to be trusted again
            return
        self._bad[slot % _SLOTS] += 1
        bad = sum(self._bad)
        if bad >= have.failures and bad >= have.min_share * (bad + sum(self._good)):
            self._trip(now)

    def _trip(self, now: float) -> None:
        have = self._settings
        wait = min(have.cool_down_s * 2.0 ** min(self._openings, 64), have.longest_cool_down_s)
        wait *= 1 + have.jitter * (2 * self._rng.random() - 1)
        self._openings += 1
        self._until = now + min(wait, have.longest_cool_down_s)
        self._state = "open"
        self._forget()
        self._telemetry.count("breaker.opened")

    def _half_open(self) -> None:
        # What health checks found while it was open goes on counting, so the epoch stays.
        self._state = "half_open"
        self._telemetry.count("breaker.half_opened")

    def _close(self, now: float) -> None:
        self._state = "closed"
        self._closed_at = now
        self._forget()
        self._telemetry.count("breaker.closed")

    def _forget(self) -> None:
        """A new state begins: nothing from before counts in it."""
        self._epoch += 1
        self._successes = 0
        self._probes = []
        self._good = [0] * _SLOTS
        self._bad = [0] * _SLOTS


class CircuitBreakers:
    """The breakers of all models, kept outside the calls: give one to everybody. Thread-safe.

    Parameters
    ----------
    settings : BreakerSettings
        For all.
    """

    def __init__(
        self,
        settings: BreakerSettings = BreakerSettings(),  # noqa: B008 - immutable
        *,
        clock: Clock | None = None,
        streams: RandomStreams | None = None,
        telemetry: Telemetry = NULL_TELEMETRY,
    ) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._streams = streams or RandomStreams(0)
        self._telemetry = telemetry
        self._lock = threading.Lock()
        self._breakers: dict[str, CircuitBreaker] = {}

    def __getitem__(self, model: str) -> CircuitBreaker:
        with self._lock:
            found = self._breakers.get(model)
            if found is None:
                found = self._breakers[model] = CircuitBreaker(
                    model,
                    self._settings,
                    clock=self._clock,
                    rng=self._streams[f"breaker/{model}"],
                    telemetry=self._telemetry,
                )
            return found

    def apply(self, settings: BreakerSettings) -> None:
        """Go on under other settings; all states stay."""
        with self._lock:
            self._settings = settings
            breakers: Iterable[CircuitBreaker] = tuple(self._breakers.values())
        for breaker in breakers:
            breaker.apply(settings)

    def export(self) -> dict[str, BreakerState]:
        """All states by model, for a save."""
        with self._lock:
            breakers = dict(self._breakers)
        return {name: breaker.export() for name, breaker in breakers.items()}

    def restore(self, saved: dict[str, BreakerState]) -> None:
        """Go on from what `export` gave; models that it does not name start closed."""
        with self._lock:
            known = set(self._breakers) | set(saved)
        for name in known:
            self[name].restore(saved.get(name, BreakerState()))
