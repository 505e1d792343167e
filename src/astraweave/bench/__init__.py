"""Benchmark cases; asv and the command `astraweave bench` run the same code."""

from __future__ import annotations

from importlib import import_module

from astraweave.bench.case import (
    Case,
    Figures,
    Pair,
    Row,
    Unavailable,
    as_table,
    case,
    run,
    time_call,
)

__all__ = [
    "Case",
    "Figures",
    "Pair",
    "Row",
    "Unavailable",
    "as_table",
    "case",
    "find_cases",
    "run",
    "time_call",
]

_MODULES = ("cache", "footprint", "memory", "prompts", "search", "start", "tokens")


def find_cases(*names: str) -> list[Case]:
    """The cases whose names begin with one of `names`; all of them without names.

    Examples
    --------
    >>> [case.name for case in find_cases("start")]
    ['start.import_ms', 'start.import_rss']
    """
    found: list[Case] = []
    for module in _MODULES:
        found += import_module(f"{__name__}.{module}").CASES
    return [each for each in found if not names or each.name.startswith(names)]
