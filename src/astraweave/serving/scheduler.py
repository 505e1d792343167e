"""The one queue in front of a language model.

Nobody calls a model around it. It decides what runs next when a place is free (`_order` says how),
holds every request to its deadline whatever the model does, and writes down what came out, so that
a session can be replayed without a model.

No request costs a thread. Answers come through `ChunkStream.listen`, in the model's own thread,
which also starts what is next. A thread is borrowed where a model's `generate` is called (it may
read a prompt or compile a grammar), and kept only for answers of models that know no listeners.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Sequence
from functools import partial

from astraweave.core.clock import SystemClock
from astraweave.core.protocols import Clock, Journal
from astraweave.core.threads import Crew
from astraweave.errors import (
    InputError,
    UsageError,
)
from astraweave.llm import (
    Chunk,
    GenerationRequest,
    LanguageModel,
    Priority,
    ScoreRequest,
    ScoringModel,
)
from astraweave.observability import NULL_TELEMETRY, Telemetry
from astraweave.serving._asking import Asker
from astraweave.serving._endings import Endings
from astraweave.serving._order import ReadyQueue
from astraweave.serving._refusals import driven_out, forked, never_begun, queue_full
from astraweave.serving._sharing import SharedRuns
from astraweave.serving._ticket import (
    LEVEL,
    Run,
    ScoreTicket,
    Ticket,
    TicketState,
    addressed,
    condition,
    request_digest,
)
from astraweave.serving.timers import Timers

__all__ = ["LlmScheduler", "ScoreTicket", "Ticket", "TicketState", "request_digest"]

_PUNCTUAL_S = 0.001
"""No deadline is kept later than this."""
_AT_ONCE = 16
"""What a thread that came with one request starts for others before it hands that on."""


class LlmScheduler:
    """Hands requests to a model, the right one first. Thread-safe.

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
        ``failed``, ``rejected``, ``shed``, ``stale``, ``coalesced``; spans ``llm.wait``,
        ``llm.first_token`` and ``llm.total``, all measured from `submit`.
    max_queue : int
        Requests that may wait. When one more comes, the youngest of the least urgent goes; only
        critical ones may exceed it.
    concurrency : int, optional
        Requests that may run at once; by default as many as the model has slots.
    per_owner : int, optional
        How many of one owner (a character) may run at once; by default any number.
    ageing_s : float
        Seconds of waiting after which a request is in line for the elders' turn, every eighth
        start (see `_order`): nothing starves.
    world_version : callable, optional
        Which version the world is at, for requests that say what theirs was.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        clock: Clock | None = None,
        journal: Journal | None = None,
        telemetry: Telemetry = NULL_TELEMETRY,
        max_queue: int = 256,
        concurrency: int | None = None,
        per_owner: int | None = None,
        ageing_s: float = 2.0,
        world_version: Callable[[], int] | None = None,
    ) -> None:
        concurrency = model.info.slots if concurrency is None else concurrency
        if max_queue < 1 or concurrency < 1 or (per_owner is not None and per_owner < 1):
            raise InputError(
                f"max_queue, concurrency and per_owner must be 1 or more, not {max_queue}, "
                f"{concurrency} and {per_owner}"
            )
        self._model = model
        self._instant = model.info.instant
        self._clock = clock or SystemClock()
        self._endings = Endings(self._clock, journal, telemetry)
        self._telemetry = telemetry
        self._max_queue = max_queue
        self._concurrency = concurrency
        self._world_version = world_version
        self._lock = threading.Lock()
        self._asker = Asker(model, self._lock, self._deliver)
        self._ended = threading.Condition(self._lock)
        self._queue: ReadyQueue[Run] = ReadyQueue(per_owner=per_owner, ageing_s=ageing_s)
        self._running: set[Run] = set()
        self._shared = SharedRuns(self._queue, ends_early=self._asker.keeps_deadlines)
        self._starting = threading.local()
        self._crew = Crew("astraweave-llm", patience_s=60.0)
        self._timers = Timers(self._clock, resolution_s=_PUNCTUAL_S, name="astraweave-deadlines")
        self._closing = False
        self._pid = os.getpid()

    @property
    def model(self) -> LanguageModel:
        """For counting tokens; what it generates goes through `submit`."""
        return self._model

    @property
    def clock(self) -> Clock:
        """The one that deadlines are in."""
        return self._clock

    @property
    def waiting(self) -> int:
        """Requests that have not begun."""
        return len(self._queue)

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
        priority: Priority | None = None,
        recorded: bool = True,
        coalesce: bool | None = None,
        valid_while: Callable[[], bool] | None = None,
        world_version: int | None = None,
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
        priority : str, optional
            How urgent it is, instead of what the request says.
        recorded : bool
            False: its answer changes nothing in the game, so the journal does not get it.
        coalesce : bool, optional
            Share one run with a request that asks the same (whoever asks it, however urgently).
            By default only where the answer would be the same anyway: with a seed, or at
            temperature 0.
        valid_while : callable, optional
            Whether the answer is still wanted. Asked before it begins and whenever text comes, in
            the thread that brings it; must be quick. Once it says no, the request ends as
            cancelled, its ticket marked `stale`.
        world_version : int, optional
            The version of the world that was asked about; a later one makes it stale, too.

        Raises
        ------
        CapacityError
            `max_queue` requests are waiting, none of them less urgent than this one.
        UsageError
            The scheduler is closed, or this is a forked child, which has none of its threads.
        """
        request = addressed(request, owner, priority)
        if coalesce is None:
            coalesce = request.sampling.seed is not None or not request.sampling.temperature
        key = request_digest(request) if coalesce else ""
        is_valid = condition(valid_while, world_version, self._world_version)
        return self._submit(request, deadline, key, recorded, is_valid)

    def score(
        self,
        request: ScoreRequest,
        *,
        deadline: float | None = None,
        owner: str = "",
        priority: Priority | None = None,
        valid_while: Callable[[], bool] | None = None,
        world_version: int | None = None,
    ) -> ScoreTicket:
        """Queue a question for likelihoods; it stands in the same queue. As `submit`.

        Scores are not journalled: they come from the model's weights alone.

        Raises
        ------
        UsageError
            The model cannot score; or as `submit`.
        CapacityError
            As `submit`.
        """
        if not isinstance(self._model, ScoringModel):
            raise UsageError(f"the model {self._model.info.id!r} cannot score texts")
        request = addressed(request, owner, priority)
        is_valid = condition(valid_while, world_version, self._world_version)
        return ScoreTicket(self._submit(request, deadline, "", False, is_valid))

    def close(self, timeout: float | None = 10.0) -> None:
        """Cancel everything and join the threads. Closing twice is allowed.

        Parameters
        ----------
        timeout : float or None
            Longest wait in seconds for a model that does not react to being cancelled.
        """
        if os.getpid() != self._pid:
            return  # a forked child has none of the threads
        with self._lock:
            self._closing = True
            tickets = [t for run in self._running for t in run.tickets]
            while (run := self._queue.shed(-1)) is not None:
                tickets += run.tickets
        for ticket in tickets:
            ticket.cancel()
        with self._lock:
            self._ended.wait_for(lambda: not self._running, timeout)
            stuck = bool(self._running)
        self._timers.close()
        self._crew.close(0.0 if stuck else timeout)

    # -- into the queue

    def _submit(
        self,
        request: GenerationRequest | ScoreRequest,
        deadline: float | None,
        key: str,
        recorded: bool,
        is_valid: Callable[[], bool] | None,
    ) -> Ticket:
        if os.getpid() != self._pid:
            raise forked(self._pid)
        now = self._clock.monotonic()
        run = Run(
            request,
            level=LEVEL[request.priority],
            deadline=math.inf if deadline is None else deadline,
            since=now,
            key=key,
        )
        ticket = Ticket(self, run, request, request.priority, deadline, now, recorded, is_valid)
        run.tickets.append(ticket)
        with self._lock:
            if self._closing:
                raise UsageError("the scheduler is closed")
            joined = bool(key) and self._join(run, ticket)
            begins = not joined and self._may_begin(run)
            shed = None if joined or begins else self._queue_up(run)
        self._telemetry.count("llm.queued")
        if deadline is not None:
            ticket._alarm = self._timers.at(deadline, partial(self._expire, ticket))
            if ticket.state == "done":  # it has ended meanwhile, and nobody saw the alarm
                ticket._quiet()
        if shed is not None:
            self._drop(shed)
        # Not by `run.running`: whoever made room meanwhile may have started it.
        if begins:
            self._start(run)
        elif not joined and len(self._running) < self._concurrency:
            self._fill()  # those before it wait only for their owners' sake
        return ticket

    def _join(self, run: Run, ticket: Ticket) -> bool:
        """Let a ticket share the run of an equal request, if there is one."""
        shared = self._shared.join(run, ticket)
        if shared is None:
            return False
        self._telemetry.count("llm.coalesced")
        if shared.running:
            self._telemetry.count("llm.started")
        return True

    def _may_begin(self, run: Run) -> bool:
        """Give it a place where there is one and nobody waits for it."""
        if len(self._queue) or len(self._running) >= self._concurrency:
            return False
        if not self._queue.may_run(run.owner):
            return False
        self._queue.begin(run.owner)
        self._give_place(run)
        return True

    def _give_place(self, run: Run) -> None:
        run.running = True
        run.until = max(math.inf if t.deadline is None else t.deadline for t in run.tickets)
        self._running.add(run)

    def _queue_up(self, run: Run) -> Run | None:
        """Let it wait; who had to go for it."""
        shed = None
        if len(self._queue) >= self._max_queue:
            shed = self._queue.shed(run.level)
            if shed is None and run.level > 0:
                self._shared.forget(run)
                self._telemetry.count("llm.rejected")
                raise queue_full(len(self._queue), self._max_queue)
        self._queue.add(run)
        return shed

    # -- out of the queue

    def _fill(self) -> None:
        """Start what may start now; called by whoever has made room."""
        if getattr(self._starting, "here", False):
            return  # further up in this thread somebody is at it
        self._starting.here = True
        try:
            for _ in range(_AT_ONCE):
                with self._lock:
                    run = self._next()
                if run is None:
                    return
                self._start(run)
        finally:
            self._starting.here = False
        self._crew.run(self._fill)

    def _next(self) -> Run | None:
        if self._closing or not len(self._queue) or len(self._running) >= self._concurrency:
            return None
        run = self._queue.pop(self._clock.monotonic())
        if run is not None:
            self._give_place(run)
        return run

    def _start(self, run: Run) -> None:
        """Begin a run that has its place, for those of its tickets that still want it."""
        now = self._clock.monotonic()
        for ticket in tuple(run.tickets):
            if ticket.deadline is not None and ticket.deadline <= now:
                self._expire(ticket, begun=False)
            elif self._holds(ticket):
                self._telemetry.count("llm.started")
                self._telemetry.observe("llm.wait", (now - ticket.submitted) * 1e3)
        if run.abandoned:
            self._finished(run)
        elif self._instant and isinstance(run.request, GenerationRequest):
            self._asker.begin(run)
        else:
            self._crew.run(partial(self._asker.begin, run))

    # -- from the model

    def _deliver(self, run: Run, chunks: Sequence[Chunk], error: BaseException | None) -> None:
        """Hand on what the model has brought. In the model's thread, one call a run at a time."""
        ended = error is not None or chunks[-1].finish_reason is not None
        with self._lock:
            if ended:
                self._shared.forget(run)
            elif run.key:
                run.chunks += chunks
            tickets = tuple(run.tickets)
        text = chunks[:-1] if ended and error is None else chunks
        for ticket in tickets:
            if not self._holds(ticket):
                continue
            if text:
                self._endings.show(ticket, text)
            if error is not None and self._is_over(ticket):
                self._endings.end(ticket, "late")  # the model's own alarm was the quicker one
            elif error is not None:
                self._endings.end(ticket, "failed", error=error)
            elif ended:
                self._endings.end(ticket, "finished", chunks[-1])
        if ended:
            self._finished(run)

    def _is_over(self, ticket: Ticket) -> bool:
        """Whether a model that keeps deadlines gave a ticket up when it was over anyway."""
        if not self._asker.keeps_deadlines or ticket.deadline is None:
            return False
        return self._clock.monotonic() >= ticket.deadline

    def _finished(self, run: Run) -> None:
        """Give its place to the next."""
        with self._lock:
            self._running.discard(run)
            self._queue.release(run.owner)
            run.tickets.clear()
            run.generation = None
            if self._closing:
                self._ended.notify_all()
        self._fill()

    def _holds(self, ticket: Ticket) -> bool:
        """Whether the world still wants it; it has ended if not."""
        is_valid = ticket._is_valid
        if is_valid is None:
            return True
        error: Exception | None = None
        try:
            if is_valid():
                return True
        except Exception as problem:  # noqa: BLE001 - it is raised again where the ticket is read
            error = problem
        self._endings.end(ticket, "stale" if error is None else "failed", error=error)
        self._leave(ticket)
        return False

    # -- ways to end

    def _cancel(self, ticket: Ticket) -> None:
        self._endings.end(ticket, "cancelled")
        self._leave(ticket)

    def _expire(self, ticket: Ticket, begun: bool | None = None) -> None:
        if ticket._run.running if begun is None else begun:
            self._endings.end(ticket, "late")
        else:
            late_ms = (self._clock.monotonic() - ticket.submitted) * 1e3
            self._endings.end(ticket, "expired", error=never_begun(late_ms, ticket.deadline))
        self._leave(ticket)

    def _drop(self, run: Run) -> None:
        """End what more urgent requests have driven out of the queue."""
        for ticket in tuple(run.tickets):
            error = driven_out(ticket.priority, self._max_queue)
            self._endings.end(ticket, "shed", error=error)
            self._leave(ticket)

    def _leave(self, ticket: Ticket) -> None:
        """Take a ticket that has ended from its run; the last one ends the run."""
        run = ticket._run
        with self._lock:
            if ticket in run.tickets:
                run.tickets.remove(ticket)
            if run.tickets or run.abandoned:
                return
            run.abandoned = True
            self._shared.forget(run)
            if not run.running:
                self._queue.remove(run)
            generation = run.generation  # None: `_attach` looks once it has one
        if generation is not None:
            generation.cancel()
