"""The benchmark cases run, compare like with like, and say why when they cannot run."""

from __future__ import annotations

import math
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

from astraweave.bench import Figures, Pair, Row, Unavailable, as_table, case, find_cases, run
from astraweave.errors import MissingExtraError

# These measure themselves, in fresh processes or on a disk, or need a model; the rest is two calls.
SLOW = (
    "start.",
    "world.",
    "memory.",
    "cache.semantic_hit",
    "cache.threads_8",
    "cache.zipf_scan",
)
EXACT = ("agreement", "same_text")  # what has to be the same, whoever does it
FAST = [each for each in find_cases() if not each.name.startswith(SLOW) and not each.heavy]
HEAVY = [each for each in find_cases() if each.heavy]


@pytest.mark.parametrize("each", FAST, ids=lambda each: each.name)
def test_every_case_does_its_work(each):
    does_its_work(each)


@pytest.mark.slow
@pytest.mark.parametrize("each", HEAVY, ids=lambda each: each.name)
def test_every_heavy_case_does_its_work(each):
    does_its_work(each)


def does_its_work(each):
    try:
        prepared = each.prepare()
    except (Unavailable, MissingExtraError) as error:
        pytest.skip(str(error))
    if isinstance(prepared, Pair):
        prepared.ours()
        if prepared.peer is not None:
            prepared.peer()
    assert prepared.peer is None or each.peer_name
    promised = EXACT + (("recall_at_10",) if ".exact" in each.name else ())
    shares = {name: value for name, value in prepared.quality.items() if name in promised}
    assert all(value == 1.0 for value in shares.values()), shares
    assert all(math.isfinite(value) for value in prepared.quality.values())


def test_names_are_unique_and_selectable():
    names = [each.name for each in find_cases()]
    assert len(set(names)) == len(names)
    assert [each.name for each in find_cases("context.window")] == ["context.window"]
    assert find_cases("nothing") == []


def test_asv_follows_every_case():
    suites = Path(__file__).parents[2] / "asv_bench" / "benchmarks"
    prefixes = {"memory."}  # measured in one go by a suite of its own
    for path in suites.glob("*.py"):
        prefixes |= set(re.findall(r'^ +prefix = "(.+)"$', path.read_text("utf-8"), re.MULTILINE))
    left = [each.name for each in find_cases() if not each.name.startswith(tuple(prefixes))]
    assert not left, "add them to asv_bench/benchmarks"


def test_asv_can_import_every_suite(monkeypatch):
    root = Path(__file__).parents[2] / "asv_bench"
    monkeypatch.setattr(sys, "path", [str(root), *sys.path])
    for path in (root / "benchmarks").glob("[!_]*.py"):
        import_module(f"benchmarks.{path.stem}")


def test_rows_hold_medians_and_their_ratio():
    @case("loops", unit="us", peer_name="a longer loop")
    def loops():
        return Pair(
            ours=lambda: sum(range(100)),
            peer=lambda: sum(range(10_000)),
            per_call=2.0,
            quality={"recall": 1.0},
        )

    row = loops.row()
    assert row.ours is not None
    assert row.peer is not None
    assert row.ratio == row.peer / row.ours > 1
    assert row.quality == {"recall": 1.0}


def test_more_is_better_for_a_rate():
    @case("loops", unit="sums/s", peer_name="a longer loop")
    def loops():
        return Pair(ours=lambda: sum(range(100)), peer=lambda: sum(range(10_000)), per_call=100.0)

    @case("own", unit="MB/s", peer_name="p")
    def own():
        return Figures(ours=6.0, peer=3.0)

    row = loops.row()
    assert row.ours is not None
    assert row.ours > 100
    assert row.ratio is not None
    assert row.ratio > 1
    assert own.row().ratio == 2.0


def test_a_peer_that_is_not_here_is_named():
    @case("alone", unit="us", peer_name="somebody")
    def alone():
        return Pair(ours=lambda: None)

    row = alone.row()
    assert row.ours is not None
    assert row.ratio is None
    assert row.note == "somebody is not here"
    assert row.note in as_table([row])


def test_what_cannot_run_says_why():
    @case("absent", unit="ms")
    def absent():
        raise Unavailable("no such data")

    @case("extra", unit="ms")
    def extra():
        raise MissingExtraError("this case", "numba")

    @case("own", unit="MB", peer_name="p")
    def own():
        return Figures(ours=2.0, peer=3.0)

    rows = run([absent, extra, own])
    assert rows[0] == Row(name="absent", unit="ms", note="no such data")
    assert "astraweave[numba]" in rows[1].note
    assert rows[2].ratio == 1.5
    table = as_table(rows)
    assert "no such data" in table
    assert "1.50" in table


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is not read on Windows")
def test_fresh_processes_are_measured():
    (memory,) = find_cases("start.import_rss")
    figures = memory.figures()
    assert figures.peer is not None
    assert 1 < figures.peer <= figures.ours * 1.2 < 500
