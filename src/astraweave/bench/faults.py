"""A day of faults in ten minutes: a road to a server that does everything wrong, one after another.

Each fault is followed by a time in which the server is well again. Requests come at a steady rate
whatever happens to the ones before them, as players do, and every single one is written down.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from astraweave import errors
from astraweave.bench.fault_server import MODES, FaultServerProcess, Mode
from astraweave.core.clock import SystemClock
from astraweave.core.rng import RandomStreams
from astraweave.llm import Chunk, GenerationRequest, Message
from astraweave.llm.openai import OpenAILanguageModel
from astraweave.observability import Telemetry
from astraweave.serving import BreakerOpen, NothingFound, RateLimited, Road, open_road
from astraweave.serving.fallback import Answering

__all__ = ["FaultReport", "day_of_faults", "main"]

FAULTS: tuple[Mode, ...] = tuple(mode for mode in MODES if mode != "ok")
_RECOVERY_S = 5.0
_TAIL_S = 0.5
"""Who asks so shortly before the next fault still meets it."""
_OURS = {*errors.__all__, BreakerOpen.__name__, NothingFound.__name__, RateLimited.__name__}


class FaultReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all requests.

    Attributes
    ----------
    asked, answered : int
        Requests, and ends of answers.
    lost, twice : int
        Requests without an end, and with more than one.
    late : int
        Ends after the deadline,
    latest_ms : float
        and the latest, seen from its deadline (below 0: before it).
    outside : tuple of str
        Errors that are not of our tree, wherever they came out.
    tiers : dict of str to dict
        Answers by the server's mode and by tier.
    recovered : dict of str to float
        By fault: share of the answers from the model's tier, from five seconds after its end on.
    back_s : dict of str to float
        Seconds from the end of each fault to the first answer of the model's tier.
    why : dict of str to int
        Why the model's tier did not answer while the server was well.
    opened, closed : int
        Times that the breaker did so.
    cut : int
        Answers that broke off after their first words were shown.
    """

    asked: int
    answered: int
    lost: int
    twice: int
    late: int
    latest_ms: float
    outside: tuple[str, ...]
    tiers: dict[str, dict[str, int]]
    recovered: dict[str, float]
    back_s: dict[str, float]
    why: dict[str, int]
    opened: int
    closed: int
    cut: int

    @property
    def is_good(self) -> bool:
        """Whether nothing was lost, doubled, late or foreign, and the model always came back."""
        clean = not (self.lost or self.twice or self.late or self.outside)
        return clean and all(share >= 0.99 for share in self.recovered.values())


class _Asked(msgspec.Struct):
    """One request."""

    at: float
    mode: str
    after: str
    """The fault that was over, where the server was well."""
    since: float
    """Seconds since the server's last change."""
    deadline: float
    ends: list[float]
    answering: Answering[GenerationRequest, str] | None = None


class _Foreign(logging.Handler):
    """Notes what escaped to a log or to the end of a thread."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else "error"
        self.seen[f"{record.name}: {kind}"] += 1

    def on_thread(self, args: threading.ExceptHookArgs) -> None:
        self.seen[f"thread: {args.exc_type.__name__}"] += 1


class _Day:
    def __init__(self, road: Road, rate: float, timeout_s: float, clock: SystemClock) -> None:
        self.road = road
        self.clock = clock
        self.asked: list[_Asked] = []
        self._pause = 1.0 / rate
        self._timeout_s = timeout_s
        self._wait = threading.Event()
        self._next = clock.monotonic()

    def pass_time(self, seconds: float, mode: str, after: str = "") -> None:
        """Ask at the rate, open loop: nobody waits for an answer before asking on."""
        changed = self.clock.monotonic()
        self._next = max(self._next, changed)
        while self._next < changed + seconds:
            now = self.clock.monotonic()
            if now < self._next:
                self._wait.wait(self._next - now)
                continue
            self._next += self._pause
            self._ask(mode, after, now - changed)

    def _ask(self, mode: str, after: str, since: float) -> None:
        number = len(self.asked)
        request = GenerationRequest(
            messages=(Message("user", f"What happened on day {number}?"),),
            max_tokens=32,
            owner=f"npc-{number % 40}",
        )
        now = self.clock.monotonic()
        ends: list[float] = []
        asked = _Asked(now, mode, after, since, now + self._timeout_s, ends)
        self.asked.append(asked)
        asked.answering = self.road.ask(request, timeout_s=self._timeout_s)
        # The chain counts from a moment later.
        asked.deadline = asked.answering.deadline
        clock = self.clock

        def hear(chunks: Sequence[Chunk], error: BaseException | None) -> None:
            if error is not None or chunks[-1].finish_reason is not None:
                ends.append(clock.monotonic())

        asked.answering.listen(hear)


def day_of_faults(
    seconds: float = 600.0,
    *,
    rate: float = 50.0,
    timeout_s: float = 2.0,
    seed: int = 0,
    modes: Sequence[Mode] | None = None,
) -> FaultReport:
    """Walk through the faults and count what happened.

    Parameters
    ----------
    seconds : float
        For all of it. Where that is too short for all faults (10 s each), some are drawn.
    rate : float
        Requests a second.
    timeout_s : float
        Within which each has to be answered.
    seed : int
        Of the order of faults, and of the server's nonsense.
    modes : sequence of str, optional
        Which faults.
    """
    clock = SystemClock()
    telemetry = Telemetry()
    faults = list(modes or FAULTS)
    RandomStreams(seed)["faults"].shuffle(faults)
    faults = faults[: max(1, int(seconds // 10.0))]
    period = seconds / len(faults)
    well = max(_RECOVERY_S + 2.0, 0.4 * period)
    foreign = _Foreign()
    before, threading.excepthook = threading.excepthook, foreign.on_thread
    loggers = [logging.getLogger(name) for name in ("astraweave", "asyncio")]
    for logger in loggers:
        logger.addHandler(foreign)
    with FaultServerProcess(answer="It rained, and the bridge was closed.", seed=seed) as server:
        model = OpenAILanguageModel(server.url, "faulty", dialect="openai", slots=64)
        road = open_road(model, telemetry=telemetry, concurrency=64, max_queue=512)
        try:
            day = _Day(road, rate, timeout_s, clock)
            day.pass_time(1.0, "ok", "start")
            for fault in faults:
                server.mode = fault
                day.pass_time(max(1.0, period - well), fault)
                server.mode = "ok"
                day.pass_time(well, "ok", fault)
            _wait_for_all(day, timeout_s)
        finally:
            road.close()
            model.close()
            threading.excepthook = before
            for logger in loggers:
                logger.removeHandler(foreign)
    return _report(day, telemetry, foreign, well)


def _wait_for_all(day: _Day, timeout_s: float) -> None:
    patience = threading.Event()
    for _ in range(20):
        if not day.road.chain.running:
            return
        patience.wait(timeout_s / 10)


def _report(day: _Day, telemetry: Telemetry, foreign: _Foreign, well: float) -> FaultReport:
    tiers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    recovered: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    back: dict[str, float] = {}
    outside = Counter(foreign.seen)
    cut = 0
    why: Counter[str] = Counter()
    for asked in day.asked:
        answering = asked.answering
        answer = answering.answered if answering is not None else None
        if answering is not None and answering.error is not None:
            outside[f"answer: {type(answering.error).__name__}"] += 1
        if answer is None:
            continue
        tiers[asked.mode][answer.tier] += 1
        cut += answer.cut
        for tried in answer.tried:
            kind = tried.why.partition(":")[0]
            if tried.outcome in ("failed", "cut") and kind.isidentifier() and kind not in _OURS:
                outside[f"tier {tried.tier}: {kind}"] += 1
        is_models = answer.tier == "model" and not answer.cut
        if asked.mode == "ok" and asked.after != "start":
            if not is_models:
                first = answer.tried[0]
                kind = first.why.partition(":")[0]
                why[f"{asked.after} +{asked.since:.0f} s: {first.outcome}, {kind}"] += 1
            if is_models:
                back.setdefault(asked.after, asked.since)
            if _RECOVERY_S <= asked.since < well - _TAIL_S:
                recovered[asked.after][is_models] += 1
    lateness = [end - asked.deadline for asked in day.asked for end in asked.ends]
    return FaultReport(
        asked=len(day.asked),
        answered=sum(len(asked.ends) for asked in day.asked),
        lost=sum(not asked.ends for asked in day.asked),
        twice=sum(len(asked.ends) > 1 for asked in day.asked),
        late=sum(by > 0 for by in lateness),
        latest_ms=max(lateness, default=0.0) * 1e3,
        outside=tuple(f"{what} x{n}" for what, n in sorted(outside.items())),
        tiers={mode: dict(count) for mode, count in tiers.items()},
        recovered={mode: count[True] / count.total() for mode, count in recovered.items()},
        back_s=back,
        why=dict(why),
        opened=telemetry.counters["breaker.opened"],
        closed=telemetry.counters["breaker.closed"],
        cut=cut,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m astraweave.bench.faults [SECONDS [MODE ...]]``; the report as JSON."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    seconds = float(words[0]) if words else 600.0
    modes = [mode for mode in FAULTS if mode in words[1:]]
    report = day_of_faults(seconds, modes=modes or None)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(report)).decode() + "\n")
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
