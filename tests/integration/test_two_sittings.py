"""Two sittings with Tam without a language model: how much of yesterday he knows."""

from __future__ import annotations

import msgspec
import pytest

from astraweave.bench.meeting import hold_sitting
from astraweave.bench.sittings import draw, score
from astraweave.core.clock import ManualClock
from astraweave.core.settings import Settings
from astraweave.world import World

_DAY_S = 24 * 3600.0
SEEDS = range(1, 6)
RIGHT = 40
"""Of fifty questions; ten of them nobody can answer."""


def _right(seed: int, settings: Settings, slot: str) -> int:
    scenario = draw(seed)
    asked = [question.question for question in scenario.questions]
    for sitting, said in enumerate((scenario.first, asked)):
        clock = ManualClock(_DAY_S * sitting)
        with World.open(slot, settings=settings, seed=seed, clock=clock) as world:
            clock.set(_DAY_S * sitting)
            tam = world.npc("tam", persona="tam")
            report = hold_sitting(
                world,
                tam,
                said,
                on_said=lambda _, clock=clock: clock.advance(60.0),
                on_text=lambda _: None,
                on_line=lambda _: None,
            )
            world.save()
    lines = [record.line for record in report.lines]
    return sum(score(line, q).correct for line, q in zip(lines, scenario.questions, strict=True))


@pytest.mark.usefixtures("encoder_files")
def test_tam_remembers_yesterday(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = msgspec.structs.replace(Settings.from_environment(), model="none")
    right = [_right(s, settings, str(tmp_path_factory.mktemp("slot") / "w")) for s in SEEDS]
    assert sum(right) >= RIGHT, right
