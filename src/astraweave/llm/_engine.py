"""The thread that owns a decoder: takes requests, computes step by step, hands out text."""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from astraweave.core.protocols import Clock
from astraweave.core.threads import Worker
from astraweave.errors import UsageError
from astraweave.llm._decoder import MAX_STEP_TOKENS, Decoder
from astraweave.llm._slots import Slot, SlotTable
from astraweave.llm.protocol import FinishReason, Usage
from astraweave.llm.sampling import Sampler
from astraweave.llm.stopping import StopScanner
from astraweave.llm.stream import ChunkStream
from astraweave.observability import Telemetry

__all__ = ["Engine", "Job", "TokenDecoder"]

_AT_ONCE = 1
"""Sequences computed at once. One for now; `_step` already goes over all that are active."""


class TokenDecoder(Protocol):
    """Turns tokens into text as they come; never half a character."""

    def push(self, token: int, /) -> str:
        """The text that is complete now."""
        ...

    def flush(self) -> str:
        """What was held back; half a character comes as U+FFFD."""
        ...


@dataclass(eq=False, slots=True)
class Job:
    """One answer on its way."""

    prompt: Sequence[int]
    max_tokens: int
    owner: str
    sampler: Sampler
    decoder: TokenDecoder
    stops: StopScanner
    submitted: float
    stream: ChunkStream = field(default_factory=ChunkStream)
    slot: Slot | None = None
    pending: Sequence[int] = ()
    """Tokens that are known and not yet in the slot."""
    reused: int = 0
    made: int = 0
    first_token: float = 0.0


class Engine:
    """Runs jobs in order on a thread of its own. `submit` and `stop` are thread-safe.

    A step is one run of the graph for every active job: a piece of its prompt, or one token. New
    jobs, cancellation and the end of the engine are looked at between steps, so none of them waits
    longer than that. The thread must have ended before the interpreter does: a thread that is
    inside onnxruntime then would abort the process. Whoever owns an engine sees to it that `stop`
    is called (see `OnnxLanguageModel`).
    """

    def __init__(
        self,
        decoder: Decoder,
        *,
        slots: int,
        slot_tokens: int,
        eos_ids: Collection[int],
        clock: Clock,
        telemetry: Telemetry,
        name: str,
    ) -> None:
        self._decoder = decoder
        self._table = SlotTable(slots)
        self._slot_tokens = slot_tokens
        self._eos = frozenset(eos_ids)
        self._clock = clock
        self._telemetry = telemetry
        self._news = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._active: list[Job] = []
        self._stopping = False
        self._pid = os.getpid()
        self._thread = Worker(self._run, name=f"astraweave-{name}")

    def submit(self, job: Job) -> None:
        """Queue a job.

        Raises
        ------
        UsageError
            The engine has stopped, or this is a forked child, which has no engine thread.
        """
        self.check_usable()
        with self._news:
            if self._stopping:
                raise UsageError("the language model is closed")
            self._waiting.append(job)
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

    def drop_if_waiting(self, job: Job) -> None:
        """End a cancelled job that was not begun; one that was ends at its next step."""
        if os.getpid() != self._pid:
            return
        with self._news:
            if job not in self._waiting:
                return
            self._waiting.remove(job)
        self._end(job, "cancelled")

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

    def _run(self) -> None:
        while self._has_work():
            self._turn()
        with self._news:
            left = [*self._active, *self._waiting]
            self._waiting.clear()
        for job in left:
            self._end(job, "cancelled")
        self._decoder.close()

    def _turn(self) -> None:
        self._admit()
        for job in tuple(self._active):
            self._advance(job)

    def _has_work(self) -> bool:
        """Wait for some; False: the engine has to stop."""
        with self._news:
            self._news.wait_for(lambda: self._stopping or self._waiting or self._active)
            return not self._stopping

    def _admit(self) -> None:
        while len(self._active) < _AT_ONCE:
            with self._news:
                if not self._waiting:
                    return
                job = self._waiting.popleft()
            self._active.append(job)

    def _advance(self, job: Job) -> None:
        """One step of one job; whatever goes wrong in it is the reader's to see."""
        if job.stream.cancelled:
            self._end(job, "cancelled")
            return
        try:
            self._step(job)
        except Exception as error:  # noqa: BLE001 - it is raised again where the text is read
            if job.slot is not None:
                job.slot.tokens.clear()
            self._retire(job)
            job.stream.fail(error)

    def _place(self, job: Job) -> Slot:
        placement = self._table.place(job.prompt, job.owner)
        assert placement is not None, "there are as many slots as active jobs"
        slot = job.slot = placement.slot
        job.reused = placement.reused
        if placement.source is not slot and placement.reused:
            self._decoder.copy(placement.source.index, slot.index, placement.reused)
        slot.tokens[:] = job.prompt[: placement.reused]
        job.pending = job.prompt[placement.reused :]
        return slot

    def _step(self, job: Job) -> None:
        slot = job.slot or self._place(job)
        steps_left = math.ceil(len(job.pending) / MAX_STEP_TOKENS)
        size = math.ceil(len(job.pending) / steps_left)  # equal steps: none for two tokens alone
        piece, job.pending = job.pending[:size], job.pending[size:]
        with self._telemetry.span("llm.prefill" if job.made == 0 else "llm.decode"):
            self._decoder.forward(slot.index, len(slot.tokens), piece)
        slot.tokens.extend(piece)
        if job.pending:
            return
        with self._telemetry.span("llm.sample"):
            token = job.sampler.draw(self._decoder.logits)
        if job.made == 0:
            job.first_token = self._clock.monotonic()
        if token in self._eos:
            text = _rest(job)
            self._end(job, "stop", text + job.stops.flush())
            return
        job.made += 1
        text = job.stops.push(job.decoder.push(token))
        if job.stops.stopped:
            self._end(job, "stop", text)
        elif job.made >= job.max_tokens or len(slot.tokens) >= self._slot_tokens:
            text += _rest(job)
            self._end(job, "stop" if job.stops.stopped else "length", text)
        else:
            job.pending = (token,)
            job.stream.push(text)

    def _end(self, job: Job, reason: FinishReason, text: str = "") -> None:
        now = self._clock.monotonic()
        first = (job.first_token - job.submitted) * 1e3 if job.first_token else 0.0
        usage = Usage(
            prompt_tokens=len(job.prompt),
            reused_tokens=job.reused,
            completion_tokens=job.made,
            first_token_ms=first,
            total_ms=(now - job.submitted) * 1e3,
        )
        self._retire(job)
        job.stream.finish(reason, text=text, usage=usage)

    def _retire(self, job: Job) -> None:
        if job in self._active:
            self._active.remove(job)
        if job.slot is not None:
            self._table.release(job.slot)
            job.slot = None


def _rest(job: Job) -> str:
    """Whole characters that were held back until the answer's end.

    What the stop scanner still holds after this belongs to an answer that said so with its end
    token; where an answer is cut off, it may be the beginning of a stop string, and is left out.
    """
    return job.stops.push(job.decoder.flush().rstrip("\ufffd"))
