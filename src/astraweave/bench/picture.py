"""Recall against queries a second, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from astraweave.bench.curve import EXACT, FAISS, GRAPH, HNSWLIB, USEARCH, Point
from astraweave.errors import InputError, MissingExtraError

__all__ = ["check_picture", "draw_curve"]

_OURS = (EXACT, GRAPH)
# Okabe and Ito's colours, told apart by colour-blind readers; marks tell them apart in grey.
_LOOKS = {
    EXACT: ("#D55E00", "*"),
    GRAPH: ("#0072B2", "o"),
    FAISS: ("#E69F00", "v"),
    HNSWLIB: ("#000000", "D"),
    USEARCH: ("#009E73", "s"),
}
_LOWEST_RECALL = 0.9


def check_picture(path: str | PathLike[str]) -> None:
    """See that a picture can be made there, before anything is measured for it.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    InputError
        The name does not end in ``.png``, or its folder is not there.
    """
    if find_spec("matplotlib") is None:
        raise MissingExtraError("the picture", "plots")
    target = Path(path)
    if target.suffix.lower() != ".png":
        raise InputError(f"the picture is a PNG: '{target}' does not end in .png", path=str(target))
    if not target.parent.is_dir() or target.is_dir():
        raise InputError(f"no picture can be written to '{target}'", path=str(target))


def draw_curve(points: Sequence[Point], path: str | PathLike[str], *, title: str) -> None:
    """Write a PNG of 1800 x 1120 pixels, to be read at half that size.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    InputError
        The file cannot be written.
    """
    check_picture(path)
    # The figure alone, without pyplot: no window system is asked, no global state is touched.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.6), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    lowest = max(_LOWEST_RECALL, min(point.recall for point in points))
    _draw_lines(axes, points, lowest)
    _label(axes, lowest, title)
    try:
        figure.savefig(fspath(path), format="png")
    except OSError as error:
        raise InputError(
            f"the picture cannot be written to '{fspath(path)}': {error.strerror}",
            path=fspath(path),
        ) from error


def _draw_lines(axes: Any, points: Sequence[Point], lowest: float) -> None:
    for name, (colour, mark) in _LOOKS.items():
        line = sorted(
            (point for point in points if point.index == name and point.recall >= lowest),
            key=lambda point: point.effort,
        )
        if not line:
            continue
        ours = name in _OURS
        axes.plot(
            [point.recall for point in line],
            [point.rate for point in line],
            label=name,
            color=colour,
            marker=mark,
            markersize=15 if mark == "*" else 7,
            linewidth=3 if ours else 1.6,
            linestyle=("-" if ours else "--") if len(line) > 1 else "none",
            clip_on=False,
            zorder=4 if ours else 3,
        )


def _label(axes: Any, lowest: float, title: str) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(min(lowest, 0.98), 1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.1%}"))
    axes.set_xlabel("recall: share of the 10 true neighbours that were found", fontsize=12)
    axes.set_ylabel("queries a second, one thread", fontsize=12)
    axes.set_title(
        f"Nearest neighbours of {title}\nhigher and further right is better", fontsize=13
    )
    axes.tick_params(labelsize=11)
    axes.grid(visible=True, which="major", color="#D9D9D9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=11, frameon=True, framealpha=0.9, loc="best")
