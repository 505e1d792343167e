"""How long work on weights reports how far it is."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "no_progress"]


class Progress(Protocol):
    """Called now and then, on the thread that does the work."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Say how far a stage is.

        Parameters
        ----------
        stage : str
            What is being done: ``"download NAME"``, ``"convert ID"``, ``"verify NAME"``.
        done, total : int
            Bytes or steps; `total` is 0 while it is not known.
        """
        ...


def no_progress(stage: str, done: int, total: int) -> None:
    """Report nothing."""
