"""Whose fault it was, whether to ask again, and when."""

from __future__ import annotations

import random
import threading

import msgspec

from astraweave.errors import (
    AstraweaveError,
    Cancelled,
    CapacityError,
    ConfigError,
    DeadlineExceeded,
    ModelError,
    UnsupportedModel,
)
from astraweave.serving.breaker import BreakerOpen
from astraweave.serving.limits import RateLimited
from astraweave.serving.policies import RetrySettings

__all__ = ["Budget", "Verdict", "backoff_s", "judge"]


class Verdict(msgspec.Struct, frozen=True):
    """What an error means.

    Attributes
    ----------
    blames_model : bool
        It says something about the model: the circuit breaker counts it.
    again : bool
        Asking once more may help. A language model changes nothing in the world, so every request
        may be repeated; what was shown already is not (see `Resilient`).
    refused : bool
        The model said that it is asked too often.
    retry_after_s : float or None
        When it wants to be asked again.
    """

    blames_model: bool
    again: bool
    refused: bool = False
    retry_after_s: float | None = None


_MODEL = Verdict(True, True)
_HOPELESS = Verdict(True, False)
_CALLER = Verdict(False, False)


def judge(error: BaseException) -> Verdict:
    """What `error`, which a model's call ended with, means.

    ======================================= ============ =====
    error                                   blames model again
    ======================================= ============ =====
    `ModelError`: broken, late, nonsense    yes          yes
    `UnsupportedModel`                      yes          no
    anything from outside our tree          yes          yes
    `CapacityError` of the model (HTTP 429) no           yes
    `BreakerOpen`, our own limits           no           no
    `ConfigError`: it does not take the key yes          no
    `InputError`, `GuardViolation`, others  no           no
    `Cancelled`, `DeadlineExceeded`         no           no
    ======================================= ============ =====

    An error may say ``retryable=False`` in its details, as one of a wrong key does.
    """
    if isinstance(error, BreakerOpen | RateLimited | Cancelled | DeadlineExceeded):
        return _CALLER
    if isinstance(error, AstraweaveError):
        details = error.details
        after = _seconds(details.get("retry_after_s"))
        if isinstance(error, CapacityError):
            said_so = bool(details.get("rate_limited")) or details.get("status") == 429
            if details.get("status") is not None and not said_so:
                return _CALLER  # the request is too large for the server, and will always be
            return Verdict(False, True, said_so or after is not None, after)
        if isinstance(error, UnsupportedModel | ConfigError) or (
            isinstance(error, ModelError) and details.get("retryable") is False
        ):
            return _HOPELESS
        if isinstance(error, ModelError):
            if details.get("rate_limited"):
                return Verdict(False, True, True, after)
            return _MODEL if after is None else Verdict(True, True, False, after)
        return _CALLER
    return _MODEL


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e6 else None


def backoff_s(settings: RetrySettings, attempt: int, rng: random.Random) -> float:
    """Seconds before attempt number `attempt` (2: the first retry): full jitter."""
    return rng.random() * min(settings.base_s * 2.0 ** min(attempt - 2, 60), settings.longest_s)


class Budget:
    """A share of the requests that may be spent on more calls than one. Thread-safe.

    When a model fails, every caller tries again: with three attempts a model in trouble gets three
    times the work. So retries are paid for by requests, a fifth of a retry each: whatever happens,
    the load grows by no more than that share and a little reserve.

    Parameters
    ----------
    share : float
        What a request pays in.
    reserve : float
        What is there at the beginning, and the most that can be saved.

    Examples
    --------
    >>> budget = Budget(share=0.5, reserve=1)
    >>> budget.spend(), budget.spend(), budget.pay_in(), budget.pay_in(), budget.spend()
    (True, False, None, None, True)
    """

    def __init__(self, share: float, reserve: float) -> None:
        self._share = share
        self._reserve = max(reserve, 1.0) if share else reserve
        self._saved = float(reserve)
        self._lock = threading.Lock()

    @property
    def saved(self) -> float:
        """Calls that could be paid now."""
        return self._saved

    def pay_in(self) -> None:
        """A request came."""
        if self._saved < self._reserve:
            with self._lock:
                self._saved = min(self._saved + self._share, self._reserve)

    def spend(self) -> bool:
        """Pay for one more call; False: there is not enough."""
        with self._lock:
            if self._saved < 1.0 - 1e-9:
                return False
            self._saved -= 1.0
            return True

    def apply(self, share: float, reserve: float) -> None:
        """Go on under other numbers; savings beyond the new reserve are lost."""
        with self._lock:
            self._share = share
            self._reserve = max(reserve, 1.0) if share else reserve
            self._saved = min(self._saved, self._reserve)
