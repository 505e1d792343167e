"""Asking a model whether it is there, when nobody else does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from astraweave.errors import InvalidResponse, ModelTimeout
from astraweave.llm import (
    Chunk,
    ChunkStream,
    Generation,
    GenerationRequest,
    Message,
    SamplingParams,
)
from astraweave.serving._actor import Actor
from astraweave.serving.breaker import Permit
from astraweave.serving.limits import RateLimited
from astraweave.serving.resilient import Resilient
from astraweave.serving.retry import judge
from astraweave.serving.timers import Alarm

__all__ = ["HealthCheck"]

_QUESTION = GenerationRequest(
    messages=(Message("user", "Say yes."),),
    max_tokens=1,
    sampling=SamplingParams(temperature=0.0),
    owner="health",
    use="health",
    priority="background",
)
_ANNOUNCED = 32


class HealthCheck:
    """Puts a question of one token to a model, and tells its breaker. Thread-safe.

    A connection that opens and a process that runs prove nothing about a model; only an answer
    does. So it is really asked: while its breaker is open, so that it closes as soon as the model
    is back and no player's line has to find out; and while nobody talks to it, so that the first
    line does not either. While lines run it is never asked: they tell as much.

    Parameters
    ----------
    road : Resilient
        The model. Settings are ``road.settings.health``, telemetry ``health.asked``, ``well`` and
        ``ill``.
    """

    def __init__(self, road: Resilient) -> None:
        self._road = road
        self._alarm: Alarm | None = None
        self._asking: _Question | None = None
        self._asked = road.now()
        self._closed = False
        self._again()

    def close(self) -> None:
        """Ask no more."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        asking = self._asking
        if asking is not None:
            asking.stop()

    def _again(self) -> None:
        have = self._road.settings.health
        periods = [period for period in (have.open_every_s, have.idle_every_s) if period]
        if not self._closed:
            # Where nothing is wanted, settings may still change.
            self._alarm = self._road.timers.at(self._road.now() + min([*periods, 5.0]), self._ring)

    def _ring(self) -> None:
        try:
            if self._is_due():
                self._ask()
        finally:
            self._again()

    def _is_due(self) -> bool:
        road, have, now = self._road, self._road.settings.health, self._road.now()
        if self._asking is not None and not self._asking.over:
            return False
        if road.breaker.state != "closed":
            return have.open_every_s > 0
        quiet = now - max(road.last_answer, self._asked)
        return have.idle_every_s > 0 and not road.running and quiet >= have.idle_every_s

    def _ask(self) -> None:
        road = self._road
        now = self._asked = road.now()
        permit = road.breaker.acquire_probe()
        if permit is None:
            return
        try:
            place = road.limiter.reserve(
                road.model_id,
                _nothing,
                owner=_QUESTION.owner,
                tokens=_ANNOUNCED,
                priority="background",
                deadline=now,
            )
        except RateLimited:
            permit.ignore()
            return
        if not place.admitted:
            place.cancel()
            permit.ignore()
            return
        road.telemetry.count("health.asked")
        self._asking = _Question(road, permit)
        road.crew.run(self._asking.ask)


class _Question:
    """One of them, on its way."""

    def __init__(self, road: Resilient, permit: Permit) -> None:
        self._road = road
        self._permit = permit
        self._actor = Actor()
        self._generation: Generation | None = None
        self.over = False
        patience = road.settings.health.patience_s
        self._alarm = road.timers.at(
            road.now() + patience,
            partial(self._on_news, (), ModelTimeout("no answer to a health check")),
        )

    def ask(self) -> None:
        """Put it; not a step, for the model may take its time."""
        try:
            generation = self._road.model.generate(_QUESTION)
        except Exception as error:  # noqa: BLE001 - judged like any other
            self._on_news((), error)
            return
        self._generation = generation
        if self.over:
            generation.cancel()
        elif isinstance(generation, ChunkStream):
            generation.listen(self._on_news)
        else:
            try:
                for chunk in generation:
                    self._on_news((chunk,), None)
            except Exception as error:  # noqa: BLE001 - judged like any other
                self._on_news((), error)

    def stop(self) -> None:
        """It is not wanted any more."""
        self._actor.post(partial(self._end, None))

    def _on_news(self, chunks: Sequence[Chunk], error: BaseException | None) -> None:
        self._actor.post(partial(self._news, chunks, error))

    def _news(self, chunks: Sequence[Chunk], error: BaseException | None) -> None:
        if self.over:
            return
        if error is None and chunks and chunks[-1].finish_reason == "error":
            error = InvalidResponse("a health check ended with an error")
        if error is not None:
            verdict = judge(error)
            if verdict.refused:
                self._road.limiter.refused(self._road.model_id, verdict.retry_after_s)
            self._end(False if verdict.blames_model else None)
        elif chunks:
            self._end(None if chunks[-1].finish_reason == "cancelled" else True)

    def _end(self, well: bool | None) -> None:
        if self.over:
            return
        self.over = True
        self._alarm.cancel()
        if well is None:
            self._permit.ignore()
        elif well:
            self._permit.success()
            self._road.last_answer = self._road.now()
            self._road.limiter.answered(self._road.model_id)
            self._road.telemetry.count("health.well")
        else:
            self._permit.failure()
            self._road.telemetry.count("health.ill")
        generation = self._generation
        if generation is not None:
            self._actor.outside(generation.cancel)


def _nothing() -> None:
    pass
