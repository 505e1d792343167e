"""An answer by every deadline: from the model, or from whoever else can, and the reader is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, Literal, TypeVar

import msgspec

from astraweave.core.clock import SystemClock
from astraweave.core.protocols import Clock, Responder
from astraweave.errors import AstraweaveError, ConfigError, UsageError
from astraweave.llm import ChunkStream
from astraweave.observability import NULL_TELEMETRY, Telemetry
from astraweave.serving._actor import Actor
from astraweave.serving.latency import QuantileSketch
from astraweave.serving.policies import ChainSettings
from astraweave.serving.timers import Alarm, Timers

__all__ = ["LAST_RESORT", "Answered", "Answering", "FallbackChain", "Tried"]

RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT")

LAST_RESORT = "last_resort"
"""The tier of the built-in answer, for when all others failed."""

Outcome = Literal["answered", "cut", "failed", "late", "skipped"]


class Tried(msgspec.Struct, frozen=True):
    """What one tier did.

    Attributes
    ----------
    tier : str
        Its name.
    outcome : str
        ``"answered"``; ``"cut"``: words of it were shown, and then it broke or ran out of time;
        ``"failed"``; ``"late"``: it was given up; ``"skipped"``: there was no time to begin.
    why : str
        Why it did not answer; empty where it did.
    took_ms : float
        How long it was waited for.
    """

    tier: str
    outcome: Outcome
    why: str = ""
    took_ms: float = 0.0


class Answered(msgspec.Struct, Generic[AnswerT], frozen=True, kw_only=True):
    """The one answer to a request.

    Attributes
    ----------
    answer
        What it is.
    tier : str
        Who gave it.
    level : int
        How far down the chain that is; 0 is the best.
    cut : bool
        Its beginning was shown when it broke off; it ends there.
    took_ms : float
        From the asking to the answer.
    tried : tuple of Tried
        All tiers that had their chance, the one that answered last.
    """

    answer: AnswerT
    tier: str
    level: int
    cut: bool = False
    took_ms: float
    tried: tuple[Tried, ...]


class _Tier(Generic[RequestT, AnswerT]):
    """A responder, and what was learnt of it."""

    def __init__(self, responder: Responder[RequestT, AnswerT], now: float) -> None:
        self.responder = responder
        self.name = responder.name
        self.is_instant = responder.expected_s <= 0
        self._sketch = QuantileSketch(memory=64)
        self._seen = now

    def answered(self, now: float, took_s: float) -> None:
        self._sketch.add(took_s)
        self._seen = now

    def expected_s(self, now: float, memory_s: float, q: float) -> float:
        """Seconds it takes; the longer ago that was seen, the less it is held against it."""
        if self.is_instant:
            return 0.0
        seen = self._sketch.quantile(q) if len(self._sketch) else self.responder.expected_s
        return float(seen * 0.5 ** min((now - self._seen) / memory_s, 60.0))


class FallbackChain(Generic[RequestT, AnswerT]):
    """Tries one responder after the other, as long as the deadline allows. Thread-safe.

    Every request ends exactly once and by its deadline. A tier is begun only when the time that is
    left is enough for what it usually takes; time that the tiers below need is kept for them as
    long as the better tier has its own. The last tiers take no time; should even they fail or hang,
    `last_resort` is the answer.

    Words of a tier may be shown while it speaks. From then on the answer is that tier's: words that
    were shown are not taken back, and no other tier goes on with a sentence that it did not begin.
    So when it breaks, or its time is over, the answer ends there, marked `Answered.cut`.

    Parameters
    ----------
    tiers : sequence of Responder
        The best first. The last one has to take no time (``expected_s == 0``).
    last_resort
        The answer when all of them failed.
    settings : ChainSettings
        How time is divided.
    clock : Clock, optional
        Its `monotonic` is read.
    timers : Timers, optional
        By default its own, so that nobody else's alarms can delay these.
    telemetry : Telemetry
        Counters ``chain.asked``, ``chain.tier.NAME``, ``chain.skipped``, ``chain.failed``,
        ``chain.late``, ``chain.cut``; span ``chain.total``.

    Raises
    ------
    ConfigError
        There is no tier, two have one name, or the last one takes time.
    """

    def __init__(
        self,
        tiers: Sequence[Responder[RequestT, AnswerT]],
        last_resort: AnswerT,
        *,
        settings: ChainSettings = ChainSettings(),  # noqa: B008 - immutable
        clock: Clock | None = None,
        timers: Timers | None = None,
        telemetry: Telemetry = NULL_TELEMETRY,
    ) -> None:
        names = [tier.name for tier in tiers]
        if not tiers or len(set(names)) < len(names) or LAST_RESORT in names:
            raise ConfigError(
                f"a chain needs tiers with names of their own, none of them {LAST_RESORT!r}, "
                f"not {names}"
            )
        if tiers[-1].expected_s > 0:
            raise ConfigError(
                f"the last tier of a chain must take no time, but {names[-1]!r} takes "
                f"{tiers[-1].expected_s} s; put a template below it"
            )
        clock = clock or SystemClock()
        self.now = clock.monotonic
        self.settings = settings
        self.telemetry = telemetry
        self.last_resort = last_resort
        self._owns_timers = timers is None
        self.timers = (
            Timers(clock, name="astraweave-fallback", resolution_s=0.002)
            if timers is None
            else timers
        )
        self.tiers = [_Tier(tier, self.now()) for tier in tiers]
        self._running: set[Answering[RequestT, AnswerT]] = set()
        self._closed = False

    def ask(self, request: RequestT, *, timeout_s: float) -> Answering[RequestT, AnswerT]:
        """Begin to answer; returns at once.

        Parameters
        ----------
        request
            What is asked; the responders know what to make of it.
        timeout_s : float
            Seconds from now until there has to be an answer.

        Raises
        ------
        UsageError
            The chain is closed.
        """
        if self._closed:
            raise UsageError("the fallback chain is closed")
        answering = Answering(self, request, timeout_s)
        self._running.add(answering)
        self.telemetry.count("chain.asked")
        answering.begin()
        return answering

    def ended(self, answering: Answering[RequestT, AnswerT]) -> None:
        """An answer is complete."""
        self._running.discard(answering)

    @property
    def running(self) -> int:
        """Requests that are not answered yet."""
        return len(self._running)

    def close(self) -> None:
        """Answer what runs from the last resort, and nothing more. Closing twice is allowed."""
        self._closed = True
        for answering in tuple(self._running):
            answering.hurry()
        if self._owns_timers:
            self.timers.close()


class _Reply:
    """What a responder holds; it goes stale when the next one has its turn."""

    __slots__ = ("_answering", "level")

    def __init__(self, answering: Answering[Any, Any], level: int) -> None:
        self._answering = answering
        self.level = level

    def push(self, text: str) -> None:
        if text:
            self._answering._post(partial(self._answering._words, self, text))

    def finish(self, answer: Any) -> None:
        self._answering._post(partial(self._answering._finished, self, answer))

    def fail(self, error: Exception) -> None:
        self._answering._post(partial(self._answering._failed, self, error))


class Answering(ChunkStream, Generic[RequestT, AnswerT]):
    """A request on its way down the chain, and its answer. Thread-safe.

    Iterate over it, await it, take its `result`: it is a `Generation`. Text shows as it comes.
    """

    def __init__(
        self, chain: FallbackChain[RequestT, AnswerT], request: RequestT, timeout_s: float
    ) -> None:
        super().__init__()
        self._chain = chain
        self._request = request
        self._asked = chain.now()
        self._deadline = self._asked + timeout_s
        self._actor = Actor()
        self._level = -1
        self._reply: _Reply | None = None
        self._begun = self._asked
        self._stop: Callable[[], None] | None = None
        self._alarm: Alarm | None = None
        self._tried: list[Tried] = []
        self._words_shown: list[str] = []
        self._answered: Answered[AnswerT] | None = None
        self._over = False

    @property
    def answered(self) -> Answered[AnswerT] | None:
        """The answer and where it came from; None until there is one, or where it was cancelled."""
        return self._answered

    @property
    def deadline(self) -> float:
        """Machine time by which there is an answer."""
        return self._deadline

    def begin(self) -> None:
        """Ask the first tier."""
        self._post(self._advance)

    def cancel(self) -> None:
        """Nobody wants it any more."""
        self._cancelled = True
        self._post(self._cancel)

    def hurry(self) -> None:
        """Answer now, from the last resort."""
        self._post(self._resort)

    def _post(self, step: Callable[[], None]) -> None:
        self._actor.post(step)

    # -- steps

    def _advance(self) -> None:
        """Find the next tier that there is time for, and ask it."""
        chain = self._chain
        have = chain.settings
        while not self._over:
            self._level += 1
            if self._level >= len(chain.tiers):
                self._resort()
                return
            tier = chain.tiers[self._level]
            now = chain.now()
            until = self._until(tier, now)
            if not tier.is_instant:
                usual = tier.expected_s(now, have.memory_s, 0.5)
                if now + usual > until:
                    left = max(0.0, until - now)
                    why = f"it takes about {usual:.2f} s, and {left:.2f} s were left"
                    self._tried.append(Tried(tier.name, "skipped", why))
                    chain.telemetry.count("chain.skipped")
                    continue
            reply = self._reply = _Reply(self, self._level)
            self._begun = now
            self._stop = None
            self._alarm = chain.timers.at(until, partial(self._post, partial(self._late, reply)))
            self._actor.outside(partial(self._respond, tier, reply, until))
            return

    def _until(self, tier: _Tier[RequestT, AnswerT], now: float) -> float:
        """How long this tier may take: what those below need is theirs, if there is enough."""
        have = self._chain.settings
        if tier.is_instant:
            return self._deadline - have.margin_s / 3
        until = self._deadline - have.margin_s
        below = self._chain.tiers[self._level + 1 :]
        kept = sum(other.expected_s(now, have.memory_s, 0.9) for other in below)
        if now + tier.expected_s(now, have.memory_s, 0.9) <= until - kept:
            return until - kept
        return until

    def _respond(self, tier: _Tier[RequestT, AnswerT], reply: _Reply, until: float) -> None:
        """Not a step: somebody else's code."""
        try:
            stop = tier.responder.respond(self._request, until, reply)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next tier answers
            reply.fail(error)
            return
        if stop is not None:
            self._post(partial(self._can_stop, reply, stop))

    def _can_stop(self, reply: _Reply, stop: Callable[[], None]) -> None:
        if self._reply is reply:
            self._stop = stop
        else:
            self._actor.outside(partial(_quietly, stop))

    def _words(self, reply: _Reply, text: str) -> None:
        if self._reply is reply:
            self._words_shown.append(text)
            self.push(text)

    def _finished(self, reply: _Reply, answer: AnswerT) -> None:
        if self._reply is not reply:
            return
        now = self._chain.now()
        tier = self._chain.tiers[reply.level]
        tier.answered(now, now - self._begun)
        self._note("answered", "", now)
        self._stop = None  # it has ended by itself
        self._settle(answer, tier.name, reply.level)

    def _failed(self, reply: _Reply, error: Exception) -> None:
        if self._reply is reply:
            self._give_up("failed", f"{type(error).__name__}: {error}")

    def _late(self, reply: _Reply) -> None:
        """The tier's time is over."""
        if self._reply is not reply:
            return
        chain = self._chain
        end = self._deadline - chain.settings.margin_s
        if self._words_shown and chain.now() < end:
            # Nobody else may go on with its sentence, so it has the time of all.
            self._alarm = chain.timers.at(end, partial(self._post, partial(self._late, reply)))
            return
        self._give_up("late", f"no answer in {chain.now() - self._begun:.2f} s")

    def _give_up(self, outcome: Outcome, why: str) -> None:
        """The tier that has its turn will not answer."""
        chain = self._chain
        shown = "".join(self._words_shown)
        self._note("cut" if shown else outcome, why, chain.now())
        chain.telemetry.count(f"chain.{'cut' if shown else outcome}")
        if shown:
            name = chain.tiers[self._level].name
            self._settle(shown, name, self._level, cut=True)  # type: ignore[arg-type]
        else:
            self._leave()
            self._advance()

    def _resort(self) -> None:
        if self._over:
            return
        shown = "".join(self._words_shown)
        if shown:
            self._give_up("late", "the chain was closed")
            return
        self._note("late", "not waited for any longer", self._chain.now())
        self._settle(self._chain.last_resort, LAST_RESORT, len(self._chain.tiers))

    def _cancel(self) -> None:
        if not self._over:
            self._leave()
            self._over = True
            self._chain.ended(self)
            self._chain.telemetry.count("chain.cancelled")
            self.finish("cancelled")

    def _note(self, outcome: Outcome, why: str, now: float) -> None:
        if self._reply is not None:
            name = self._chain.tiers[self._reply.level].name
            self._tried.append(Tried(name, outcome, why, (now - self._begun) * 1e3))

    def _leave(self) -> None:
        """The tier's turn is over."""
        self._reply = None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._stop is not None:
            self._actor.outside(partial(_quietly, self._stop))
            self._stop = None

    def _settle(self, answer: AnswerT, name: str, level: int, *, cut: bool = False) -> None:
        self._leave()
        self._over = True
        chain = self._chain
        took_ms = (chain.now() - self._asked) * 1e3
        self._answered = Answered(
            answer=answer,
            tier=name,
            level=level,
            cut=cut,
            took_ms=took_ms,
            tried=tuple(self._tried),
        )
        chain.ended(self)
        chain.telemetry.count(f"chain.tier.{name}")
        chain.telemetry.observe("chain.total", took_ms)
        rest = answer if isinstance(answer, str) and not self._words_shown else ""
        self.finish("length" if cut else "stop", text=rest)


def _quietly(stop: Callable[[], None]) -> None:
    """Stop what nobody listens to any more; that it cannot be stopped interests nobody either."""
    try:
        stop()
    except AstraweaveError:
        return
