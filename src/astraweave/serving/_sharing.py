"""One call of the model for all who ask the same."""

from __future__ import annotations

from astraweave.serving._order import ReadyQueue
from astraweave.serving._ticket import Run, Ticket

__all__ = ["SharedRuns"]


class SharedRuns:
    """Runs that an equal request may join. Every method is called under the scheduler's lock.

    Parameters
    ----------
    queue : ReadyQueue
        Where runs wait; one that somebody more urgent joins moves forward in it.
    ends_early : bool
        Whether the model is told when a run has to end: who has more time cannot join one that
        was begun for less.
    """

    def __init__(self, queue: ReadyQueue[Run], *, ends_early: bool) -> None:
        self._queue = queue
        self._ends_early = ends_early
        self._by_digest: dict[str, Run] = {}

    def __len__(self) -> int:
        return len(self._by_digest)

    def join(self, run: Run, ticket: Ticket) -> Run | None:
        """The run that a ticket now shares; None: there is none, and others may join its own."""
        shared = self._by_digest.get(run.key)
        if shared is None or (shared.running and self._ends_early and shared.until < run.deadline):
            self._by_digest[run.key] = run
            return None
        ticket._run = shared
        level, deadline = min(run.level, shared.level), min(run.deadline, shared.deadline)
        if (level, deadline) != (shared.level, shared.deadline) and self._queue.remove(shared):
            shared.level, shared.deadline = level, deadline
            self._queue.add(shared)
        ticket._append(shared.chunks)
        shared.tickets.append(ticket)
        return shared

    def forget(self, run: Run) -> None:
        """Nobody may join a run any more."""
        if run.key and self._by_digest.get(run.key) is run:
            del self._by_digest[run.key]
