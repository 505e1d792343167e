"""What rooms ask of each other without knowing each other.

A lower room never imports a higher one. What it needs from above (the time, a place to note what
happened, who may know what) is handed in as one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

__all__ = ["Clock", "Journal", "NullJournal", "ScopeResolver", "TokenCounter"]


@runtime_checkable
class Clock(Protocol):
    """Two times that must never be mixed up.

    `now` is the game's time in seconds: it stops when the game is paused and goes back when an
    older save is loaded. `monotonic` is the machine's, for deadlines and measurements.
    """

    def now(self) -> float:
        """Game time in seconds."""
        ...

    def monotonic(self) -> float:
        """Machine time in seconds, only ever growing."""
        ...


class Journal(Protocol):
    """Where every source of nondeterminism is written down, so that a session can be replayed."""

    def record(self, kind: str, payload: Mapping[str, object]) -> None:
        """Append one event; cheap, thread-safe, never blocks on the disk."""
        ...


class NullJournal:
    """Forgets everything; for tools and tests that need no journal."""

    def record(self, kind: str, payload: Mapping[str, object]) -> None:
        """Do nothing."""


class TokenCounter(Protocol):
    """Counts text as one model will."""

    def count(self, text: str) -> int:
        """Tokens of `text`, special tokens not recognised."""
        ...


class ScopeResolver(Protocol):
    """Says whose memories a character may draw on."""

    def may_know(self, owner: str, scope: str) -> bool:
        """Whether `owner` is inside `scope`."""
        ...
