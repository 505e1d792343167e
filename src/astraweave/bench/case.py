"""What a benchmark case is, and how one is measured.

A case sets up its data and returns two calls that do the same work, ours and the named peer's. They
are timed in turns, in one process, so that a machine that slows down slows down both. What cannot
be called again and again (a fresh process, memory) is measured by the case itself.
"""

from __future__ import annotations

import statistics
import timeit
from collections.abc import Callable, Iterable, Sequence

import msgspec

from astraweave.errors import AstraweaveError, MissingExtraError

__all__ = [
    "Case",
    "Figures",
    "Pair",
    "Row",
    "Unavailable",
    "as_table",
    "case",
    "is_rate",
    "run",
    "time_call",
]

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_ROUNDS = 15
_ROUND_SECONDS = 0.01


class Unavailable(AstraweaveError):
    """A case cannot run here: a package, a model or a data set is missing."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two calls that do the same work; `peer` is None where the peer is not installed.

    Attributes
    ----------
    ours, peer : callable
        Without arguments; called many times.
    per_call : float
        How much work one call does: times are divided by it, and it is what a rate counts (500
        queries, 0.77 MB).
    quality : dict of str to float
        What the work was worth (recall, agreement), measured beside the time.
    """

    ours: Callable[[], object]
    peer: Callable[[], object] | None = None
    per_call: float = 1.0
    quality: dict[str, float] = {}


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a case has measured itself, in the case's unit.

    Attributes
    ----------
    ours, peer : float
        The figures; `peer` is None where the peer is not installed.
    quality : dict of str to float
        What the work was worth.
    """

    ours: float
    peer: float | None = None
    quality: dict[str, float] = {}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report.

    Attributes
    ----------
    name : str
        Of the case.
    ours, peer : float or None
        Medians, in `unit`. None: not measured.
    peer_name : str
        Who is measured beside us.
    ratio : float or None
        How many times better we are: 2.0 means half of the time or memory, or twice the rate.
    unit : str
        ``"us"``, ``"ms"``, ``"MB"``, where less is better; ``"queries/s"``, ``"MB/s"``, where more
        is.
    quality : dict of str to float
        What the work was worth.
    note : str
        Why something was not measured.
    """

    name: str
    ours: float | None = None
    peer: float | None = None
    peer_name: str = ""
    ratio: float | None = None
    unit: str
    quality: dict[str, float] = {}
    note: str = ""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A named measurement; `asv` and the command ``astraweave bench`` run the same ones.

    Attributes
    ----------
    name : str
        ``"search.exact_10k"``: the group, and what is measured.
    unit : str
        Of the figures. A unit of time, or a rate (``"MB/s"``), can be taken from a `Pair`; what
        has another one (``"MB"``) measures itself.
    peer_name : str
        Who is measured beside us; empty: nobody.
    prepare : callable
        Sets up the data.
    heavy : bool
        It sets up for more than a few seconds: tests leave it to the scheduled run.
    """

    name: str
    unit: str
    peer_name: str
    prepare: Callable[[], Pair | Figures]
    heavy: bool = False

    @property
    def is_rate(self) -> bool:
        """Whether more is better."""
        return is_rate(self.unit)

    def figures(self) -> Figures:
        """Set up and measure.

        Raises
        ------
        Unavailable
            Something that the case needs is not here.
        """
        try:
            prepared = self.prepare()
        except MissingExtraError as error:
            raise Unavailable(str(error)) from None
        if isinstance(prepared, Figures):
            return prepared
        calls = [prepared.ours] if prepared.peer is None else [prepared.ours, prepared.peer]
        values = [self._in_unit(seconds, prepared.per_call) for seconds in time_calls(calls)]
        return Figures(
            ours=values[0],
            peer=values[1] if len(values) > 1 else None,
            quality=prepared.quality,
        )

    def row(self) -> Row:
        """Measure, and say so in a row; a case that cannot run gives a row with a note."""
        try:
            figures = self.figures()
        except Unavailable as error:
            return Row(name=self.name, peer_name=self.peer_name, unit=self.unit, note=str(error))
        alone = figures.peer is None and bool(self.peer_name)
        return Row(
            name=self.name,
            ours=figures.ours,
            peer=figures.peer,
            peer_name=self.peer_name,
            ratio=self._ratio(figures),
            unit=self.unit,
            quality=figures.quality,
            note=f"{self.peer_name} is not here" if alone else "",
        )

    def _in_unit(self, seconds: float, per_call: float) -> float:
        return per_call / seconds if self.is_rate else seconds / (_SECONDS[self.unit] * per_call)

    def _ratio(self, figures: Figures) -> float | None:
        if figures.peer is None:
            return None
        top, bottom = figures.peer, figures.ours
        if self.is_rate:
            top, bottom = bottom, top
        return top / bottom if bottom else None


def is_rate(unit: str) -> bool:
    """Whether a unit counts work by time, so that more is better.

    Examples
    --------
    >>> [is_rate(unit) for unit in ("MB/s", "qps", "us", "MB")]
    [True, True, False, False]
    """
    return unit == "qps" or unit.endswith("/s")


def case(
    name: str, *, unit: str, peer_name: str = "", heavy: bool = False
) -> Callable[[Callable[[], Pair | Figures]], Case]:
    """Make a `Case` of the function below.

    Examples
    --------
    >>> @case("sum", unit="us", peer_name="a loop")
    ... def adding() -> Pair:
    ...     return Pair(ours=lambda: sum(range(9)), peer=lambda: [n for n in range(9)])
    >>> adding.name, adding.unit
    ('sum', 'us')
    """

    def decorate(prepare: Callable[[], Pair | Figures]) -> Case:
        return Case(name=name, unit=unit, peer_name=peer_name, prepare=prepare, heavy=heavy)

    return decorate


def run(cases: Iterable[Case]) -> list[Row]:
    """Measure cases one after the other."""
    return [each.row() for each in cases]


def time_call(call: Callable[[], object]) -> float:
    """Median seconds of one call."""
    return time_calls([call])[0]


def time_calls(calls: Sequence[Callable[[], object]]) -> list[float]:
    """Median seconds of one call of each, measured in turns."""
    timers = [timeit.Timer(call) for call in calls]
    loops = []
    for call, timer in zip(calls, timers, strict=True):
        call()  # caches, lazy imports
        once = max(timer.timeit(1), 1e-9)
        if once < _ROUND_SECONDS / 20:
            once = max(timer.timeit(20) / 20, 1e-9)
        loops.append(max(1, round(_ROUND_SECONDS / once)))
    rounds: list[list[float]] = [[] for _ in calls]
    for _ in range(_ROUNDS):
        for index, timer in enumerate(timers):
            rounds[index].append(timer.timeit(loops[index]) / loops[index])
    return [statistics.median(times) for times in rounds]


def as_table(rows: Sequence[Row]) -> str:
    """The rows as plain text."""
    cells = [("case", "ours", "peer", "unit", "ratio", "peer and quality")]
    for row in rows:
        quality = " ".join(f"{name}={value:.4g}" for name, value in row.quality.items())
        who = row.peer_name if row.peer is not None else ""
        cells.append(
            (
                row.name,
                "-" if row.ours is None else f"{row.ours:.4g}",
                "-" if row.peer is None else f"{row.peer:.4g}",
                row.unit,
                "-" if row.ratio is None else f"{row.ratio:.2f}",
                "  ".join(part for part in (who, quality, row.note) if part),
            )
        )
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = []
    for name, *figures, rest in cells:
        middle = (
            value.ljust(width) if index == 2 else value.rjust(width)
            for index, (value, width) in enumerate(zip(figures, widths[1:], strict=False))
        )
        lines.append("  ".join((name.ljust(widths[0]), *middle, rest)).rstrip())
    return "\n".join(lines)
