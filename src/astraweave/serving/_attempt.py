"""One attempt of a call: the model was asked once."""

from __future__ import annotations

from astraweave.llm import Generation, LanguageModel
from astraweave.serving.breaker import Permit
from astraweave.serving.bulkhead import Berth
from astraweave.serving.limits import Reservation
from astraweave.serving.timers import Alarm

__all__ = ["Attempt"]


class Attempt:
    """The model was asked once; what it holds while it lasts.

    Parameters
    ----------
    model : LanguageModel
        Who was asked.
    permit, place, berth : Permit, Reservation, Berth
        What the breaker, the limiter and the bulkhead gave for it.
    now : float
        When it began, in seconds.
    waits : tuple of float
        Seconds that it may take to its first words, and in all.
    """

    __slots__ = (
        "alarm", "berth", "dropped", "generation", "heard", "model", "permit", "place", "spoke",
        "started", "waits",
    )  # fmt: skip

    def __init__(
        self,
        model: LanguageModel,
        permit: Permit,
        place: Reservation,
        berth: Berth,
        now: float,
        waits: tuple[float, float],
    ) -> None:
        self.model = model
        self.permit = permit
        self.place = place
        self.berth = berth
        self.started = now
        self.heard = now
        self.waits = waits
        self.spoke = False
        self.dropped = False
        self.alarm: Alarm | None = None
        self.generation: Generation | None = None

    def next_due(self, stall_s: float) -> tuple[float, str]:
        """When it is too slow unless something comes before, and what it then did not do."""
        first, total = self.waits
        if not self.spoke:
            return self.started + min(first, total), "say a word"
        if self.started + total < self.heard + stall_s:
            return self.started + total, "come to an end"
        return self.heard + stall_s, "go on"

    def release(self, ok: bool | None) -> None:
        """It is over: give back what it held, and say how it went; None: nobody knows."""
        self.dropped = True
        if self.alarm is not None:
            self.alarm.cancel()
            self.alarm = None
        self.berth.leave()
        if ok is None:
            self.permit.ignore()
        elif ok:
            self.permit.success()
        else:
            self.permit.failure()
