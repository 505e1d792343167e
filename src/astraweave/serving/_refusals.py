"""Why the queue in front of a model does not answer a request, in words."""

from __future__ import annotations

from astraweave.errors import CapacityError, DeadlineExceeded, UsageError
from astraweave.llm import Priority

__all__ = ["driven_out", "forked", "never_begun", "queue_full"]


def queue_full(waiting: int, max_queue: int) -> CapacityError:
    """Too many wait, none of them less urgent."""
    return CapacityError(
        f"{waiting} requests wait for the model already (max_queue); "
        "ask less often, or use what can be composed without it",
        waiting=waiting,
        max_queue=max_queue,
    )


def driven_out(priority: Priority, max_queue: int) -> CapacityError:
    """A more urgent request took its place in the queue."""
    return CapacityError(
        f"{max_queue} requests wait for the model (max_queue), and a more urgent one "
        f"came; this one was {priority!r}",
        priority=priority,
        max_queue=max_queue,
    )


def never_begun(waited_ms: float, deadline: float | None) -> DeadlineExceeded:
    """Its deadline came while it waited."""
    return DeadlineExceeded(
        f"the request waited {waited_ms:.0f} ms for the model and was not begun by its deadline",
        waited_ms=waited_ms,
        deadline=deadline,
    )


def forked(made_in: int) -> UsageError:
    """It was asked in a child process."""
    return UsageError(
        "this process was forked after the scheduler was made, and its threads did not "
        "come along; make one in the child",
        made_in=made_in,
    )
