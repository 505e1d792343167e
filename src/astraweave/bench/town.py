"""A hundred characters who think at once, beside a game's loop.

A wave: within one second each of them asks the model for a line, through the same road as every
game does (`LlmScheduler`, components, one polling system a frame). The loop goes on at 60 Hz.
Before each wave comes a stretch of the same loop with nobody thinking, so that both are measured in
one run.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from astraweave.bench.bars import Bar
from astraweave.bench.loop import FrameLoop, FrameReport, Swarm
from astraweave.core.clock import SystemClock
from astraweave.core.settings import Settings, cores
from astraweave.ecs import CThought, ThoughtSystem
from astraweave.errors import UsageError
from astraweave.llm import PRIORITIES, GenerationRequest, Message, Priority, SamplingParams

if TYPE_CHECKING:
    from astraweave.world import World

__all__ = ["TownFigures", "WaveFigures", "measure_town", "town_requests"]

STRETCH = 250
"""Frames with nobody thinking, before each wave."""
WARM_UP = 30
_CLOCK = SystemClock()
_ARRIVE_S = 1.0
_LINE_TOKENS = 25
_URGENT: dict[Priority, int] = {
    "critical": 5,
    "high": 15,
    "normal": 50,
    "low": 20,
    "background": 10,
}
"""Of each hundred."""
_LORE = (
    "You speak as one of the people of Hollow Ford, a village of ninety souls between the "
    "marsh and the king's road. The mill burned down in the spring, and nobody has owned up "
    "to it. The reeve, Odric, collects the toll at the bridge and keeps half. Mother Sella "
    "heals with herbs from the marsh, and the children say that she talks to herons. The old "
    "watchtower is empty since the garrison left for the war; at night there is a light in "
    "it. Bran the smith has lost his best hammer. Ysolde of the inn knows every traveller by "
    "name. Wolves came down from the hills twice this winter. The harvest was thin, the well "
    "is low, and the priest preaches patience. On market days there is salt, wool, eels and "
    "gossip. Strangers are stared at, then fed. Answer in one short sentence, as they would "
    "talk, and never speak of anything outside the village and its road."
)
_TRADES = "ferryman baker reeve shepherd weaver tanner cooper fisher thatcher potter".split()
_QUESTIONS = (
    "What did you see at the watchtower last night?",
    "Who do you think set fire to the mill?",
    "How much does the reeve take at the bridge now?",
    "Did the wolves come near your house this winter?",
    "What will you buy on the next market day?",
)


class WaveFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One wave: everybody asks within a second.

    Attributes
    ----------
    asked, answered : int
        Characters; how many of them the model answered.
    last_s : float
        From the first question to the last answer.
    first_word_ms : dict of str to float
        By priority: what the slowest of them waited for its first word.
    overtaken : float
        Share of pairs in which the less urgent one spoke first although the more urgent one waited
        already. The elders' turn takes some starts from the urgent on purpose.
    """

    asked: int
    answered: int
    last_s: float
    first_word_ms: dict[str, float]
    overtaken: float


class TownFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Some waves, and the loop alone and beside them.

    Attributes
    ----------
    threads, cores : int
        That the model may use, and that there are.
    waves : list of WaveFigures
        In their order.
    alone, thinking : FrameReport
        Both of the same run.
    work_slowdown_p99 : float
        The game's own work at p99, thinking over alone; 1 is no slowdown.
    """

    threads: int
    cores: int
    waves: list[WaveFigures]
    alone: FrameReport
    thinking: FrameReport
    work_slowdown_p99: float

    @property
    def bars(self) -> tuple[Bar, ...]:
        """What a town is held to; the loop only where the model leaves it a core."""
        spared = self.threads < self.cores
        last = sorted(wave.last_s for wave in self.waves)[len(self.waves) // 2]
        critical = max(wave.first_word_ms["critical"] for wave in self.waves)
        missed = sum(wave.asked - wave.answered for wave in self.waves)
        bars = [
            Bar(name="not answered by the model", value=missed, limit=0, unit=""),
            Bar(name="the last answer", value=last, limit=14.0 if spared else 9.0, unit="s"),
            Bar(name="first word of a critical one", value=critical, limit=1000.0, unit="ms"),
        ]
        if spared:
            tick, work = self.thinking.tick_us_p999, self.work_slowdown_p99
            bars += [
                Bar(name="tick p99.9", value=tick, limit=500.0, unit="us"),
                Bar(name="own work p99, beside alone", value=work, limit=1.10, unit="x"),
            ]
        return tuple(bars)


def town_requests(count: int = 100, *, seed: int = 0) -> list[GenerationRequest]:
    """What the people of the town ask: shared lore, then a question of about 20 tokens each."""
    urgencies = [each for each, share in _URGENT.items() for _ in range(share)]
    requests = []
    for number in range(count):
        trade, question = _TRADES[number % 10], _QUESTIONS[number // 10 % 5]
        requests.append(
            GenerationRequest(
                messages=(
                    Message("system", _LORE),
                    Message("user", f"{trade} number {number}: {question}"),
                ),
                max_tokens=_LINE_TOKENS,
                sampling=SamplingParams(temperature=0.8, seed=seed * count + number),
                owner=f"npc{number}",
                # Mixed, so that nobody is urgent only because of having come first.
                priority=urgencies[number * 37 % 100],
            )
        )
    return requests


def measure_town(
    settings: Settings,
    *,
    characters: int = 100,
    frames: int = 1500,
    progress: Callable[[int, int], None] | None = None,
) -> TownFigures:
    """Waves of questions until `frames` frames beside a thinking town were measured.

    Raises
    ------
    UsageError
        The settings name no language model.
    """
    from astraweave.world import World

    with (
        tempfile.TemporaryDirectory(prefix="astraweave-") as folder,
        World.open(Path(folder) / "slot", settings=settings) as world,
    ):
        return _Town(world, characters).measure(settings.thread_budget, frames, progress)


@dataclass(slots=True)
class _Asked:
    """One character's question, and when what happened to it; machine time, in seconds."""

    thought: CThought
    request: GenerationRequest
    at: float
    spoke: float = 0.0
    ended: float = 0.0


@dataclass
class _Wave:
    asked: list[_Asked]
    start: float
    waiting: list[_Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.waiting = list(self.asked)

    def ask(self, now: float) -> None:
        """Those whose moment has come ask; at most a few in a frame."""
        while self.waiting and self.waiting[0].at <= now:
            one = self.waiting.pop(0)
            one.at = now
            one.thought.request = one.request

    def look(self, now: float) -> None:
        """Note who has begun to speak, and who has ended."""
        for one in self.asked:
            if one.thought.new_text and not one.spoke:
                one.spoke = now
            if not one.ended and not one.thought.thinking and one.thought.ticket is not None:
                one.ended = now

    @property
    def over(self) -> bool:
        return not self.waiting and all(one.ended for one in self.asked)

    def figures(self) -> WaveFigures:
        first_words: dict[str, float] = {
            priority: max(
                (
                    (one.spoke - one.at) * 1e3
                    for one in self.asked
                    if one.request.priority == priority
                ),
                default=0.0,
            )
            for priority in PRIORITIES
        }
        return WaveFigures(
            asked=len(self.asked),
            answered=sum(bool(one.thought.text) for one in self.asked),
            last_s=max(one.ended for one in self.asked) - self.start,
            first_word_ms=first_words,
            overtaken=self._overtaken(),
        )

    def _overtaken(self) -> float:
        pairs = overtaken = 0
        for urgent, other in itertools.permutations(self.asked, 2):
            level = PRIORITIES.index(urgent.request.priority)
            if level < PRIORITIES.index(other.request.priority) and urgent.at <= other.at:
                pairs += 1
                overtaken += other.spoke < urgent.spoke
        return overtaken / max(1, pairs)


class _Town:
    def __init__(self, world: World, characters: int) -> None:
        if world.scheduler is None:
            raise UsageError("a town thinks with a language model, and the settings name none")
        self._world = world
        self._thoughts: list[CThought] = []
        self._system = ThoughtSystem(world.scheduler)
        self._count = characters
        # The lore is computed once, as by a game that has been running for a while.
        world.scheduler.submit(town_requests(1)[0]).result()

    def measure(
        self, threads: int, frames: int, progress: Callable[[int, int], None] | None
    ) -> TownFigures:
        work = Swarm()
        alone, thinking = FrameLoop(work=work), FrameLoop(work=work)
        waves: list[WaveFigures] = []
        while (done := len(thinking)) < frames:
            if progress is not None:
                progress(done, frames)
            for n in range(-WARM_UP, STRETCH):
                alone.frame(self._tick, measured=n >= 0)
            thinking.resume()
            waves.append(self._wave(thinking, seed=len(waves)))
            alone.resume()
        quiet, busy = alone.report(), thinking.report()
        return TownFigures(
            threads=threads,
            cores=cores(),
            waves=waves,
            alone=quiet,
            thinking=busy,
            work_slowdown_p99=busy.work_us_p99 / quiet.work_us_p99,
        )

    def _wave(self, loop: FrameLoop, seed: int) -> WaveFigures:
        self._thoughts = [CThought() for _ in range(self._count)]  # nothing of an earlier wave
        start = _CLOCK.monotonic()
        wave = _Wave(
            [
                _Asked(thought, request, start + _ARRIVE_S * number / self._count)
                for number, (thought, request) in enumerate(
                    zip(self._thoughts, town_requests(self._count, seed=seed), strict=True)
                )
            ],
            start,
        )

        def ask() -> None:
            now = _CLOCK.monotonic()
            wave.look(now)
            wave.ask(now)

        while not wave.over:
            loop.frame(self._tick, ask)
        return wave.figures()

    def _tick(self) -> None:
        self._world.tick(budget_us=500)
        self._system.run(self._thoughts)
