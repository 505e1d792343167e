"""A language model that keeps its temper: limits, breaker, retries, timeouts around another one."""

from __future__ import annotations

import random
from collections.abc import Sequence

from astraweave.core.clock import SystemClock
from astraweave.core.protocols import Clock
from astraweave.core.rng import RandomStreams
from astraweave.core.threads import Crew
from astraweave.errors import UsageError
from astraweave.llm import Generation, GenerationRequest, LanguageModel, Message, ModelInfo
from astraweave.llm.protocol import ScoreRequest, Scoring, ScoringModel
from astraweave.observability import NULL_TELEMETRY, Telemetry
from astraweave.serving._call import Call
from astraweave.serving.breaker import CircuitBreaker, CircuitBreakers
from astraweave.serving.bulkhead import Bulkhead
from astraweave.serving.latency import LatencyBook
from astraweave.serving.limits import RateLimiter
from astraweave.serving.policies import RoadSettings
from astraweave.serving.retry import Budget
from astraweave.serving.timers import Timers

__all__ = ["Resilient"]


class Resilient:
    """A `LanguageModel` around a `LanguageModel`. Thread-safe; no call costs a thread.

    Every call goes through, in this order: the circuit breaker (refused at once while the model is
    left alone), the rate limits (waits for its turn, or is refused at once when that is too late),
    the bulkhead (waits for room), the model, with an eye on the time. What fails is judged (see
    `astraweave.serving.retry.judge`) and, where it helps, asked again.

    What was shown to a reader is never repeated: once words of an answer are out, a retry goes on
    from them (`GenerationRequest.prefix`), and where the model cannot, the answer ends there with
    the error. All errors are of our own tree.

    Parameters
    ----------
    model : LanguageModel
        Who answers. It stays open when this closes, unless `owns_model`.
    settings : RoadSettings
        The policies; `apply` changes them for calls from then on.
    clock : Clock, optional
        Its `monotonic` is read.
    telemetry : Telemetry
        Counters ``resilient.calls``, ``answered``, ``failed``, ``retried``, ``continued``,
        ``hedged``, ``hedge_won``, ``timed_out``, and those of its parts.
    breakers : CircuitBreakers, optional
        States that outlive this object; share them to know the same model in several places.
    limiter : RateLimiter, optional
        Shared by all models, so that ``limits.everything`` means everything.
    timers : Timers, optional
        Shared; by default its own.
    rng : random.Random, optional
        For jitter.
    hedge_with : LanguageModel, optional
        Who gets the second calls; by default the same model.
    """

    def __init__(
        self,
        model: LanguageModel,
        settings: RoadSettings = RoadSettings(),  # noqa: B008 - immutable
        *,
        clock: Clock | None = None,
        telemetry: Telemetry = NULL_TELEMETRY,
        breakers: CircuitBreakers | None = None,
        limiter: RateLimiter | None = None,
        timers: Timers | None = None,
        rng: random.Random | None = None,
        hedge_with: LanguageModel | None = None,
        owns_model: bool = False,
    ) -> None:
        self._clock = clock or SystemClock()
        self._owns = (owns_model, timers is None)
        self.model = model
        self.model_id = model.info.id
        self.continues_prefix = model.info.continues_prefix
        self.is_instant = model.info.instant
        self.takes_deadline = True
        self.telemetry = telemetry
        self.settings = settings
        self.now = self._clock.monotonic
        self.rng = rng or RandomStreams(0)["resilient"]
        self.timers = Timers(self._clock, name="astraweave-patience") if timers is None else timers
        self.breakers = breakers or CircuitBreakers(
            settings.breaker, clock=self._clock, telemetry=telemetry
        )
        self.breaker: CircuitBreaker = self.breakers[self.model_id]
        self.limiter = limiter or RateLimiter(
            settings.limits, clock=self._clock, timers=self.timers, telemetry=telemetry
        )
        self.bulkhead = Bulkhead(settings.bulkhead)
        self.latencies = LatencyBook(settings.all_timeouts, settings.other_timeouts)
        self.retries = Budget(settings.retry.share, settings.retry.reserve)
        self.hedges = Budget(settings.hedge.share, settings.hedge.reserve)
        self.hedge_with = hedge_with or model
        self.crew = Crew("astraweave-resilient")
        self.last_answer = self.now()
        self._running: set[Call] = set()
        self._closed = False

    @property
    def info(self) -> ModelInfo:
        """What model it is: the wrapped one's."""
        return self.model.info

    @property
    def running(self) -> int:
        """Calls that have not ended."""
        return len(self._running)

    def count(self, text: str) -> int:
        """Tokens of `text`."""
        return self.model.count(text)

    def count_messages(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole rendered prompt."""
        return self.model.count_messages(messages)

    def generate(self, request: GenerationRequest, *, deadline: float | None = None) -> Generation:
        """Begin an answer; returns at once.

        Parameters
        ----------
        deadline : float, optional
            Machine time after which the answer is of no use: nothing is begun, waited for or
            retried that cannot be done by then.

        Raises
        ------
        UsageError
            It is closed.
        """
        if self._closed:
            raise UsageError("the language model is closed")
        call = Call(self, request, deadline)
        self._running.add(call)
        self.telemetry.count("resilient.calls")
        self.retries.pay_in()
        call.begin()
        return call

    def score(self, request: ScoreRequest) -> Scoring:
        """Score, where the model can; refused while it is left alone, and nothing is retried.

        Raises
        ------
        UsageError
            The model cannot score.
        BreakerOpen
            It is left alone for now.
        """
        if not isinstance(self.model, ScoringModel):
            raise UsageError(f"the model {self.model_id!r} cannot score texts")
        refusal = self.breaker.refusal()
        if refusal is not None:
            raise refusal
        return self.model.score(request)

    def apply(self, settings: RoadSettings) -> None:
        """Take over other settings; calls that run keep theirs, and nothing that was learnt goes.

        A limiter and breakers that are shared change for all who share them.
        """
        self.limiter.apply(settings.limits)
        self.breakers.apply(settings.breaker)
        self.bulkhead.apply(settings.bulkhead)
        self.latencies.apply(settings.all_timeouts, settings.other_timeouts)
        self.retries.apply(settings.retry.share, settings.retry.reserve)
        self.hedges.apply(settings.hedge.share, settings.hedge.reserve)
        self.settings = settings

    def close(self) -> None:
        """End what runs as cancelled. Closing twice is allowed."""
        self._closed = True
        for call in tuple(self._running):
            call.cancel()
        own_model, own_timers = self._owns
        if own_timers:
            self.timers.close()
        self.crew.close(1.0)
        if own_model:
            self.model.close()

    def ended(self, call: Call) -> None:
        """A call is over."""
        self._running.discard(call)

    def tokens(self, request: GenerationRequest) -> int:
        """What a request announces to the limits: its prompt, and the longest answer."""
        if not self.limiter.counts_tokens:
            return 0
        return self.model.count_messages(request.messages) + request.max_tokens
