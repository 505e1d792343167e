"""The thread that owns a backend: takes jobs, computes step by step, hands out text."""

from __future__ import annotations

import bisect
import os
import threading
from collections.abc import Sequence

import msgspec

from astraweave.core.clock import monotonic_ns
from astraweave.core.protocols import Clock
from astraweave.core.threads import Worker
from astraweave.errors import CapacityError, UsageError
from astraweave.llm._backend import DecoderBackend, KvReport
from astraweave.llm._jobs import Job
from astraweave.llm._outcomes import Outcomes, as_model_error
from astraweave.llm._pace import Pace, Piece, plan, to_batch
from astraweave.llm._sequences import Sequences
from astraweave.observability import Telemetry

__all__ = ["Engine", "EngineReport"]

_WORTH_WAITING = 32
"""Tokens: where fewer could be had from a prompt that is being computed, nobody waits for it."""


class EngineReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a model's engine is at, as it was after its latest step.

    Attributes
    ----------
    running, waiting : int
        Answers and scores in work, and those that wait for their turn.
    kept : int
        Earlier prompts and answers that a new one may go on from.
    evicted, preempted : int
        How many of these were forgotten so far to make room, and how many running ones were sent
        back to the queue.
    kv : KvReport
        Memory of keys and values.
    """

    running: int
    waiting: int
    kept: int
    evicted: int
    preempted: int
    kv: KvReport


class Engine:
    """Runs jobs together on a thread of its own. `submit`, `report` and `stop` are thread-safe.

    Continuous batching: jobs join and leave between steps. A step takes one token of every job that
    is through its prompt, and as much of the waiting prompts as fits into the time that nobody
    minds (see `_pace`). Cancellation and the end of the engine are looked at between steps, so none
    waits longer than that. Where KV memory runs short, kept prefixes go first; then newcomers wait;
    then the least urgent of the running ones goes back to the queue and is computed again later.

    The thread must have ended before the interpreter does: a thread that is inside native code then
    would abort the process. Whoever owns an engine sees to it that `stop` is called (see
    `LocalLanguageModel`).

    Parameters
    ----------
    backend : DecoderBackend
        What computes; it is closed with the engine, by its thread.
    max_running : int
        Jobs in work at once.
    grid : int
        0, or: a sequence is always computed in the same pieces of this many tokens, so that it owes
        nothing to its neighbours also where kernels round differently for other sizes.
    clock, telemetry
        For `Usage`; spans ``llm.prefill``, ``llm.decode`` and ``llm.sample``, one a step.
    name : str
        Of the thread.
    """

    def __init__(
        self,
        backend: DecoderBackend,
        *,
        max_running: int,
        clock: Clock,
        telemetry: Telemetry,
        name: str,
        grid: int = 0,
    ) -> None:
        self._backend = backend
        self._max_running = max_running
        self._grid = grid
        self._clock = clock
        self._telemetry = telemetry
        self._sequences = Sequences(backend, grid=grid)
        self._pace = Pace()
        self._outcomes = Outcomes(backend.vocabulary, name=name)
        self._news = threading.Condition()
        self._waiting: list[Job] = []
        self._active: list[Job] = []
        self._submitted = 0
        self._preempted = 0
        self._kv = backend.report()
        self._stopping = False
        self._pid = os.getpid()
        self._thread = Worker(self._run, name=f"astraweave-{name}")

    # -- for any thread

    def submit(self, jobs: Sequence[Job]) -> None:
        """Queue jobs.

        Raises
        ------
        UsageError
            The engine has stopped, or this is a forked child, which has no engine thread.
        """
        self.check_usable()
        with self._news:
            if self._stopping:
                raise UsageError("the language model is closed")
            for job in jobs:
                job.order = self._submitted
                self._submitted += 1
                bisect.insort(self._waiting, job, key=_turn_of)
            self._news.notify()

    def check_usable(self) -> None:
        """Raise UsageError where `submit` would."""
        if os.getpid() != self._pid:
            raise UsageError(
                "this process was forked after the language model was opened, and the model's "
                "thread did not come along; open the model in the child, or start it with 'spawn'",
                opened_in=self._pid,
                called_in=os.getpid(),
            )
        if self._stopping:
            raise UsageError("the language model is closed")

    def drop_waiting(self, jobs: Sequence[Job]) -> None:
        """End cancelled jobs that wait; those that are in work end at the next step."""
        if os.getpid() != self._pid:
            return
        with self._news:
            gone = set(jobs)
            dropped = [job for job in self._waiting if job in gone]
            self._waiting = [job for job in self._waiting if job not in gone]
        for job in dropped:
            job.end_cancelled(self._clock.monotonic())

    def report(self) -> EngineReport:
        """What it is at."""
        with self._news:
            waiting = len(self._waiting)
        return EngineReport(
            running=len(self._active),
            waiting=waiting,
            kept=self._sequences.kept,
            evicted=self._sequences.evicted,
            preempted=self._preempted,
            kv=self._kv,
        )

    def stop(self) -> None:
        """End what runs as cancelled and join the thread. Calling it twice is allowed."""
        if os.getpid() != self._pid:
            return  # a forked child has neither the thread nor a lock that it could trust
        with self._news:
            self._stopping = True
            self._news.notify()
        if self._thread is threading.current_thread():
            return
        interrupt = self._thread.finish()  # one more step at most; then it is safe to go
        if interrupt is not None:
            raise interrupt

    # -- for its own thread

    def _run(self) -> None:
        while self._has_work():
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - raised again where the answers are read
                self._fail_all(as_model_error(error))
            self._kv = self._backend.report()
        with self._news:
            left = [*self._active, *self._waiting]
            self._waiting.clear()
        self._active.clear()
        for job in left:
            job.end_cancelled(self._clock.monotonic())
        self._outcomes.close()
        self._backend.close()

    def _has_work(self) -> bool:
        """Wait for some; False: the engine has to stop."""
        with self._news:
            self._news.wait_for(lambda: self._stopping or self._waiting or self._active)
            return not self._stopping

    def _turn(self) -> None:
        for job in tuple(self._active):
            if job.cancelled:
                self._retire(job, keep=True)
                job.end_cancelled(self._clock.monotonic())
        self._admit()
        rows = sum(job.pending == 1 for job in self._active)
        speaking = any(job.speaking for job in self._active)
        budget = self._pace.budget(rows, speaking=speaking)
        # Those whose answer is drawn stand before those that are judged: their logits do too.
        pieces = sorted(plan(self._active, budget, grid=self._grid), key=self._outcomes.place)
        if pieces:
            self._step(pieces)

    def _admit(self) -> None:
        """Give sequences to those who wait, the most urgent first."""
        with self._news:
            queue = tuple(self._waiting) if self._waiting else ()
        for job in queue:
            full = len(self._active) >= self._max_running
            if full and job.urgency >= max(other.urgency for other in self._active):
                return
            if job.waits_in_vain and not self._waits(job):
                if full:
                    self._make_way(job)
                while not self._has_room(job):
                    if not self._make_way(job):
                        return
                if self._leave_queue(job):
                    self._begin(job)

    def _waits(self, job: Job) -> bool:
        """Whether somebody is computing what a job begins with; that one then hurries as it."""
        outlook = self._sequences.look(job)
        if outlook.behind is None or outlook.soon - outlook.now < _WORTH_WAITING:
            job.behind = None
            return False
        job.behind, job.until = outlook.behind, outlook.soon
        job.behind.urgency = min(job.behind.urgency, job.urgency)
        return True

    def _begin(self, job: Job) -> None:
        now = self._clock.monotonic()
        try:
            self._sequences.start(job)
        except CapacityError as error:
            if self._active:
                self._requeue(job)
            else:
                job.fail(error)
            return
        except Exception as error:  # noqa: BLE001 - raised again where the answer is read
            job.fail(as_model_error(error))
            return
        self._active.append(job)
        try:
            ended = self._outcomes.begin(job, now)
        except Exception as error:  # noqa: BLE001 - likewise
            self._fail(job, as_model_error(error))
            return
        if ended is not None:
            self._retire(job, keep=True)
            ended()

    def _make_way(self, job: Job) -> bool:
        """Let the youngest of the least urgent jobs wait, where `job` is more urgent than it."""
        last = max(self._active, key=_turn_of, default=None)
        if last is None or last.urgency <= job.urgency:
            return False
        self._send_back(last, keep=True)
        return True

    def _has_room(self, job: Job) -> bool:
        """Whether KV memory has room for `job` beside what runs, once kept prefixes have gone."""
        needed = len(job.known) - self._sequences.look(job).now + job.may_need
        needed += sum(other.pending + other.may_need for other in self._active)
        spared = self._sequences.source(job)
        while True:
            kv = self._backend.report()
            if kv.used_tokens + needed <= kv.capacity_tokens:
                return True
            if not self._sequences.make_room(sparing=spared):
                return not self._active  # alone it may try: what it does not get, it is told

    def _leave_queue(self, job: Job) -> bool:
        with self._news:
            if self._stopping or job not in self._waiting:
                return False
            self._waiting.remove(job)
            return True

    def _step(self, pieces: list[Piece]) -> None:
        rows = sum(size == 1 for _, size in pieces)
        tokens = sum(size for _, size in pieces) - rows
        batch = to_batch(pieces)
        self._outcomes.expect(pieces)
        started = monotonic_ns()
        try:
            with self._telemetry.span("llm.prefill" if tokens else "llm.decode"):
                logits = self._backend.step(batch)
        except CapacityError as error:
            self._outcomes.give_up()
            self._relieve(error)
            return
        except Exception as error:  # noqa: BLE001 - raised again where the answers are read
            self._outcomes.give_up()
            failed = as_model_error(error)
            for job, _ in pieces:
                self._fail(job, failed)
            return
        self._pace.note(rows, tokens, (monotonic_ns() - started) / 1e9)
        with self._telemetry.span("llm.sample"):
            for job, ended in self._outcomes.take(pieces, logits, self._clock.monotonic()):
                if isinstance(ended, Exception):
                    self._fail(job, ended)
                else:
                    self._retire(job, keep=True)
                    ended()

    def _relieve(self, error: CapacityError) -> None:
        """There was no room for a step: forget what is kept, then let somebody wait."""
        if self._sequences.make_room():
            return
        last = max(self._active, key=_turn_of)
        if len(self._active) > 1:
            self._send_back(last, keep=False)
            return
        ended = self._outcomes.cut(last, self._clock.monotonic())
        if ended is None:
            self._fail(last, error)
        else:
            self._retire(last, keep=True)
            ended()

    def _send_back(self, job: Job, *, keep: bool) -> None:
        self._retire(job, keep=keep)
        self._preempted += 1
        self._telemetry.count("llm.preempted")
        self._requeue(job)

    def _requeue(self, job: Job) -> None:
        job.restart()
        with self._news:
            bisect.insort(self._waiting, job, key=_turn_of)

    def _retire(self, job: Job, *, keep: bool) -> None:
        self._active.remove(job)
        self._sequences.end(job, keep=keep)

    def _fail_all(self, error: Exception) -> None:
        """The engine itself is at fault: whoever is in work is told, or all who wait."""
        failed = tuple(self._active)
        if not failed:
            with self._news:
                failed = tuple(self._waiting)
                self._waiting.clear()
        for job in failed:
            self._fail(job, error)

    def _fail(self, job: Job, error: Exception) -> None:
        """What a failed job left is not trusted."""
        if job in self._active:
            self._retire(job, keep=False)
        job.fail(error)


def _turn_of(job: Job) -> tuple[int, int]:
    return job.urgency, job.order
