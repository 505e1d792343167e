"""The load that the road is measured with: complete, and charged for what came too late."""

from __future__ import annotations

from astraweave.bench.serving import RoadFigures, measure_road
from astraweave.errors import ModelError
from astraweave.llm import ScriptedModel


def test_every_request_is_counted_once() -> None:
    figures = measure_road(per_second=400, seconds=0.25, threads=4)
    assert (figures.lost, figures.failed) == (0, 0)
    assert 0 < figures.p50_ms <= figures.p99_ms <= figures.p999_ms <= figures.max_ms
    assert 0 < figures.answered_per_s <= figures.wanted_per_s


def test_failures_are_told_apart() -> None:
    model = ScriptedModel(["Aye.", ModelError("broken")], slots=2)
    figures = measure_road(per_second=400, seconds=0.1, threads=2, model=model)
    assert figures.lost == 0
    assert figures.failed > 0
    assert 2 * figures.failed - 0.1 * figures.wanted_per_s <= 1  # every second one
    model.close()


def test_a_slow_road_is_charged_for_what_it_kept_waiting() -> None:
    """20 ms an answer, one every 10 ms: the later a request is due, the longer it waits."""
    model = ScriptedModel(["Aye."], first_token_delay=0.02)
    figures = measure_road(per_second=100, seconds=0.3, threads=1, model=model)
    assert figures.max_ms > 150
    assert figures.answered_per_s < 0.75 * figures.wanted_per_s
    model.close()


def test_the_bars() -> None:
    figures = RoadFigures(
        wanted_per_s=100, answered_per_s=99.5, lost=0, failed=0,
        p50_ms=0.1, p99_ms=0.9, p999_ms=2.0, max_ms=3.0, grown_mb=0.0,
    )  # fmt: skip
    assert all(bar.met for bar in figures.bars(1.0))
    assert not all(bar.met for bar in figures.bars(0.5))
