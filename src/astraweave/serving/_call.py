"""One call of a `Resilient` model: its attempts, and the one answer that comes of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from astraweave.errors import (
    AstraweaveError,
    CapacityError,
    DeadlineExceeded,
    InvalidResponse,
    ModelError,
    ModelTimeout,
)
from astraweave.llm import Chunk, ChunkStream, Generation, GenerationRequest
from astraweave.serving._actor import Actor
from astraweave.serving._attempt import Attempt
from astraweave.serving.breaker import BreakerOpen
from astraweave.serving.bulkhead import Berth
from astraweave.serving.limits import RateLimited, Reservation
from astraweave.serving.retry import backoff_s, judge
from astraweave.serving.timers import Alarm

if TYPE_CHECKING:
    from astraweave.serving.resilient import Resilient

__all__ = ["Call"]


class Call(ChunkStream):
    """The answer's stream. Its steps run as an `Actor`'s: never two at once, and without a lock."""

    __slots__ = (
        "_actor", "_alarm", "_attempts", "_berth", "_deadline", "_hedge_alarm", "_over",
        "_patience", "_place", "_request", "_road", "_settings", "_shown", "_tries",
    )  # fmt: skip

    def __init__(self, road: Resilient, request: GenerationRequest, deadline: float | None) -> None:
        super().__init__()
        self._road = road
        self._request = request
        self._deadline = math.inf if deadline is None else deadline
        self._settings = road.settings
        self._patience = road.latencies[request.use]
        self._actor = Actor()
        self._attempts: list[Attempt] = []
        self._tries = 0
        self._shown: list[str] = []
        self._place: Reservation | None = None
        self._berth: Berth | None = None
        self._alarm: Alarm | None = None
        self._hedge_alarm: Alarm | None = None
        self._over = False

    def begin(self) -> None:
        """Ask for the first time."""
        self._actor.post(self._try)

    def cancel(self) -> None:
        """Ask it to stop; a last chunk with ``"cancelled"`` follows."""
        self._cancelled = True
        if not self._over:
            self._actor.post(self._stop)

    # -- the way to the model; every method from here on is a step

    def _try(self) -> None:
        if self._over:
            return
        road = self._road
        self._alarm = None
        self._tries += 1
        refusal = road.breaker.refusal()
        if refusal is not None:
            self._fail(refusal)
            return
        try:
            place = self._place = road.limiter.reserve(
                road.model_id,
                self._on_admitted,
                owner=self._request.owner,
                tokens=road.tokens(self._request),
                priority=self._request.priority,
                deadline=self._deadline,
            )
        except RateLimited as refused:
            self._fail(refused)
            return
        if place.admitted:
            self._enter()

    def _on_admitted(self) -> None:
        # From the limiter's alarm: what follows asks the model, and must not hold up other alarms.
        self._road.crew.run(partial(self._actor.post, self._enter))

    def _enter(self) -> None:
        if self._over:
            return
        try:
            berth = self._berth = self._road.bulkhead.enter(
                self._request.use, self._on_room, priority=self._request.priority
            )
        except CapacityError as full:
            self._fail(full)
            return
        if berth.entered:
            self._start()
        else:
            until = self._road.now() + self._settings.bulkhead.longest_wait_s
            self._alarm = self._road.timers.at(
                min(until, self._deadline), partial(self._actor.post, self._no_room)
            )

    def _on_room(self) -> None:
        self._road.crew.run(partial(self._actor.post, self._start))

    def _no_room(self) -> None:
        if self._berth is not None and not self._berth.entered:
            self._fail(CapacityError("no room among the calls of the model in time (bulkhead)"))

    def _start(self) -> None:
        """Everything is there: ask."""
        if self._over or self._berth is None or self._place is None:
            return
        self._forget_alarm()
        road = self._road
        now = road.now()
        if now >= self._deadline:
            self._fail(DeadlineExceeded("the deadline was spent waiting; the model was not asked"))
            return
        try:
            permit = road.breaker.acquire()
        except BreakerOpen as refusal:
            self._fail(refusal)
            return
        attempt = Attempt(road.model, permit, self._place, self._berth, now, self._patience.waits())
        self._place = self._berth = None
        self._ask(attempt)
        hedge = self._settings.hedge
        if hedge.enabled and not self._shown:
            road.hedges.pay_in()
            delay = self._patience.first.quantile(hedge.quantile)
            if len(self._patience.first) >= 20:
                delay = max(delay, hedge.shortest_s)
                self._hedge_alarm = road.timers.at(
                    now + delay, partial(self._actor.post, self._hedge)
                )

    def _ask(self, attempt: Attempt) -> None:
        self._attempts.append(attempt)
        if not self._road.is_instant:
            self._arm(attempt)
        self._actor.outside(partial(self._generate, attempt, self._current_request()))

    def _arm(self, attempt: Attempt) -> None:
        if not attempt.dropped:
            due = min(attempt.started + min(attempt.waits), self._deadline)
            look = partial(self._look, attempt)
            attempt.alarm = self._road.timers.at(due, partial(self._actor.post, look))

    def _generate(self, attempt: Attempt, request: GenerationRequest) -> None:
        """Not a step: the model may take its time to begin."""
        try:
            generation = attempt.model.generate(request)
        except Exception as error:  # noqa: BLE001 - judged like one that came later
            self._actor.post(partial(self._failed, attempt, error))
            return
        attempt.generation = generation
        if attempt.dropped:
            generation.cancel()
        if isinstance(generation, ChunkStream):
            generation.listen(partial(self._on_news, attempt))
        else:
            self._road.crew.run(partial(self._read, attempt, generation))
        if self._road.is_instant and not attempt.dropped:
            self._actor.post(partial(self._arm, attempt))

    def _read(self, attempt: Attempt, generation: Generation) -> None:
        """Not a step: a model that knows no listeners is read by a thread."""
        try:
            for chunk in generation:
                self._on_news(attempt, (chunk,), None)
                if chunk.finish_reason is not None:
                    return
            self._on_news(attempt, (), InvalidResponse("the model's answer has no end"))
        except Exception as error:  # noqa: BLE001 - judged like any other
            self._on_news(attempt, (), error)

    def _current_request(self) -> GenerationRequest:
        if not self._shown:
            return self._request
        shown = "".join(self._shown)
        left = max(1, self._request.max_tokens - self._road.model.count(shown))
        return msgspec.structs.replace(
            self._request, prefix=self._request.prefix + shown, max_tokens=left
        )

    # -- what comes of it

    def _on_news(
        self, attempt: Attempt, chunks: Sequence[Chunk], error: BaseException | None
    ) -> None:
        self._actor.post(partial(self._news, attempt, chunks, error))

    def _news(self, attempt: Attempt, chunks: Sequence[Chunk], error: BaseException | None) -> None:
        if attempt.dropped or self._over:
            return
        if chunks:
            now = attempt.heard = self._road.now()
            if not attempt.spoke:
                attempt.spoke = True
                self._patience.first.add(now - attempt.started)
                if len(self._attempts) > 1:
                    self._won(attempt)
            for chunk in chunks:
                if chunk.finish_reason is not None:
                    self._answered(attempt, chunk, now)
                    return
                if chunk.text:
                    self._shown.append(chunk.text)
                    self._append((chunk,))
        if error is not None:
            self._failed(attempt, error)

    def _answered(self, attempt: Attempt, last: Chunk, now: float) -> None:
        road = self._road
        if last.finish_reason == "error":
            self._failed(attempt, InvalidResponse("the model's answer ended with an error"))
            return
        if last.finish_reason == "cancelled":
            self._release(attempt, None)
        else:
            self._patience.total.add(now - attempt.started)
            self._release(attempt, True)
            road.last_answer = now
            road.limiter.answered(attempt.place.model)
            if last.usage is not None:
                attempt.place.settle(last.usage.prompt_tokens + last.usage.completion_tokens)
        road.telemetry.count("resilient.answered")
        self._end()
        self._append((last,), done=True)

    def _failed(self, attempt: Attempt, error: BaseException) -> None:
        if attempt.dropped or self._over:
            return
        verdict = judge(error)
        self._release(attempt, False if verdict.blames_model else None)
        if verdict.refused:
            self._road.limiter.refused(attempt.place.model, verdict.retry_after_s)
        if self._attempts:
            return  # the other one may still answer
        have = self._settings.retry
        road = self._road
        may_go_on = not self._shown or (have.continue_broken and road.continues_prefix)
        if verdict.again and may_go_on and self._tries < have.attempts:
            now = road.now()
            wait = backoff_s(have, self._tries + 1, road.rng)
            if verdict.retry_after_s is not None:
                wait = max(wait, verdict.retry_after_s)
            if now + wait < self._deadline and road.retries.spend():
                road.telemetry.count("resilient.continued" if self._shown else "resilient.retried")
                again = partial(self._actor.post, self._try)
                self._alarm = road.timers.at(now + wait, partial(road.crew.run, again))
                return
        self._fail(error)

    # -- time

    def _look(self, attempt: Attempt) -> None:
        """An attempt's alarm rang: whether it is really too late, or words came meanwhile."""
        if attempt.dropped or self._over:
            return
        now = self._road.now()
        timeouts = self._settings.all_timeouts
        stall_s = timeouts.get(self._request.use, self._settings.other_timeouts).stall_s
        due, what = attempt.next_due(stall_s)
        if now < min(due, self._deadline):
            attempt.alarm = self._road.timers.at(
                min(due, self._deadline), partial(self._actor.post, partial(self._look, attempt))
            )
            return
        ran = now - attempt.started
        if now < due and not self._is_slow(attempt, now):
            self._fail(DeadlineExceeded(f"the deadline came after {ran:.2f} s of the answer"))
            return
        self._road.telemetry.count("resilient.timed_out")
        self._patience.gave_up(ran, spoke=attempt.spoke)
        error = ModelTimeout(
            f"the model {self._road.model_id!r} did not {what} in {ran:.2f} s", waited_s=ran
        )
        if attempt.generation is not None:
            self._actor.outside(attempt.generation.cancel)
        self._failed(attempt, error)

    def _is_slow(self, attempt: Attempt, now: float) -> bool:
        """Whether a silence until the deadline says something about the model."""
        if attempt.spoke:
            return False
        usual = self._patience.expected_first_s()
        if math.isnan(usual):
            usual = attempt.waits[0] / 2
        return now - attempt.started >= usual

    # -- a second call beside the first

    def _hedge(self) -> None:
        road = self._road
        if self._over or len(self._attempts) != 1 or self._attempts[0].spoke:
            return
        model = road.hedge_with
        breaker = road.breakers[model.info.id]
        if breaker.state != "closed" or not road.hedges.spend():
            return
        try:
            place = road.limiter.reserve(
                model.info.id,
                _nothing,
                owner=self._request.owner,
                tokens=road.tokens(self._request),
                deadline=road.now(),
            )
        except RateLimited:
            return
        if not place.admitted:
            place.cancel()
            return
        try:
            berth = road.bulkhead.enter(self._request.use, _nothing, wait=False)
            permit = breaker.acquire()
        except (CapacityError, BreakerOpen):
            return
        road.telemetry.count("resilient.hedged")
        waits = self._patience.waits()
        self._ask(Attempt(model, permit, place, berth, road.now(), waits))

    def _won(self, winner: Attempt) -> None:
        for other in tuple(self._attempts):
            if other is not winner:
                if other.started < winner.started:
                    self._road.telemetry.count("resilient.hedge_won")
                self._drop(other)

    # -- ends

    def _stop(self) -> None:
        if self._over:
            return
        now = self._road.now()
        for attempt in tuple(self._attempts):
            # The scheduler cancels at the deadline: the same as if our own alarm had come first.
            slow = now >= self._deadline - 0.01 and self._is_slow(attempt, now)
            self._drop(attempt, False if slow else None)
        self._end()
        self.finish("cancelled")

    def _fail(self, error: BaseException) -> None:
        self._road.telemetry.count("resilient.failed")
        self._end()
        if not isinstance(error, AstraweaveError):
            told = ModelError(f"the model failed: {type(error).__name__}: {error}")
            told.__cause__ = error
            error = told
        self.fail(error)

    def _end(self) -> None:
        self._over = True
        for attempt in tuple(self._attempts):
            self._drop(attempt)
        self._forget_alarm()
        if self._hedge_alarm is not None:
            self._hedge_alarm.cancel()
            self._hedge_alarm = None
        if self._place is not None:
            self._place.cancel()
            self._place = None
        if self._berth is not None:
            self._berth.leave()
            self._berth = None
        self._road.ended(self)

    def _drop(self, attempt: Attempt, ok: bool | None = None) -> None:
        """Nobody listens to it any more."""
        self._release(attempt, ok)
        generation = attempt.generation
        if generation is not None:
            self._actor.outside(generation.cancel)

    def _release(self, attempt: Attempt, ok: bool | None) -> None:
        """It is over: give back what it held, and say how it went."""
        if not attempt.dropped:
            self._attempts.remove(attempt)
            attempt.release(ok)

    def _forget_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


def _nothing() -> None:
    pass
