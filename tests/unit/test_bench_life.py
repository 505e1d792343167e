from __future__ import annotations

from astraweave.bench.life import CASES, measure_kept


def test_the_case_measures_what_it_says():
    figures = measure_kept(lines=300, facts=30)
    assert figures.facts == 30
    assert figures.kept["whole"] == 1.0
    assert figures.kept["half"] > figures.kept["half_oldest_go"] + 0.2
    assert figures.kept["quarter"] > figures.kept["quarter_oldest_go"] + 0.2
    assert figures.memories >= 250


def test_the_cases_are_there():
    assert [case.name for case in CASES] == ["life.sweep_1m", "life.remember", "life.kept_facts"]
