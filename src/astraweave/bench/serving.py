"""The road between game and model, without a model's own work.

Requests come when they are due, whether the earlier ones have been answered or not, and what each
took is counted from the moment at which it was due: a road that stops for a second is charged for
everything that should have gone through it meanwhile.
"""

from __future__ import annotations

import threading
import time
from array import array

import msgspec

from astraweave.bench.bars import Bar
from astraweave.bench.case import Case, Figures, case
from astraweave.bench.meeting import peak_rss_mb
from astraweave.core.clock import SystemClock
from astraweave.core.rng import RandomStreams
from astraweave.errors import AstraweaveError
from astraweave.llm import PRIORITIES, GenerationRequest, LanguageModel, Message, ScriptedModel
from astraweave.observability import Telemetry
from astraweave.serving import LlmScheduler

__all__ = ["CASES", "RoadFigures", "measure_road"]

_OWNERS = 100
_DEADLINE_S = 5.0
_HEAD_START_S = 0.2
_WARM_UP = 0.1
"""Share of a run after which nothing more may be needed."""


class RoadFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one run measured.

    Attributes
    ----------
    wanted_per_s, answered_per_s : float
        How many requests were due a second, and how many were answered.
    lost, failed : int
        Requests without an answer; those that ended with an error.
    p50_ms, p99_ms, p999_ms, max_ms : float
        From the moment at which a request was due until its asker had the answer.
    grown_mb : float
        By how much the peak of the process's memory rose after the first tenth.
    """

    wanted_per_s: float
    answered_per_s: float
    lost: int
    failed: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    grown_mb: float

    def bars(self, p99_ms: float) -> tuple[Bar, ...]:
        """What a run at this rate is held to."""
        return (
            Bar(
                name="answered a second",
                value=self.answered_per_s,
                limit=0.99 * self.wanted_per_s,
                unit="",
                floor=True,
            ),
            Bar(name="lost or failed", value=self.lost + self.failed, limit=0, unit=""),
            Bar(name="p99", value=self.p99_ms, limit=p99_ms, unit="ms"),
        )


def measure_road(
    *,
    per_second: float = 10_000.0,
    seconds: float = 5.0,
    threads: int = 8,
    model: LanguageModel | None = None,
    seed: int = 0,
) -> RoadFigures:
    """Send requests at random moments (a Poisson process) from several threads at once.

    Parameters
    ----------
    per_second, seconds : float
        How many, for how long.
    threads : int
        Askers; each waits for its answer before it asks again, so at most as many are on the road.
    model : LanguageModel, optional
        Who answers; by default a script that has the answer at once.
    """
    clock = SystemClock()
    answering = model or ScriptedModel(
        ["Aye, I have it here."], tokens_per_chunk=8, slots=threads, keep_requests=False
    )
    scheduler = LlmScheduler(answering, clock=clock, telemetry=Telemetry())
    askers = [
        _Asker(scheduler, number, per_second / threads, seconds, RandomStreams(seed), clock)
        for number in range(threads)
    ]
    start = clock.monotonic() + _HEAD_START_S
    workers = [threading.Thread(target=each.run, args=(start,)) for each in askers]
    for worker in workers:
        worker.start()
    time.sleep(_HEAD_START_S + _WARM_UP * seconds)
    before = peak_rss_mb()
    for worker in workers:
        worker.join()
    grown = peak_rss_mb() - before
    scheduler.close()
    if model is None:
        answering.close()
    ended = max(each.ended for each in askers)
    waits = sorted(wait for each in askers for wait in each.waits[: each.answered])
    due = sum(each.asked for each in askers)
    failed = sum(each.failed for each in askers)
    return RoadFigures(
        wanted_per_s=due / seconds,
        answered_per_s=len(waits) / max(seconds, ended - start),
        lost=due - len(waits) - failed,
        failed=failed,
        p50_ms=_quantile(waits, 0.5),
        p99_ms=_quantile(waits, 0.99),
        p999_ms=_quantile(waits, 0.999),
        max_ms=waits[-1] * 1e3 if waits else 0.0,
        grown_mb=grown,
    )


class _Asker:
    """One thread of the game."""

    def __init__(
        self,
        scheduler: LlmScheduler,
        number: int,
        per_second: float,
        seconds: float,
        rng: RandomStreams,
        clock: SystemClock,
    ) -> None:
        self._scheduler = scheduler
        self._clock = clock
        self._rate = per_second
        self._draw = rng[f"asker {number}"]
        self._requests = [
            GenerationRequest(
                messages=(Message("user", f"My hammer, number {n}?"),),
                owner=f"npc{n}",
                priority=PRIORITIES[n % len(PRIORITIES)],
            )
            for n in range(_OWNERS)
        ]
        self.waits = array("d", bytes(8 * round(1.5 * per_second * seconds + 50)))
        """Seconds; written before, so that measuring needs no memory meanwhile."""
        self._seconds = seconds
        self.asked = self.answered = self.failed = 0
        self.ended = 0.0
        """When the last answer was there."""

    def run(self, start: float) -> None:
        now, submit, requests = self._clock.monotonic, self._scheduler.submit, self._requests
        gap, rate, waits = self._draw.expovariate, self._rate, self.waits
        due = start
        while (due := due + gap(rate)) < start + self._seconds:
            early = due - now()
            if early > 0:
                time.sleep(early)
            request = requests[self.asked % _OWNERS]
            self.asked += 1
            try:
                submit(request, deadline=due + _DEADLINE_S).result(_DEADLINE_S)
            except AstraweaveError:
                self.failed += 1
                continue
            self.ended = now()
            waits[self.answered] = self.ended - due
            self.answered += 1


def _quantile(ordered: list[float], q: float) -> float:
    """In milliseconds."""
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] * 1e3 if ordered else 0.0


def _road(per_second: float) -> Figures:
    figures = measure_road(per_second=per_second)
    quality = {
        "answered_per_s": figures.answered_per_s,
        "lost": float(figures.lost + figures.failed),
        "p50_ms": figures.p50_ms,
        "p999_ms": figures.p999_ms,
        "grown_mb": figures.grown_mb,
    }
    return Figures(ours=figures.p99_ms, quality=quality)


@case("serving.road", unit="ms", heavy=True)
def road() -> Figures:
    """What 99 of 100 requests wait less than on the road, at ten thousand a second."""
    return _road(10_000.0)


@case("serving.road_1k", unit="ms", heavy=True)
def road_1k() -> Figures:
    """The same at a thousand a second."""
    return _road(1_000.0)


CASES: tuple[Case, ...] = (road, road_1k)
