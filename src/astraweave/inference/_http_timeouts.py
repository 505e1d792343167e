"""How long to wait for a server, phase by phase."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

import msgspec

from astraweave.errors import ConfigError, ModelTimeout

__all__ = ["HttpTimeouts", "Watch"]


class HttpTimeouts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Seconds, a phase of a request.

    Attributes
    ----------
    connect_s : float
        Until the connection stands, TLS included.
    first_s : float
        From there until the first event of a stream (the first token), or the headers of a whole
        answer.
    between_s : float
        From one event to the next. A server that only keeps the connection alive does not count.
    total_s : float
        For all of it.
    """

    connect_s: float = 5.0
    first_s: float = 60.0
    between_s: float = 30.0
    total_s: float = 300.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0, not {getattr(self, name)}", field=name)


class Watch:
    """The time limit of one request, phase by phase. What was late, `late` says afterwards."""

    def __init__(self, timeouts: HttpTimeouts, place: str) -> None:
        self._timeouts = timeouts
        self._place = place
        self.reused = False
        """Whether the connection has served a request before."""
        self._phase = ""
        self._seconds = 0.0

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + self._timeouts.total_s
        self._timer = asyncio.timeout_at(self._end)
        await self._timer.__aenter__()
        # To make a connection has a limit of its own; the rest is for waiting until one is free.
        self.enter("connect", self._timeouts.connect_s + self._timeouts.first_s)
        return self

    def asked(self) -> None:
        """The request is on its way."""
        self.enter("first", self._timeouts.first_s)

    def enter(self, phase: str, seconds: float) -> None:
        """Begin a phase, or begin it anew."""
        self._phase, self._seconds = phase, seconds
        self._timer.reschedule(min(self._end, self._loop.time() + seconds))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        try:
            await self._timer.__aexit__(kind, error, trace)
        except TimeoutError:
            return True
        return False

    @property
    def late(self) -> ModelTimeout:
        """The error to raise, outside of the handler of what it interrupted."""
        total = self._timer.when() == self._end
        phase = "total" if total else self._phase
        seconds = self._timeouts.total_s if total else self._seconds
        what = {
            "connect": "had no connection free",
            "first": "did not begin to answer",
            "between": "stopped in its answer",
        }
        return ModelTimeout(
            f"{self._place} {what.get(phase, 'did not finish its answer')} in {seconds:g} s",
            place=self._place,
            phase=phase,
            timeout_s=seconds,
        )
