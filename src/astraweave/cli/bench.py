"""`astraweave bench`: what this machine makes of it."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from astraweave.bench import Case, Row, as_table, find_cases
from astraweave.bench.bars import Bar
from astraweave.bench.curve import Curve, curve_cases
from astraweave.bench.loop import FrameReport
from astraweave.bench.picture import check_picture, draw_curve
from astraweave.bench.vectors import drawn_sample, read_sample
from astraweave.cli.console import Console
from astraweave.core.settings import Settings
from astraweave.errors import InputError, MissingExtraError

__all__ = ["run"]

Outcome = tuple[Any, tuple[Bar, ...]]
"""Figures, and the bars that they are held to."""

_PICTURE = Path("astraweave-bench.png")
_LARGE_PEER = "pip install sentence-transformers"  # brings torch, so it is no part of an extra


def run(arguments: argparse.Namespace) -> int:
    """Measure one thing, or run the short cases; prints a table or one JSON document."""
    console = Console(quiet=arguments.json)
    if arguments.what == "all":
        document: Any = _cases(console, arguments)
    elif arguments.what == "serving":
        document = _serving(console, arguments)
    else:
        measure: dict[str, Callable[[Console, argparse.Namespace], Outcome]] = {
            "frame": _frame,
            "memory": _memory,
            "dialogue": _dialogue,
            "companion": _companion,
        }
        figures, bars = measure[arguments.what](console, arguments)
        _print_bars(console, bars)
        document = msgspec.to_builtins(figures) | {
            "bars": [msgspec.to_builtins(bar) | {"met": bar.met} for bar in bars]
        }
    if arguments.json:
        print(json.dumps(document, indent=2))
    return 0


def _cases(console: Console, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    picture = _picture_path(console, arguments)
    sample = None
    if arguments.data is not None:
        sample = read_sample(arguments.data, metric=arguments.metric)
    with console.progress() as progress:
        curve = None
        if sample is not None or picture is not None:
            curve = Curve(sample or drawn_sample(), progress)
        cases = _chosen(arguments, curve)
        rows = []
        for number, each in enumerate(cases):
            progress("cases", number, len(cases), each.name)
            rows.append(each.row())
        if curve is not None and picture is not None:
            draw_curve(curve.points, picture, title=curve.sample.name)
    _print_rows(console, rows)
    if any(row.peer_name and row.peer is None and row.ours is not None for row in rows):
        console.say(f"for the peers: pip install 'astraweave[peers]' (embeddings: {_LARGE_PEER})")
    if picture is not None:
        console.say(f"recall against queries a second: {picture}")
    return [_as_document(row) for row in rows]


def _chosen(arguments: argparse.Namespace, curve: Curve | None) -> list[Case]:
    """With vectors of the user's: the cases over them; other ones only when asked for by name."""
    only = arguments.only
    own = curve_cases(curve) if arguments.data is not None and curve is not None else ()
    cases = [each for each in own if each.name.startswith(only or "")]
    if only or not own:
        cases += find_cases(*([only] if only else []))
    if not cases:
        known = ", ".join(each.name for each in (*own, *find_cases()))
        raise InputError(f"no case is called {only!r}; there are {known}", case=only)
    return cases


def _picture_path(console: Console, arguments: argparse.Namespace) -> Path | None:
    """Where to draw: as told, or beside the user where everything is measured and shown."""
    if arguments.plot is not None:
        check_picture(arguments.plot)
        return Path(arguments.plot)
    if arguments.json or arguments.only:
        return None
    try:
        check_picture(_PICTURE)
    except MissingExtraError as error:
        console.say(f"{error}")
        return None
    return _PICTURE


def _as_document(row: Row) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(row)
    return document


def _print_rows(console: Console, rows: Sequence[Row]) -> None:
    if not console.live:
        console.say(as_table(rows))
        return
    console.table(
        "On this machine (ratio above 1: ours is better)",
        ("case", "ours", "peer", "ratio", "peer's name", "quality"),
        [
            (
                row.name,
                _amount(row.ours, row.unit),
                _amount(row.peer, row.unit),
                "" if row.ratio is None else f"{row.ratio:.2f}x",
                row.peer_name if row.peer is not None else "",
                "  ".join(filter(None, (_qualities(row), row.note))),
            )
            for row in rows
        ],
    )


def _qualities(row: Row) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in row.quality.items())


def _frame(console: Console, arguments: argparse.Namespace) -> Outcome:
    from astraweave.bench.frame import measure_frames
    from astraweave.world import World

    frames = _frames(arguments, 20_000)
    with (
        console.progress(animated=False) as progress,
        tempfile.TemporaryDirectory(prefix="astraweave-") as folder,
        World.open(Path(folder) / "slot", progress=progress) as world,
    ):
        figures = measure_frames(
            world,
            frames=frames,
            progress=lambda done, total: progress("frames", done, total),
        )
    columns = (figures.alone, figures.thinking)
    console.table(
        f"A 60 Hz loop, {figures.thinking.frames} frames of each kind",
        ("", "alone", "beside a thinking character"),
        [
            (label, *(f"{value(column):.0f} {unit}".rstrip() for column in columns))
            for label, unit, value in _FRAME_ROWS
        ],
    )
    console.say(
        f"say: {figures.say_us_p50:.0f} us (99 %: {figures.say_us_p99:.0f} us); "
        f"{figures.lines} lines, the model computed {figures.model_busy:.0%} of the time"
    )
    return figures, figures.bars


def _frames(arguments: argparse.Namespace, usual: int) -> int:
    frames = usual if arguments.frames is None else int(arguments.frames)
    if frames < 1:
        raise InputError("a loop has at least one frame", frames=frames)
    return frames


_FRAME_ROWS: tuple[tuple[str, str, Callable[[FrameReport], float]], ...] = (
    ("world.tick, median", "us", lambda r: r.tick_us_p50),
    ("world.tick, 99 %", "us", lambda r: r.tick_us_p99),
    ("world.tick, 99.9 %", "us", lambda r: r.tick_us_p999),
    ("own work, median", "us", lambda r: r.work_us_p50),
    ("own work, 99 %", "us", lambda r: r.work_us_p99),
    ("own work, 99.9 %", "us", lambda r: r.work_us_p999),
    ("whole frame, 99 %", "us", lambda r: r.frame_us_p99),
    ("whole frame, 99.9 %", "us", lambda r: r.frame_us_p999),
    ("wakes late by, median", "us", lambda r: r.wake_us_p50),
    ("wakes late by, 99 %", "us", lambda r: r.wake_us_p99),
    ("wakes late by, 99.9 %", "us", lambda r: r.wake_us_p999),
    ("frames more than 4 ms late", "", lambda r: r.late),
)


def _memory(console: Console, arguments: argparse.Namespace) -> Outcome:
    from astraweave.bench.memory import default_memory_figures

    console.say("Ten thousand memories: saving, loading, asking ...", style="dim")
    figures = default_memory_figures(crowd=arguments.crowd)
    rows = [
        (name, *(f"{value:.1f} ms" for value in (each.p50_ms, each.p95_ms, each.max_ms)))
        for name, each in (
            ("save", figures.save),
            ("load", figures.load),
            ("retrieve 5, the question embedded", figures.retrieve),
            ("  of which embedding", figures.embed_query),
        )
    ]
    title = f"{figures.memories} memories, {figures.save_bytes / 1e6:.1f} MB"
    console.table(title, ("", "median", "95 %", "slowest"), rows)
    return figures, figures.bars


def _dialogue(console: Console, arguments: argparse.Namespace) -> Outcome:
    from astraweave.bench.dialogue import measure_dialogue

    with console.progress(animated=False) as progress:
        figures = measure_dialogue(
            Settings.from_environment(),
            turns=arguments.turns,
            seed=arguments.seed,
            progress=lambda done, total: progress("turns", done, total),
        )
    rows = [
        (
            label,
            _amount(getattr(figures, f"{key}_p50"), "ms"),
            _amount(getattr(figures, f"{key}_p95"), "ms"),
        )
        for label, key in (
            ("first word, any tier", "first_word_ms"),
            ("whole line, any tier", "line_ms"),
            ("the model's first checked clause", "model_first_clause_ms"),
            ("the model's line", "model_line_ms"),
        )
    ]
    console.table(f"{figures.turns} turns", ("", "median", "95 %"), rows)
    tiers = ", ".join(f"{count} {tier}" for tier, count in figures.tiers.items())
    console.say(
        f"clauses shown: {tiers or 'none'}; drafted {figures.drafted}, "
        f"passed {figures.passed}; {figures.tokens_per_s:.0f} tokens/s"
    )
    return figures, figures.bars


def _companion(console: Console, arguments: argparse.Namespace) -> Outcome:
    from astraweave.bench.companion import measure_companion

    if arguments.seeds < 1:
        raise InputError("there is at least one seed", seeds=arguments.seeds)
    settings = Settings.from_environment()
    if arguments.without:
        settings = msgspec.structs.replace(settings, model="none")
    with console.progress(animated=False) as progress:
        figures = measure_companion(
            range(arguments.seed, arguments.seed + arguments.seeds),
            settings,
            progress=lambda done, total: progress("sittings", done, total),
            transcript=arguments.transcript,
        )
    for title, counts in (
        ("Sorts of questions", figures.by_sort),
        ("Kinds of questions", figures.by_kind),
        ("Tiers", figures.by_tier),
    ):
        rows = [(name, str(right), str(asked)) for name, (right, asked) in counts.items()]
        console.table(title, ("", "right", "asked"), rows)
    for seed, share in figures.seeds.items():
        console.say(f"seed {seed}: {share:.1%} right, {figures.invented[seed]} invented")
    console.say(f"sorts of facts that may be tuned to: {figures.tuned:.1%}; model: {figures.model}")
    return figures, figures.bars


def _serving(console: Console, arguments: argparse.Namespace) -> dict[str, Any]:
    from astraweave.bench.road_report import Options, measure_parts

    options = Options(
        settings=Settings.from_environment(),
        frames=_frames(arguments, 3_000),
        seconds=arguments.seconds,
        llama_server=arguments.llama_server,
        gguf=arguments.gguf,
    )
    parts = measure_parts(
        options, arguments.only or "", note=lambda text: console.say(text, style="dim")
    )
    for part in parts:
        console.say(part.name, style="bold")
        if part.note:
            console.say(f"-   {part.note}")
        _print_bars(console, part.bars)
    return {
        part.name: part.figures
        | {
            "bars": [msgspec.to_builtins(bar) | {"met": bar.met} for bar in part.bars],
            "note": part.note,
        }
        for part in parts
    }


def _print_bars(console: Console, bars: Sequence[Bar]) -> None:
    marks = {True: ("ok  ", "green"), False: ("over", "bold red"), None: ("-   ", "dim")}
    for bar in bars:
        mark, style = marks[bar.met]
        relation = "at least" if bar.floor else "at most"
        console.say(f"{mark}  ", style=style, end="")
        limit = _amount(bar.limit, bar.unit)
        console.say(
            f"{bar.name}: {_amount(bar.value, bar.unit) or 'not measured'} ({relation} {limit})"
        )


def _amount(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.4g} {unit}".rstrip()
