"""The town that `astraweave bench serving` measures: every wave is a wave of its own."""

from __future__ import annotations

from astraweave.bench import town
from astraweave.core.settings import Settings
from astraweave.llm import ScriptedModel
from astraweave.world import World


def test_every_wave_waits_for_its_own_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(town, "STRETCH", 2)
    monkeypatch.setattr(town, "WARM_UP", 1)
    monkeypatch.setattr(town, "_ARRIVE_S", 0.05)
    model = ScriptedModel(["Aye, I saw a light there."], first_token_delay=0.05, slots=4)
    settings = Settings(model="none", embedder="mock")
    with World.open(tmp_path / "slot", settings=settings, model=model) as world:
        figures = town._Town(world, 10).measure(1, 30, None)
    model.close()
    assert len(figures.waves) >= 2
    for wave in figures.waves:
        assert wave.answered == wave.asked == 10
        assert wave.last_s > 0.05
    assert figures.thinking.frames >= 30
    assert {bar.name for bar in figures.bars} >= {"not answered by the model", "the last answer"}
