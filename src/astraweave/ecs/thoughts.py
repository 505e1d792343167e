"""The polling system of thoughts: once a frame it takes questions and brings answers."""

from __future__ import annotations

from collections.abc import Iterable

from astraweave.ecs.components import CThought
from astraweave.errors import CapacityError
from astraweave.serving import LlmScheduler

__all__ = ["ThoughtSystem"]


class ThoughtSystem:
    """Runs on the game's thread, in any entity system, with the scheduler as its resource.

    Never waits. An answer grows while the game does something else, but a component changes only
    in `run`, so within a frame every other system sees the same.

    Parameters
    ----------
    scheduler : LlmScheduler
        The road to the model (``world.scheduler``).
    """

    def __init__(self, scheduler: LlmScheduler) -> None:
        self.scheduler = scheduler

    def run(self, thoughts: Iterable[CThought]) -> None:
        """Take what is asked, and bring every component up to date.

        Raises
        ------
        UsageError
            The scheduler is closed.
        """
        for thought in thoughts:
            if thought.request is not None:
                self._ask(thought)
            elif thought.thinking:
                _poll(thought)
            else:
                thought.new_text = ""

    def _ask(self, thought: CThought) -> None:
        request, thought.request = thought.request, None
        assert request is not None, "`run` has seen it"
        if thought.ticket is not None:
            thought.ticket.cancel()
        thought.new_text = thought.text = ""
        thought.heard = 0
        thought.late = thought.stale = False
        thought.error = thought.ticket = None
        wait, now = thought.deadline_s, self.scheduler.clock.monotonic()
        try:
            thought.ticket = self.scheduler.submit(
                request,
                deadline=None if wait is None else now + wait,
                valid_while=thought.valid_while,
            )
        except CapacityError as error:
            thought.error = error
        thought.thinking = thought.ticket is not None


def _poll(thought: CThought) -> None:
    ticket = thought.ticket
    assert ticket is not None, "who thinks has a place in the queue"
    ended = ticket.done  # before the text is read, or its end might be missed
    fresh = ticket.since(thought.heard)
    thought.new_text = "".join([chunk.text for chunk in fresh]) if fresh else ""
    if fresh:
        thought.heard += len(fresh)
        thought.text += thought.new_text
    if ended:
        thought.thinking = False
        thought.late, thought.stale, thought.error = ticket.late, ticket.stale, ticket.error
