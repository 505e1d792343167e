"""What rooms ask of each other without knowing each other.

A lower room never imports a higher one. What it needs from above (the time, a place to note what
happened, who may know what) is handed in as one of these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar, runtime_checkable

__all__ = ["Clock", "Journal", "NullJournal", "Reply", "Responder", "ScopeResolver", "TokenCounter"]

Request_contra = TypeVar("Request_contra", contravariant=True)
Answer_co = TypeVar("Answer_co", covariant=True)
Answer_contra = TypeVar("Answer_contra", contravariant=True)


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


class Reply(Protocol[Answer_contra]):
    """Where a `Responder` puts its answer. Thread-safe; all of it may come from any thread.

    The first `finish` or `fail` counts, and nothing after it: whoever answers too late, or twice,
    changes nothing.
    """

    def push(self, text: str) -> None:
        """Words that may be shown already; what was shown is never taken back."""
        ...

    def finish(self, answer: Answer_contra) -> None:
        """The whole answer, words that were pushed included."""
        ...

    def fail(self, error: Exception) -> None:
        """There is no answer, and why."""
        ...


class Responder(Protocol[Request_contra, Answer_co]):
    """One way to answer a request: a model, a cache, a rule, a sentence that always fits.

    Who knows such a way implements this; who strings them together (`serving.FallbackChain`) knows
    nothing else of them.
    """

    @property
    def name(self) -> str:
        """What the answer's reader is told of where it came from."""
        ...

    @property
    def expected_s(self) -> float:
        """Seconds that an answer takes before anything was measured; 0: it is there at once."""
        ...

    def respond(
        self, request: Request_contra, deadline: float, reply: Reply[Answer_co]
    ) -> Callable[[], None] | None:
        """Begin to answer; returns at once.

        Parameters
        ----------
        request
            What is asked.
        deadline : float
            Machine time (``clock.monotonic()``) after which nobody listens any more.
        reply : Reply
            Where the answer goes, now or later.

        Returns
        -------
        callable or None
            What stops it, where it can be stopped; called at most once, from any thread.
        """
        ...
