"""What a thinking character costs a frame: a 60 Hz loop with the model busy, beside one without.

Stretches of both alternate within one run, so that a machine that changes its speed on the way
changes it for both. Between them a few frames run unmeasured: the last line's memories are written
down, caches fill, and the other kind of stretch begins as if it had always run. The two loops do
the same work on the same data; alone there is no tick.
"""

from __future__ import annotations

import itertools
from array import array
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from astraweave.bench.bars import Bar
from astraweave.bench.loop import FrameLoop, FrameReport, Swarm, quantile
from astraweave.core.clock import monotonic_ns

if TYPE_CHECKING:
    from astraweave.world import Reply, World

__all__ = ["FrameComparison", "measure_frames"]

STRETCH = 250
WARM_UP = 30
"""Frames before each stretch that are not measured."""
LINES = (
    "Good morning! How is the forge today?",
    "I met a pedlar on the north road who sells salt.",
    "What are you making there?",
    "It rained all night and the bridge is slippery.",
    "Do you like the sound of rain on the roof?",
    "My cousin says that the harvest will be good.",
    "Tell me what you think of the new mayor.",
    "I would rather sleep under the stars than in the inn.",
)


class _Talk:
    """A conversation without a pause."""

    def __init__(self, world: World) -> None:
        self._npc = world.npc("tam", persona="tam")
        self._utterances = itertools.cycle(LINES)
        self._reply: Reply | None = None
        self.say_us = array("d")
        self.lines = 0
        self.tiers: Counter[str] = Counter()

    def keep_going(self) -> None:
        """Read what is new, and say the next thing as soon as the last is answered."""
        if self._reply is not None:
            self._reply.take()
            if not self._reply.done:
                return
        self._count()
        start = monotonic_ns()
        self._reply = self._npc.say(next(self._utterances))
        self.say_us.append((monotonic_ns() - start) / 1e3)

    def pause(self) -> None:
        """Wait until nobody thinks."""
        if self._reply is not None:
            self._reply.wait()
        self._count()

    def _count(self) -> None:
        if self._reply is not None:
            self.lines += 1
            self.tiers.update(self._reply.tiers)
        self._reply = None


class FrameComparison(msgspec.Struct, frozen=True, kw_only=True):
    """A loop alone, and the same loop beside a talking character.

    Attributes
    ----------
    alone, thinking : FrameReport
        Both in the same run.
    work_slowdown_p99 : float
        The game's own work at p99, thinking over alone; 1 is no slowdown.
    say_us_p50, say_us_p99 : float
        Time inside `Npc.say`, which is called in a frame too.
    model_busy : float
        Share of the thinking frames' time in which the language model computed; near 0 the run
        says nothing about a thinking model.
    lines : int
        Lines that were answered meanwhile.
    tiers : dict of str to int
        Clauses shown a tier.
    """

    alone: FrameReport
    thinking: FrameReport
    work_slowdown_p99: float
    say_us_p50: float
    say_us_p99: float
    model_busy: float
    lines: int
    tiers: dict[str, int]

    @property
    def bars(self) -> tuple[Bar, ...]:
        """The two limits that a frame is held to."""
        return (
            Bar(name="tick p99.9", value=self.thinking.tick_us_p999, limit=500.0, unit="us"),
            Bar(
                name="own work p99, beside alone",
                value=self.work_slowdown_p99,
                limit=1.10,
                unit="x",
            ),
        )


def measure_frames(
    world: World,
    *,
    frames: int = 20_000,
    progress: Callable[[int, int], None] | None = None,
) -> FrameComparison:
    """Measure `frames` frames of each kind; the character is spoken to without a pause.

    Parameters
    ----------
    world : World
        Open; a character ``tam`` is added when it has none.
    frames : int
        Frames with the model thinking, and as many without.
    progress : callable, optional
        Called with frames done and frames in all.
    """
    talk, work = _Talk(world), Swarm()
    alone, thinking = FrameLoop(work=work), FrameLoop(work=work)
    computed = _model_ms(world)
    talked_ns = 0

    def tick() -> None:
        world.tick(budget_us=500)

    for done in range(0, frames, STRETCH):
        count = min(STRETCH, frames - done)
        for n in range(-WARM_UP, count):
            alone.frame(_nothing, measured=n >= 0)
        began = monotonic_ns()
        for n in range(-WARM_UP, count):
            thinking.frame(tick, talk.keep_going, measured=n >= 0)
        talk.pause()
        talked_ns += monotonic_ns() - began
        if progress is not None:
            progress(min(done + count, frames) * 2, frames * 2)
    quiet, busy = alone.report(), thinking.report()
    said = sorted(talk.say_us)
    return FrameComparison(
        alone=quiet,
        thinking=busy,
        work_slowdown_p99=busy.work_us_p99 / quiet.work_us_p99,
        say_us_p50=quantile(said, 0.5),
        say_us_p99=quantile(said, 0.99),
        model_busy=(_model_ms(world) - computed) / max(talked_ns / 1e6, 1e-9),
        lines=talk.lines,
        tiers=dict(talk.tiers),
    )


def _nothing() -> None:
    return


def _model_ms(world: World) -> float:
    """Milliseconds that the language model has computed so far."""
    spans = world.telemetry.spans()
    return sum(spans[name].total_ms for name in ("llm.prefill", "llm.decode") if name in spans)
