"""The one queue in front of a language model.

Nobody calls a model around it. It decides what runs next (first in, first out), holds every request
to its deadline whatever the model does, and writes down what came out, so that a session can be
replayed without a model.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import threading
from collections import deque
from collections.abc import Mapping
from typing import Literal

import msgspec

from astraweave.core.clock import SystemClock
from astraweave.core.protocols import Clock, Journal, NullJournal
from astraweave.errors import (
    CapacityError,
    DeadlineExceeded,
    InputError,
    InvalidResponse,
    UsageError,
)
from astraweave.llm import (
    ChunkStream,
    FinishReason,
    Generation,
    GenerationRequest,
    LanguageModel,
    Usage,
)
from astraweave.observability import NULL_TELEMETRY, Telemetry

__all__ = ["LlmScheduler", "Ticket", "request_digest"]

TicketState = Literal["waiting", "running", "done"]


def request_digest(request: GenerationRequest) -> str:
    """32 hexadecimal digits, equal for equal requests on every machine."""
    return hashlib.blake2b(msgspec.json.encode(request), digest_size=16).hexdigest()


class Ticket(ChunkStream):
    """A request's place in the queue, and its answer: a `Generation`. Thread-safe.

    Made by `LlmScheduler.submit`.

    Attributes
    ----------
    request : GenerationRequest
        What was asked.
    deadline : float or None
        Machine time (``clock.monotonic()``) at which it ends whatever happens.
    late : bool
        It was cut off at its deadline while running; its text is what had come by then.
    """

    def __init__(
        self,
        scheduler: LlmScheduler,
        request: GenerationRequest,
        deadline: float | None,
        submitted: float,
        *,
        recorded: bool = True,
    ) -> None:
        super().__init__(on_cancel=lambda: scheduler._cancel(self))
        self.request = request
        self.deadline = deadline
        self.late = False
        self.submitted = submitted
        self.recorded = recorded
        self.state: TicketState = "waiting"
        self._generation: Generation | None = None
        self._spoke = False

    @property
    def owner(self) -> str:
        """Whose thought it is."""
        return self.request.owner


class LlmScheduler:
    """Hands requests to a model one after the other. Thread-safe.

    Parameters
    ----------
    model : LanguageModel
        Whose only caller this is. It stays open when the scheduler closes.
    clock : Clock
        For deadlines and measurements (`monotonic`).
    journal : Journal
        Gets one ``"llm"`` event for each request that ended, before its reader sees the end.
    telemetry : Telemetry
        Counters ``llm.queued``, ``started``, ``finished``, ``cancelled``, ``late``, ``expired``,
        ``failed``, ``rejected``; spans ``llm.wait``, ``llm.first_token`` and ``llm.total``, all
        measured from `submit`.
    max_queue : int
        Requests that may wait.
    concurrency : int
        Requests that may run at once.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        clock: Clock | None = None,
        journal: Journal | None = None,
        telemetry: Telemetry = NULL_TELEMETRY,
        max_queue: int = 256,
        concurrency: int = 1,
    ) -> None:
        if max_queue < 1 or concurrency < 1:
            raise InputError(
                f"max_queue and concurrency must be 1 or more, not {max_queue} and {concurrency}"
            )
        self._model = model
        self._clock = clock or SystemClock()
        self._journal = journal or NullJournal()
        self._telemetry = telemetry
        self._max_queue = max_queue
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._time = threading.Condition(self._lock)
        self._waiting: deque[Ticket] = deque()
        self._running: set[Ticket] = set()
        self._deadlines: list[tuple[float, int, Ticket]] = []
        self._order = itertools.count()
        self._closing = False
        self._threads = [
            threading.Thread(target=self._keep_deadlines, name="astraweave-deadlines", daemon=True)
        ] + [
            threading.Thread(target=self._serve_all, name=f"astraweave-llm-{n}", daemon=True)
            for n in range(concurrency)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def model(self) -> LanguageModel:
        """For counting tokens; what it generates goes through `submit`."""
        return self._model

    @property
    def waiting(self) -> int:
        """Requests that have not begun."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Requests that the model is answering."""
        return len(self._running)

    def submit(
        self,
        request: GenerationRequest,
        *,
        deadline: float | None = None,
        owner: str = "",
        recorded: bool = True,
    ) -> Ticket:
        """Queue a request; returns at once.

        Parameters
        ----------
        deadline : float, optional
            Machine time (``clock.monotonic()`` in seconds). A request that still waits then is
            never begun and raises `DeadlineExceeded` where it is read; one that runs is cancelled
            and ends with what came, its ticket marked `late`.
        owner : str
            Whose thought it is, where the request does not say.
        recorded : bool
            False: its answer changes nothing in the game, so the journal does not get it.

        Raises
        ------
        CapacityError
            `max_queue` requests are waiting.
        UsageError
            The scheduler is closed.
        """
        if owner and not request.owner:
            request = msgspec.structs.replace(request, owner=owner)
        ticket = Ticket(self, request, deadline, self._clock.monotonic(), recorded=recorded)
        with self._lock:
            if self._closing:
                raise UsageError("the scheduler is closed")
            if len(self._waiting) >= self._max_queue:
                self._telemetry.count("llm.rejected")
                raise CapacityError(
                    f"{len(self._waiting)} requests wait for the model already (max_queue); "
                    "ask less often, or use what can be composed without it",
                    waiting=len(self._waiting),
                    max_queue=self._max_queue,
                )
            self._telemetry.count("llm.queued")
            self._waiting.append(ticket)
            self._work.notify()
            if deadline is not None:
                heapq.heappush(self._deadlines, (deadline, next(self._order), ticket))
                self._time.notify()
        return ticket

    def close(self, timeout: float | None = 10.0) -> None:
        """Cancel everything and join the threads. Closing twice is allowed.

        Parameters
        ----------
        timeout : float or None
            Longest wait in seconds for a model that does not react to being cancelled.
        """
        with self._lock:
            self._closing = True
            left = [*self._waiting, *self._running]
            self._work.notify_all()
            self._time.notify_all()
        for ticket in left:
            ticket.cancel()
        give_up = None if timeout is None else self._clock.monotonic() + timeout
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(
                    None if give_up is None else max(0.0, give_up - self._clock.monotonic())
                )

    # -- threads

    def _serve_all(self) -> None:
        while True:
            with self._lock:
                self._work.wait_for(lambda: self._closing or self._waiting)
                if self._closing:
                    return
                ticket = self._waiting.popleft()
                now = self._clock.monotonic()
                expired = ticket.deadline is not None and ticket.deadline <= now
                if not expired:
                    ticket.state = "running"
                    self._running.add(ticket)
                    self._telemetry.count("llm.started")
                    self._telemetry.observe("llm.wait", (now - ticket.submitted) * 1e3)
            if expired:
                self._expire(ticket)
            else:
                self._serve(ticket)

    def _serve(self, ticket: Ticket) -> None:
        """Let the model answer. The ticket may end earlier than the model does."""
        try:
            generation = self._model.generate(ticket.request)
            with self._lock:
                ticket._generation = generation
                ended = ticket.state == "done"
            if ended or ticket.cancelled:
                generation.cancel()
            for chunk in generation:
                if chunk.finish_reason is not None:
                    self._end(ticket, chunk.finish_reason, text=chunk.text, usage=chunk.usage)
                else:
                    self._pass_on(ticket, chunk.text)
            self._end(ticket, "error", error=InvalidResponse("the model's answer has no end"))
        except Exception as error:  # noqa: BLE001 - it is raised again where the ticket is read
            self._end(ticket, "error", error=error)
        finally:
            with self._lock:
                self._running.discard(ticket)

    def _keep_deadlines(self) -> None:
        while True:
            with self._lock:
                if self._closing:
                    return
                now = self._clock.monotonic()
                while self._deadlines and self._deadlines[0][2].state == "done":
                    heapq.heappop(self._deadlines)
                if not self._deadlines or self._deadlines[0][0] > now:
                    self._time.wait(self._deadlines[0][0] - now if self._deadlines else None)
                    continue
                ticket = heapq.heappop(self._deadlines)[2]
            self._expire(ticket)

    # -- ways to end

    def _expire(self, ticket: Ticket) -> None:
        if ticket.state == "running":
            self._end(ticket, "cancelled", late=True)
            self._stop_model(ticket)
        else:
            late_ms = (self._clock.monotonic() - ticket.submitted) * 1e3
            error = DeadlineExceeded(
                f"the request waited {late_ms:.0f} ms for the model and was not begun by its "
                "deadline",
                waited_ms=late_ms,
                deadline=ticket.deadline,
            )
            self._end(ticket, "error", error=error)
            self._stop_model(ticket)  # it may have begun meanwhile

    def _cancel(self, ticket: Ticket) -> None:
        self._end(ticket, "cancelled")
        self._stop_model(ticket)

    def _stop_model(self, ticket: Ticket) -> None:
        with self._lock:
            generation = ticket._generation
        if generation is not None:  # else `_serve` looks once it has one
            generation.cancel()

    def _pass_on(self, ticket: Ticket, text: str) -> None:
        with self._lock:
            if ticket.state == "done":
                return
            self._note_text(ticket, text)
            ticket.push(text)

    def _end(
        self,
        ticket: Ticket,
        reason: FinishReason,
        *,
        text: str = "",
        usage: Usage | None = None,
        error: BaseException | None = None,
        late: bool = False,
    ) -> None:
        """End a ticket once; whoever comes later changes nothing."""
        with self._lock:
            if ticket.state == "done":
                return
            ticket.late = late
            self._note_text(ticket, text)
            self._note_end(ticket, reason, error)
            ticket.state = "done"
            if ticket in self._waiting:
                self._waiting.remove(ticket)
        usage = usage or Usage(total_ms=(self._clock.monotonic() - ticket.submitted) * 1e3)
        try:
            if ticket.recorded:
                self._journal.record("llm", _event(ticket, reason, text, usage, error))
        except Exception as problem:  # noqa: BLE001 - what is not written down is not shown
            error = error or problem
        if error is not None:
            ticket.fail(error)
        else:
            ticket.finish(reason, text=text, usage=usage)

    def _note_text(self, ticket: Ticket, text: str) -> None:
        if text and not ticket._spoke:
            ticket._spoke = True
            waited = self._clock.monotonic() - ticket.submitted
            self._telemetry.observe("llm.first_token", waited * 1e3)

    def _note_end(self, ticket: Ticket, reason: FinishReason, error: BaseException | None) -> None:
        begun = ticket.state == "running"
        if error is not None:
            outcome = "failed" if begun else "expired"
        elif ticket.late:
            outcome = "late"
        else:
            outcome = "cancelled" if reason == "cancelled" else "finished"
        self._telemetry.count(f"llm.{outcome}")
        if begun:
            total = self._clock.monotonic() - ticket.submitted
            self._telemetry.observe("llm.total", total * 1e3)


def _event(
    ticket: Ticket,
    reason: FinishReason,
    text: str,
    usage: Usage,
    error: BaseException | None,
) -> Mapping[str, object]:
    return {
        "request": request_digest(ticket.request),
        "owner": ticket.owner,
        "text": ticket.text + text,
        "finish_reason": reason,
        "late": ticket.late,
        "error": None if error is None else f"{type(error).__name__}: {error}",
        "usage": msgspec.to_builtins(usage),
    }
