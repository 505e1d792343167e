"""The whole road in one piece: chain, scheduler, limits, model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from astraweave.core.clock import SystemClock
from astraweave.core.protocols import Clock, Journal, Responder
from astraweave.core.rng import RandomStreams
from astraweave.errors import ConfigError, StorageError, UsageError
from astraweave.llm import GenerationRequest, LanguageModel
from astraweave.observability import NULL_TELEMETRY, Telemetry
from astraweave.serving.breaker import BreakerState, CircuitBreakers
from astraweave.serving.fallback import Answering, FallbackChain
from astraweave.serving.health import HealthCheck
from astraweave.serving.limits import RateLimiter
from astraweave.serving.policies import IN_PROCESS, RoadSettings
from astraweave.serving.prompt_cache import PromptCache
from astraweave.serving.resilient import Resilient
from astraweave.serving.responders import CacheResponder, ModelResponder, TemplateResponder
from astraweave.serving.scheduler import LlmScheduler
from astraweave.serving.semantic_cache import SemanticCache
from astraweave.serving.settings_file import SettingsFile
from astraweave.serving.timers import Timers

__all__ = ["Road", "RoadReport", "open_road"]

_LINES = (
    "Hm. Let me think about that.",
    "Give me a moment, would you?",
    "I could not say, just now.",
)


class RoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a road is doing.

    Attributes
    ----------
    breakers : dict of str to str
        State by model.
    waits : dict of str to tuple of float
        By use: seconds that are waited for first words, and for whole answers.
    running : int
        Requests without an answer yet.
    limited : int
        Calls that wait for the rate limits.
    problem : str
        Why the settings file's last change was not taken over; empty where it was.
    """

    breakers: dict[str, str]
    waits: dict[str, tuple[float, float]]
    running: int
    limited: int
    problem: str


class Road:
    """Made by `open_road`. Thread-safe, but for `poll` and `reload` (one thread).

    Attributes
    ----------
    chain : FallbackChain
        Where requests are asked.
    schedulers : tuple of LlmScheduler
        Of the model, and of the smaller one where there is one.
    models : tuple of Resilient
        The same, behind the schedulers.
    """

    def __init__(
        self,
        chain: FallbackChain[GenerationRequest, str],
        schedulers: tuple[LlmScheduler, ...],
        models: tuple[Resilient, ...],
        breakers: CircuitBreakers,
        timers: Timers,
        file: SettingsFile | None,
    ) -> None:
        self.chain = chain
        self.schedulers = schedulers
        self.models = models
        self._breakers = breakers
        self._timers = timers
        self._file = file
        self._health = [HealthCheck(model) for model in models]

    @property
    def scheduler(self) -> LlmScheduler:
        """The way to the model alone, for those who have fallbacks of their own."""
        return self.schedulers[0]

    @property
    def settings(self) -> RoadSettings:
        """What holds now."""
        return self.models[0].settings

    def ask(
        self, request: GenerationRequest, *, timeout_s: float
    ) -> Answering[GenerationRequest, str]:
        """An answer within `timeout_s` seconds, from whoever can; see `FallbackChain.ask`."""
        return self.chain.ask(request, timeout_s=timeout_s)

    def apply(self, settings: RoadSettings) -> None:
        """Take over other settings for calls from now on."""
        for model in self.models:
            model.apply(settings)
        self.chain.settings = settings.chain

    def reload(self) -> None:
        """Read the settings file again.

        Raises
        ------
        UsageError
            The road has no file.
        ConfigError, StorageError
            It cannot be used; what held before still holds.
        """
        if self._file is None:
            raise UsageError("this road was opened without a settings file")
        self.apply(self._file.read())

    @property
    def watches(self) -> bool:
        """Whether there is a file for `poll` to look at."""
        return self._file is not None

    def poll(self) -> bool:
        """Take over the settings file where it has changed; cheap enough for every tick."""
        settings = self._file.poll() if self._file is not None else None
        if settings is not None:
            self.apply(settings)
        return settings is not None

    def export(self) -> dict[str, BreakerState]:
        """What a save keeps: which models are left alone, and for how long still."""
        return self._breakers.export()

    def restore(self, saved: dict[str, BreakerState]) -> None:
        """Go on from what `export` gave."""
        self._breakers.restore(saved)

    def report(self) -> RoadReport:
        """How it is doing."""
        problem: ConfigError | StorageError | None = None
        if self._file is not None:
            problem = self._file.problem
        return RoadReport(
            breakers={model.model_id: model.breaker.state for model in self.models},
            waits=self.models[0].latencies.waits(),
            running=self.chain.running,
            limited=self.models[0].limiter.waiting,
            problem="" if problem is None else str(problem),
        )

    def close(self) -> None:
        """Answer what is open from the last resort, and end all threads. Twice is allowed."""
        for health in self._health:
            health.close()
        self.chain.close()
        for scheduler in self.schedulers:
            scheduler.close()
        for model in self.models:
            model.close()
        self._timers.close()


def open_road(
    model: LanguageModel,
    *,
    settings: RoadSettings | Path | None = None,
    smaller: LanguageModel | None = None,
    cache: PromptCache | SemanticCache | None = None,
    tiers: Sequence[Responder[GenerationRequest, str]] = (),
    lines: Sequence[str] = _LINES,
    clock: Clock | None = None,
    telemetry: Telemetry = NULL_TELEMETRY,
    journal: Journal | None = None,
    streams: RandomStreams | None = None,
    max_queue: int = 256,
    concurrency: int | None = None,
    world_version: Callable[[], int] | None = None,
) -> Road:
    """Build the road to a model: the one obvious way.

    A request goes down the tiers *model*, *smaller model*, *cache*, those of `tiers`, *template*,
    until one answers in time; see ``docs/explanation/the_road.md`` for the picture.

    Parameters
    ----------
    model : LanguageModel
        Who answers. It and `smaller` stay open when the road closes.
    settings : RoadSettings or Path, optional
        The policies, or a TOML file of them that may change while the game runs (`Road.poll`).
        By default what fits the model: only servers are asked again.
    smaller : LanguageModel, optional
        Who answers when `model` does not.
    cache : PromptCache or SemanticCache, optional
        Keeps what the models answered.
    tiers : sequence of Responder
        What the game knows to answer: a composer, a rule.
    lines : sequence of str
        What is said when nobody has an answer; the first is the last resort.
    max_queue : int
        Requests that may wait in the scheduler.
    concurrency : int, optional
        Requests that may run at once; by default as many as the model has slots.
    world_version : callable, optional
        Which version the world is at (see `LlmScheduler`).

    Raises
    ------
    ConfigError
        Settings, tiers or lines cannot be used.
    """
    clock = clock or SystemClock()
    streams = streams or RandomStreams(0)
    file = None
    base = RoadSettings() if model.info.remote else IN_PROCESS
    if isinstance(settings, Path):
        file = SettingsFile(settings, base)
        settings = file.read()
        file.poll()
    settings = settings or base
    template = TemplateResponder(lines)
    remembering = CacheResponder(cache, model=model.info.id) if cache is not None else None
    timers = Timers(clock, name="astraweave-patience")
    breakers = CircuitBreakers(settings.breaker, clock=clock, streams=streams, telemetry=telemetry)
    limiter = RateLimiter(settings.limits, clock=clock, timers=timers, telemetry=telemetry)
    schedulers: list[LlmScheduler] = []
    models: list[Resilient] = []
    all_tiers: list[Responder[GenerationRequest, str]] = []
    for name, one in (("model", model), ("smaller_model", smaller)):
        if one is None:
            continue
        models.append(
            Resilient(
                one,
                settings,
                clock=clock,
                telemetry=telemetry,
                breakers=breakers,
                limiter=limiter,
                timers=timers,
                rng=streams[f"resilient/{name}"],
            )
        )
        schedulers.append(
            LlmScheduler(
                models[-1],
                clock=clock,
                journal=journal,
                telemetry=telemetry,
                max_queue=max_queue,
                concurrency=concurrency,
                world_version=world_version,
            )
        )
        on_answer = remembering.remember if remembering is not None else None
        all_tiers.append(ModelResponder(schedulers[-1], name=name, on_answer=on_answer))
    all_tiers += [*([remembering] if remembering else []), *tiers, template]
    chain = FallbackChain(
        all_tiers, lines[0], settings=settings.chain, clock=clock, telemetry=telemetry
    )
    return Road(chain, tuple(schedulers), tuple(models), breakers, timers, file)
