"""What a thinking character costs a frame: a 60 Hz loop with the model busy, beside one without.

Stretches of both alternate within one run, so that a machine that changes its speed on the way
changes it for both.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from astraweave.bench.loop import FrameLoop, FrameReport

if TYPE_CHECKING:
    from astraweave.world import Reply, World

__all__ = ["FrameComparison", "measure_frames"]

STRETCH = 500
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
        self.lines = 0
        self.tiers: Counter[str] = Counter()

    def keep_going(self) -> None:
        """Say the next thing as soon as the last is answered."""
        if self._reply is not None and not self._reply.done:
            return
        self._count()
        self._reply = self._npc.say(next(self._utterances))

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
    lines : int
        Lines that were answered meanwhile.
    tiers : dict of str to int
        Clauses shown a tier.
    """

    alone: FrameReport
    thinking: FrameReport
    work_slowdown_p99: float
    lines: int
    tiers: dict[str, int]


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
    talk = _Talk(world)
    alone, thinking = FrameLoop(), FrameLoop()
    for done in range(0, frames, STRETCH):
        count = min(STRETCH, frames - done)
        alone.run(count, lambda: None)
        for _ in range(count):
            talk.keep_going()
            thinking.frame(lambda: world.tick(budget_us=500))
        talk.pause()
        if progress is not None:
            progress(min(done + count, frames) * 2, frames * 2)
    quiet, busy = alone.report(), thinking.report()
    return FrameComparison(
        alone=quiet,
        thinking=busy,
        work_slowdown_p99=busy.work_us_p99 / quiet.work_us_p99,
        lines=talk.lines,
        tiers=dict(talk.tiers),
    )
