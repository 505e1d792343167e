"""Benchmark cases; asv and the command `astraweave bench` run the same code."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

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


def find_cases(*names: str) -> list[Case]:
    """The cases whose names begin with one of `names`; all of them without names.

    Every module of this package that has ``CASES`` is looked at, in alphabetical order.

    Examples
    --------
    >>> [case.name for case in find_cases("start")]
    ['start.import_ms', 'start.import_rss']
    """
    found: list[Case] = []
    for module in sorted(each.name for each in iter_modules(__path__)):
        found += getattr(import_module(f"{__name__}.{module}"), "CASES", ())
    return [each for each in found if not names or each.name.startswith(names)]
