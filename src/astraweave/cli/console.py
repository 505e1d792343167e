"""What the commands print with: rich in a terminal, plain text when piped or without rich."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

__all__ = ["Console", "ProgressBar", "warn"]


class ProgressBar(Protocol):
    """Called with what is being done, how much is done, and how much there is (0: unknown).

    `detail` names the piece that comes next.
    """

    def __call__(self, stage: str, done: int, total: int, detail: str = "") -> None:
        """Draw."""
        ...


def warn(text: str) -> None:
    """One line to standard error; yellow in a terminal."""
    start, end = ("\x1b[33m", "\x1b[0m") if sys.stderr.isatty() else ("", "")
    print(f"{start}note: {text}{end}", file=sys.stderr, flush=True)


class Console:
    """One place that knows whether somebody watches.

    Parameters
    ----------
    quiet : bool
        Print nothing but errors (``--json``).
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.live = not quiet and sys.stdout.isatty()
        self._rich: Any = None
        if self.live:
            try:
                from rich.console import Console as RichConsole
            except ImportError:
                pass
            else:
                self._rich = RichConsole(highlight=False)

    def say(self, text: str = "", *, style: str = "", end: str = "\n") -> None:
        """Print text; `style` is used where there is colour. Markup in `text` means nothing."""
        if self.quiet:
            return
        if self._rich is not None:
            self._rich.print(text, style=style or None, end=end, markup=False, soft_wrap=True)
        else:
            print(text, end=end, flush=True)

    def error(self, text: str) -> None:
        """Print to standard error, also when quiet."""
        print(text, file=sys.stderr, flush=True)

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table."""
        if self.quiet:
            return
        if self._rich is not None:
            from rich.table import Table

            table = Table(*header, title=title, title_justify="left")
            for row in rows:
                table.add_row(*row)
            self._rich.print(table)
            return
        widths = [max(len(cell) for cell in column) for column in zip(header, *rows, strict=True)]
        self.say(title)
        for row in (header, *rows):
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.say("  " + line.rstrip())

    @contextmanager
    def progress(self, *, animated: bool = True) -> Iterator[ProgressBar]:
        """Draw progress bars in a terminal; say each stage once where nobody watches.

        Parameters
        ----------
        animated : bool
            Redraw ten times a second, from a thread; False: only when told, which leaves alone
            what is being measured.
        """
        if self._rich is None:
            yield self._plain_progress()
            return
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._rich, transient=True, auto_refresh=animated) as bars:
            tasks: dict[str, Any] = {}

            def draw(stage: str, done: int, total: int, detail: str = "") -> None:
                if stage not in tasks:
                    tasks[stage] = bars.add_task(stage, total=total or None)
                bars.update(
                    tasks[stage],
                    completed=done,
                    total=total or None,
                    description=f"{stage}: {detail}" if detail else stage,
                    refresh=not animated,
                )

            yield draw

    def _plain_progress(self) -> ProgressBar:
        seen: set[str] = set()

        def draw(stage: str, done: int, total: int, detail: str = "") -> None:
            told = f"{stage}: {detail}" if detail else stage
            if told not in seen:
                seen.add(told)
                if not self.quiet:
                    self.error(f"{told} ...")

        return draw
