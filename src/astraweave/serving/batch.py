"""Many requests that nobody waits for: barks written overnight, a data set scored, a test run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Container, Iterable, Iterator, Sequence
from functools import partial
from queue import Empty, SimpleQueue

import msgspec

from astraweave.errors import CapacityError, InputError
from astraweave.llm import Chunk, FinishReason, GenerationRequest, Priority, Usage
from astraweave.serving.scheduler import LlmScheduler, Ticket

__all__ = ["BatchInference", "BatchProgress", "BatchResult"]

BatchProgress = Callable[[int, int | None], None]
"""Told how many requests have ended and how many there are; None where that is not known."""

_PAUSE_S = 0.05
"""Before another try when the queue is full of other people's requests."""


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one request of a lot.

    Attributes
    ----------
    index : int
        Its place among the requests that were handed in, from 0.
    text : str
        What the model said; of a failure, what had come by then.
    finish_reason : str
        How it ended; ``"error"`` for a failure.
    usage : Usage or None
        What it cost.
    error : BaseException or None
        What went wrong.
    """

    index: int
    text: str = ""
    finish_reason: FinishReason = "stop"
    usage: Usage | None = None
    error: BaseException | None = None


class BatchInference:
    """Runs lots of requests behind everything that somebody waits for.

    Only a few requests of a lot are on the road at a time, so a lot may be as long as you like. One
    that more urgent requests drive out of the queue goes in again. Failures are results, and a lot
    that was interrupted goes on where it stopped: hand in the same requests with `done`.

    One lot at a time may run on an object from one thread or event loop; make several for more.

    Parameters
    ----------
    scheduler : LlmScheduler
        The road to the model.
    in_flight : int, optional
        How many may be on the road; by default twice as many as the model has slots.
    priority : str
        Of all of them, whatever they say themselves.
    in_order : bool
        Give results in the order of the requests; False: as they come.
    progress : callable, optional
        Told after each result how many there have been, and of how many.

    Examples
    --------
    >>> from astraweave.llm import Message, ScriptedModel
    >>> scheduler = LlmScheduler(ScriptedModel(["Aye.", "No.", "Perhaps."]))
    >>> lot = [GenerationRequest(messages=(Message("user", "Well?"),)) for _ in range(3)]
    >>> [result.text for result in BatchInference(scheduler).run(lot)]
    ['Aye.', 'No.', 'Perhaps.']
    >>> scheduler.close()
    """

    def __init__(
        self,
        scheduler: LlmScheduler,
        *,
        in_flight: int | None = None,
        priority: Priority = "background",
        in_order: bool = True,
        progress: BatchProgress | None = None,
    ) -> None:
        in_flight = 2 * scheduler.model.info.slots if in_flight is None else in_flight
        if in_flight < 1:
            raise InputError(f"in_flight must be 1 or more, not {in_flight}", in_flight=in_flight)
        self._scheduler = scheduler
        self._in_flight = in_flight
        self._priority: Priority = priority
        self._in_order = in_order
        self._progress = progress

    def run(
        self, requests: Iterable[GenerationRequest], *, done: Container[int] = ()
    ) -> Iterator[BatchResult]:
        """Results, one for each request; a loop that is left early cancels the rest.

        Parameters
        ----------
        requests : iterable of GenerationRequest
            Read no further ahead than needed.
        done : container of int
            Indices to leave out, such as ``range(120)``, or the set of those that are written down.

        Raises
        ------
        UsageError
            The scheduler is closed.
        """
        ended: SimpleQueue[int] = SimpleQueue()
        lot = self._lot(requests, done, ended.put)
        try:
            while lot.fill():
                try:
                    lot.take(ended.get(timeout=_PAUSE_S if lot.refused else None))
                except Empty:
                    continue
                yield from lot.ready()
        finally:
            lot.cancel()

    async def run_async(
        self, requests: Iterable[GenerationRequest], *, done: Container[int] = ()
    ) -> AsyncIterator[BatchResult]:
        """`run`, awaited."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Queue[int] = asyncio.Queue()

        def tell(index: int) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed over the lot
                loop.call_soon_threadsafe(ended.put_nowait, index)

        lot = self._lot(requests, done, tell)
        try:
            while lot.fill():
                try:
                    async with asyncio.timeout(_PAUSE_S if lot.refused else None):
                        lot.take(await ended.get())
                except TimeoutError:
                    continue
                for result in lot.ready():
                    yield result
        finally:
            lot.cancel()

    def _lot(
        self,
        requests: Iterable[GenerationRequest],
        done: Container[int],
        ended: Callable[[int], object],
    ) -> _Lot:
        total = None
        if isinstance(requests, Sequence):
            total = sum(index not in done for index in range(len(requests)))
        todo = ((i, request) for i, request in enumerate(requests) if i not in done)
        submit = partial(self._scheduler.submit, priority=self._priority, recorded=False)
        tell = partial(self._tell, total)
        return _Lot(todo, self._in_flight, submit, ended, self._in_order, tell)

    def _tell(self, total: int | None, count: int) -> None:
        if self._progress is not None:
            self._progress(count, total)


class _Lot:
    """What both doors share: who is on the road, and whose result may be given."""

    def __init__(
        self,
        todo: Iterator[tuple[int, GenerationRequest]],
        limit: int,
        submit: Callable[[GenerationRequest], Ticket],
        ended: Callable[[int], object],
        in_order: bool,
        tell: Callable[[int], None],
    ) -> None:
        self._todo = todo
        self._limit = limit
        self._submit = submit
        self._ended = ended
        self._in_order = in_order
        self._tell = tell
        self._tickets: dict[int, Ticket] = {}
        """In the order of the requests, which is that of insertion."""
        self._again: list[tuple[int, GenerationRequest]] = []
        self._results: dict[int, BatchResult] = {}
        self._order: dict[int, None] = {}
        """Indices whose result has not been given, in the order of the requests."""
        self._count = 0
        self.refused = False
        """Whether the queue was full the last time."""

    def fill(self) -> bool:
        """Send what may be on the road now; False: all results were given."""
        self.refused = False
        while len(self._order) - len(self._again) < self._limit or self._again:
            entry = self._again.pop(0) if self._again else next(self._todo, None)
            if entry is None:
                break
            index, request = entry
            self._order[index] = None
            try:
                ticket = self._submit(request)
            except CapacityError:
                self._again.insert(0, entry)
                self.refused = True
                break
            except InputError as error:
                self._results[index] = BatchResult(index=index, finish_reason="error", error=error)
                self._ended(index)
                continue
            self._tickets[index] = ticket
            ticket.listen(partial(self._listen, index))
        return bool(self._order)

    def take(self, index: int) -> None:
        """A request has ended."""
        ticket = self._tickets.pop(index, None)
        if ticket is None:
            return
        request = ticket.request
        if isinstance(ticket.error, CapacityError) and isinstance(request, GenerationRequest):
            self._again.append((index, request))  # others were more urgent
            return
        self._results[index] = BatchResult(
            index=index,
            text=ticket.text,
            finish_reason=ticket.finish_reason or "error",
            usage=ticket.usage,
            error=ticket.error,
        )

    def ready(self) -> Iterator[BatchResult]:
        """Results that may be given now."""
        for index in tuple(self._order):
            if index in self._results:
                del self._order[index]
                self._count += 1
                self._tell(self._count)
                yield self._results.pop(index)
            elif self._in_order:
                return

    def cancel(self) -> None:
        """End what is on the road."""
        for ticket in tuple(self._tickets.values()):
            ticket.cancel()

    def _listen(self, index: int, chunks: Sequence[Chunk], error: BaseException | None) -> None:
        if error is not None or chunks[-1].finish_reason is not None:
            self._ended(index)
