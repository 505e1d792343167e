from __future__ import annotations

import pytest

from astraweave.bench import frame
from astraweave.bench.bars import Bar
from astraweave.bench.dialogue import measure_dialogue
from astraweave.bench.frame import measure_frames
from astraweave.bench.loop import FrameLoop, Swarm, quantile
from astraweave.core.settings import Settings
from astraweave.world import World

BARE = Settings(model="none", embedder="mock")


def test_a_frame_is_tick_ask_and_work_and_only_measured_ones_count():
    seen = []
    loop = FrameLoop(hz=10_000.0, work=lambda: seen.append("work"))
    loop.frame(lambda: seen.append("tick"), lambda: seen.append("ask"), measured=False)
    loop.frame(lambda: seen.append("tick"))
    assert seen == ["tick", "ask", "work", "tick", "work"]
    report = loop.report()
    assert report.frames == 1
    assert report.frame_us_p99 >= report.tick_us_max + report.work_us_p99


def test_after_a_pause_the_cadence_begins_anew():
    loop = FrameLoop(hz=50.0, work=lambda: None)
    loop.frame(lambda: None)
    loop.resume()
    loop.frame(lambda: None)
    assert loop.report().wake_us_max < 20_000.0  # its time is the moment at which it began


def test_the_swarm_moves_and_stays_inside():
    swarm = Swarm(10)
    before = list(swarm._x)
    for _ in range(20_000):
        swarm()
    assert swarm._x != before
    assert all(0.0 <= place < 1000.0 for place in swarm._x)


def test_quantiles():
    assert quantile([], 0.5) == 0.0
    values = [float(n) for n in range(1000)]
    assert (quantile(values, 0.5), quantile(values, 0.999), quantile(values, 1.0)) == (
        500,
        999,
        999,
    )


def test_both_kinds_of_frames_are_measured_in_turns(tmp_path, monkeypatch):
    monkeypatch.setattr(frame, "WARM_UP", 2)
    monkeypatch.setattr(frame, "STRETCH", 20)
    told = []
    with World.open(tmp_path, settings=BARE) as world:
        figures = measure_frames(
            world, frames=50, progress=lambda done, total: told.append((done, total))
        )
    assert figures.alone.frames == figures.thinking.frames == 50
    assert told == [(40, 100), (80, 100), (100, 100)]
    assert figures.lines > 0
    assert figures.tiers["composed"] >= figures.lines
    assert figures.model_busy == 0.0  # no model: the run says so
    assert figures.say_us_p99 >= figures.say_us_p50 > 0.0
    assert [bar.limit for bar in figures.bars] == [500.0, 1.10]


@pytest.mark.models
def test_six_hundred_frames_beside_the_model(tmp_path, decoder_files, encoder_files):
    with World.open(tmp_path) as world:
        figures = measure_frames(world, frames=600)
    assert figures.thinking.frames == 600
    assert figures.model_busy > 0.1
    assert figures.lines >= 5


def test_two_passes_of_a_dialogue():
    done = []
    figures = measure_dialogue(
        BARE, turns=30, seed=3, progress=lambda now, total: done.append((now, total))
    )
    assert figures.turns == 30
    assert done[-1] == (60, 60)
    assert figures.model == "none"
    assert figures.model_lines == figures.drafted == 0
    assert figures.model_line_ms_p95 is None
    assert 0 < figures.first_word_ms_p50 <= figures.line_ms_p95
    assert [bar.met for bar in figures.bars[2:4]] == [None, None]
    assert (figures.personas, figures.repeats) == (1, 0)


def test_a_bar_is_a_limit_or_a_floor():
    assert Bar(name="a", value=1.1, limit=1.0, unit="s").met is False
    assert Bar(name="a", value=1.1, limit=1.0, unit="s", floor=True).met is True
    assert Bar(name="a", value=None, limit=1.0, unit="s").met is None
