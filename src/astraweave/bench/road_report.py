"""`astraweave bench serving`: the road between game and model on this machine, with its own model.

Each part is measured by itself and can be asked for by name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from astraweave.bench.bars import Bar
from astraweave.bench.case import Unavailable
from astraweave.bench.town import measure_town
from astraweave.bench.words import (
    measure_decoding,
    measure_first_words,
    measure_longest_pause,
    opened_model,
)
from astraweave.core.settings import Settings, cores
from astraweave.errors import InputError

__all__ = ["PARTS", "Part", "measure_parts"]

Note = Callable[[str], None]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part's figures, and what they are held to.

    Attributes
    ----------
    name : str
        Of the part.
    figures : dict
        By name; builtins only.
    bars : tuple of Bar
        None of them where this machine cannot be compared.
    note : str
        Why something was not measured.
    """

    name: str
    figures: dict[str, Any] = {}
    bars: tuple[Bar, ...] = ()
    note: str = ""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a run may take, and whom it measures beside us.

    Attributes
    ----------
    settings : Settings
        Model and provider.
    frames : int
        Of the loop beside a thinking town.
    seconds : float
        Of steady load on the road.
    llama_server, gguf : Path or None
        llama.cpp's server and its model, to be measured in the same run.
    """

    settings: Settings
    frames: int = 1500
    seconds: float = 5.0
    llama_server: Path | None = None
    gguf: Path | None = None


def measure_parts(options: Options, only: str = "", note: Note = lambda _: None) -> list[Part]:
    """Measure the parts whose names begin with `only`; `note` hears what is going on.

    Raises
    ------
    InputError
        No part is called so.
    """
    chosen = [name for name in PARTS if name.startswith(only)]
    if not chosen:
        raise InputError(f"no part is called {only!r}; there are {', '.join(PARTS)}", part=only)
    parts = []
    for name in chosen:
        note(f"{name} ...")
        try:
            parts.append(PARTS[name](options, note))
        except Unavailable as error:
            parts.append(Part(name=name, note=str(error)))
    return parts


def _decode(options: Options, note: Note) -> Part:
    """Bar: many lines at once, beside one line and beside llama.cpp's server."""
    figures: dict[str, Any] = {}
    bars: tuple[Bar, ...] = ()
    for threads in sorted({1, cores()}):
        rates = {}
        with opened_model(options.settings, threads) as model:
            for lines in (1, 4, 8, 16):
                note(f"decode: {lines} lines on {threads} threads")
                rates[lines] = measure_decoding(model, lines=lines).tokens_per_s
        peers = {
            lines: rate
            for lines in (1, 16)
            if (rate := _llama(options, lines, threads, note)) is not None
        }
        figures[f"threads_{threads}"] = {
            "tokens_per_s": {str(lines): rate for lines, rate in rates.items()},
            "llama_cpp_tokens_per_s": {str(lines): rate for lines, rate in peers.items()},
        }
        bars = (  # those of the most threads
            _floor("16 lines at once", rates[16], 345.0, "tokens/s"),
            _floor("16 lines beside one", rates[16] / rates[1], 4.5, "x"),
            _floor("16 lines beside llama.cpp", _ratio(rates[16], peers.get(16)), 3.0, "x"),
            _floor("one line beside llama.cpp", _ratio(rates[1], peers.get(1)), 1.2, "x"),
        )
    return Part(name="decode", figures=figures, bars=bars)


def _first_words(options: Options, note: Note) -> Part:
    """Bar: the first token behind a known beginning, and pauses while a long prompt arrives."""
    with opened_model(options.settings, cores()) as model:
        note("first words: alone")
        short = measure_first_words(model, prefix=300, fresh=30)
        long = measure_first_words(model, prefix=300, fresh=130)
        note("first words: beside 8 lines")
        crowded = measure_first_words(model, prefix=300, fresh=30, others=8)
        pause = measure_longest_pause(model, lines=8)
    return Part(
        name="first_words",
        figures={
            "new_30": msgspec.to_builtins(short),
            "new_130": msgspec.to_builtins(long),
            "new_30_beside_8": msgspec.to_builtins(crowded),
            "longest_pause_ms": pause,
        },
        bars=(
            Bar(name="30 new tokens, median", value=short.p50, limit=50.0, unit="ms"),
            Bar(name="130 new tokens, median", value=long.p50, limit=160.0, unit="ms"),
            Bar(name="30 new beside 8 lines, 95 %", value=crowded.p95, limit=300.0, unit="ms"),
            Bar(name="longest pause beside a long prompt", value=pause, limit=120.0, unit="ms"),
        ),
    )


def _town(options: Options, note: Note) -> Part:
    """Bar: a hundred characters ask within a second, beside a game's loop."""
    figures: dict[str, Any] = {}
    bars: tuple[Bar, ...] = ()
    budgets = sorted({max(1, cores() - 1), cores()})
    for threads in budgets:
        note(f"town: {threads} of {cores()} cores")
        settings = msgspec.structs.replace(options.settings, threads=threads)
        town = measure_town(
            settings,
            frames=options.frames if threads == budgets[0] else 1,
            progress=lambda done, total: note(f"town: {done} of {total} frames"),
        )
        figures[f"threads_{threads}"] = msgspec.to_builtins(town)
        bars += tuple(
            msgspec.structs.replace(bar, name=f"{bar.name} ({threads} threads)")
            for bar in town.bars
        )
    return Part(name="town", figures=figures, bars=bars)


def _road(options: Options, note: Note) -> Part:
    """Bar: requests a second through the scheduler, with a model that answers at once."""
    from astraweave.bench.serving import measure_road

    figures: dict[str, Any] = {}
    bars: tuple[Bar, ...] = ()
    for rate, p99_ms in ((10_000.0, 5.0), (1_000.0, 1.0)):
        note(f"road: {rate:.0f} requests a second")
        road = measure_road(per_second=rate, seconds=options.seconds)
        figures[f"per_s_{rate:.0f}"] = msgspec.to_builtins(road)
        bars += tuple(
            msgspec.structs.replace(bar, name=f"{bar.name} (at {rate:.0f} a second)")
            for bar in road.bars(p99_ms)
        )
    return Part(name="road", figures=figures, bars=bars)


def _http(options: Options, note: Note) -> Part:
    """Bar: a thousand requests a second to a server on loopback."""
    from astraweave.bench.http import steady_load

    note("http: 1000 requests a second")
    load = steady_load(rate=1000.0, seconds=options.seconds)
    return Part(
        name="http",
        figures=msgspec.to_builtins(load),
        bars=(
            _floor("answered a second", load.rate, 990.0, ""),
            Bar(name="not answered", value=load.requests - load.answered, limit=0.0, unit=""),
        ),
    )


PARTS: dict[str, Callable[[Options, Note], Part]] = {
    "decode": _decode,
    "first_words": _first_words,
    "town": _town,
    "road": _road,
    "http": _http,
}
"""By name, in the order in which they are measured."""


def _llama(options: Options, lines: int, threads: int, note: Note) -> float | None:
    if options.llama_server is None or options.gguf is None:
        return None
    from astraweave.bench.llama_server import measure

    note(f"decode: llama.cpp's server, {lines} lines on {threads} threads")
    return measure(options.llama_server, options.gguf, parallel=lines, threads=threads)


def _ratio(ours: float, peer: float | None) -> float | None:
    return ours / peer if peer else None


def _floor(name: str, value: float | None, limit: float, unit: str) -> Bar:
    return Bar(name=name, value=value, limit=limit, unit=unit, floor=True)
