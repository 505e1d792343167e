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

__all__ = ["Case", "Figures", "Pair", "Row", "Unavailable", "as_table", "case", "run", "time_call"]

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
        How many units of work one call does; times are divided by it.
    quality : dict of str to float
        What the work was worth (recall, agreement), measured beside the time.
    """

    ours: Callable[[], object]
    peer: Callable[[], object] | None = None
    per_call: float = 1.0
    quality: dict[str, float] = {}


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a case has measured itself, in the case's unit."""

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
        Medians, in `unit`; less is better. None: not measured.
    peer_name : str
        Who is measured beside us.
    ratio : float or None
        Peer by ours: 2.0 means that we need half of what the peer needs.
    unit : str
        ``"us"``, ``"ms"``, ``"MB"``.
    quality : dict of str to float
        What the work was worth.
    note : str
        Why nothing was measured.
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
    """A named measurement; `asv` and the command ``astraweave bench`` run the same ones."""

    name: str
    unit: str
    peer_name: str
    prepare: Callable[[], Pair | Figures]

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
        scale = _SECONDS[self.unit] * prepared.per_call
        seconds = time_calls(calls)
        return Figures(
            ours=seconds[0] / scale,
            peer=seconds[1] / scale if len(seconds) > 1 else None,
            quality=prepared.quality,
        )

    def row(self) -> Row:
        """Measure, and say so in a row; a case that cannot run gives a row with a note."""
        try:
            figures = self.figures()
        except Unavailable as error:
            return Row(name=self.name, peer_name=self.peer_name, unit=self.unit, note=str(error))
        ratio = figures.peer / figures.ours if figures.peer is not None and figures.ours else None
        return Row(
            name=self.name,
            ours=figures.ours,
            peer=figures.peer,
            peer_name=self.peer_name,
            ratio=ratio,
            unit=self.unit,
            quality=figures.quality,
        )


def case(
    name: str, *, unit: str, peer_name: str = ""
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
        return Case(name=name, unit=unit, peer_name=peer_name, prepare=prepare)

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
    lines = [f"{'case':28} {'ours':>10} {'peer':>10} {'unit':4} {'ratio':>6}  peer and quality"]
    for row in rows:
        if row.ours is None:
            lines.append(f"{row.name:28} {'-':>10} {'-':>10} {row.unit:4} {'-':>6}  {row.note}")
            continue
        peer = "-" if row.peer is None else f"{row.peer:.4g}"
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        quality = " ".join(f"{name}={value:.4g}" for name, value in row.quality.items())
        rest = f"{row.peer_name} {quality}".strip()
        lines.append(f"{row.name:28} {row.ours:>10.4g} {peer:>10} {row.unit:4} {ratio:>6}  {rest}")
    return "\n".join(lines)
