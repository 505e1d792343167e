"""A request on the road: the ticket of who asks, and the run that tickets share."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

import msgspec

from astraweave.errors import Cancelled, InputError, UsageError
from astraweave.llm import (
    PRIORITIES,
    Chunk,
    ChunkStream,
    GenerationRequest,
    Priority,
    Score,
    ScoreRequest,
)
from astraweave.serving.timers import Alarm

if TYPE_CHECKING:
    from astraweave.serving.scheduler import LlmScheduler

__all__ = [
    "LEVEL",
    "Run",
    "ScoreTicket",
    "Ticket",
    "TicketState",
    "addressed",
    "condition",
    "request_digest",
]

TicketState = Literal["waiting", "running", "done"]

LEVEL = {priority: level for level, priority in enumerate(PRIORITIES)}

R = TypeVar("R", GenerationRequest, ScoreRequest)


def addressed(request: R, owner: str, priority: Priority | None) -> R:
    """The request with the owner and priority that it is submitted with.

    Raises
    ------
    InputError
        There is no such priority.
    """
    if owner and not request.owner:
        request = msgspec.structs.replace(request, owner=owner)
    if priority is not None and priority != request.priority:
        request = msgspec.structs.replace(request, priority=priority)
    if request.priority not in LEVEL:
        raise InputError(
            f"{request.priority!r} is no priority; there are: {', '.join(PRIORITIES)}",
            priority=request.priority,
        )
    return request


def condition(
    valid_while: Callable[[], bool] | None,
    asked_about: int | None,
    world_version: Callable[[], int] | None,
) -> Callable[[], bool] | None:
    """Whether an answer is still wanted, as a question that can be asked any time; None: always.

    Raises
    ------
    UsageError
        It depends on the world's version, and nobody said how to learn that.
    """
    if asked_about is None:
        return valid_while
    if world_version is None:
        raise UsageError("this scheduler was not told how to learn the world's version")
    if valid_while is None:
        return lambda: world_version() <= asked_about
    return lambda: world_version() <= asked_about and valid_while()


def request_digest(request: GenerationRequest | ScoreRequest) -> str:
    """32 hexadecimal digits, equal for equal questions on every machine.

    Who asks, what for and how urgently (`owner`, `use`, `priority`) is no part of the question. A
    session that is replayed finds its answers by owner and digest, which the journal's events both
    have, so it replays also after somebody has changed a priority.
    """
    if isinstance(request, GenerationRequest):
        request = msgspec.structs.replace(request, use="dialogue")
    question = msgspec.structs.replace(request, owner="", priority="normal")
    return hashlib.blake2b(msgspec.json.encode(question), digest_size=16).hexdigest()


class _Stoppable(Protocol):
    def cancel(self) -> None: ...


class Run:
    """One call of the model, waiting or running, and the tickets that it answers.

    The scheduler's lock guards every field, but that `chunks` is written only by the thread that
    brings the chunks. It is an `_order.Entry`.
    """

    __slots__ = (
        "abandoned",
        "chunks",
        "deadline",
        "generation",
        "key",
        "level",
        "owner",
        "request",
        "running",
        "scores",
        "seq",
        "since",
        "tickets",
        "until",
    )

    def __init__(
        self,
        request: GenerationRequest | ScoreRequest,
        *,
        level: int,
        deadline: float,
        since: float,
        key: str,
    ) -> None:
        self.request = request
        self.owner = request.owner
        self.level = level
        self.deadline = deadline
        self.since = since
        self.seq = 0
        self.key = key
        self.tickets: list[Ticket] = []
        self.running = False
        self.until = math.inf
        """While it runs: when its last ticket's deadline is."""
        self.abandoned = False
        """Nobody waits for it any more."""
        self.generation: _Stoppable | None = None
        self.scores: list[Score] = []
        self.chunks: list[Chunk] = []
        """What came so far, of a run that others may still join."""


class Ticket(ChunkStream):
    """A request's place in the queue, and its answer: a `Generation`. Thread-safe.

    Made by `LlmScheduler.submit`.

    Attributes
    ----------
    request : GenerationRequest or ScoreRequest
        What was asked.
    priority : str
        How urgent it is.
    deadline : float or None
        Machine time (``clock.monotonic()``) at which it ends whatever happens.
    late : bool
        It was cut off at its deadline while running; its text is what had come by then.
    stale : bool
        The world had moved past it: it was dropped, as cancelled.
    """

    __slots__ = (
        "_alarm",
        "_is_valid",
        "_run",
        "_scheduler",
        "_spoke",
        "deadline",
        "late",
        "priority",
        "recorded",
        "request",
        "stale",
        "submitted",
    )

    def __init__(
        self,
        scheduler: LlmScheduler,
        run: Run,
        request: GenerationRequest | ScoreRequest,
        priority: Priority,
        deadline: float | None,
        submitted: float,
        recorded: bool,
        is_valid: Callable[[], bool] | None,
    ) -> None:
        super().__init__()
        self.request = request
        self.priority: Priority = priority
        self.deadline = deadline
        self.late = False
        self.stale = False
        self.submitted = submitted
        self.recorded = recorded
        self._scheduler = scheduler
        self._run = run
        self._is_valid = is_valid
        self._alarm: Alarm | None = None
        self._spoke = False

    @property
    def owner(self) -> str:
        """Whose thought it is."""
        return self.request.owner

    @property
    def state(self) -> TicketState:
        """Where it stands."""
        if self._done or self._claimed:
            return "done"
        return "running" if self._run.running else "waiting"

    def cancel(self) -> None:
        """End it now, with what came; others that share its run go on."""
        self._cancelled = True
        if not self._done:
            self._scheduler._cancel(self)

    def _quiet(self) -> None:
        """Let go of everything that an answer needs and that a ticket need not keep alive."""
        self._is_valid = None
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.cancel()


class ScoreTicket:
    """A `Scoring` with a place in the queue. Made by `LlmScheduler.score`. Thread-safe.

    Attributes
    ----------
    ticket : Ticket
        Its place: state, deadline, listeners. It has no text.
    """

    def __init__(self, ticket: Ticket) -> None:
        self.ticket = ticket
        self._run = ticket._run

    def cancel(self) -> None:
        """End it now."""
        self.ticket.cancel()

    def result(self, timeout: float | None = None) -> list[Score]:
        """Wait; one score for each continuation, in their order. Raises what went wrong.

        Raises
        ------
        Cancelled
            It was cancelled, its deadline came while it ran, or the world had moved past it.
        DeadlineExceeded
            No end after `timeout` seconds, or not begun by its deadline.
        """
        ticket = self.ticket
        ticket.result(timeout)
        if ticket.finish_reason == "cancelled":
            raise Cancelled("the scoring was cancelled", late=ticket.late, stale=ticket.stale)
        return self._run.scores
