"""The road on which text travels from whoever makes it to whoever reads it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from astraweave.errors import DeadlineExceeded
from astraweave.llm.protocol import Chunk, FinishReason, ToolCall, Usage

__all__ = ["ChunkStream", "Listener"]

Listener = Callable[[Sequence[Chunk], BaseException | None], None]
"""Gets new chunks as they come. The stream has ended when the last of them has a finish reason, or
when there is an error."""


class ChunkStream:
    """A `Generation` that one thread writes and any threads and event loops read.

    Chunks are kept until the stream goes, so every reader sees all of them, whenever it comes. A
    writer never waits for a reader, and a reader costs it nothing but being woken: who waits only
    for the end is woken only then. Everything after the end (`finish` or `fail`, whichever comes
    first) is ignored, so that those who may end a stream need not agree on who does. Thread-safe.

    Parameters
    ----------
    on_cancel : callable, optional
        Called by `cancel`, in the thread that cancels; must not block.
    """

    __slots__ = (
        "__weakref__",
        "_at_end",
        "_at_news",
        "_cancelled",
        "_chunks",
        "_claimed",
        "_done",
        "_ears",
        "_error",
        "_lock",
        "_on_cancel",
    )

    def __init__(self, on_cancel: Callable[[], None] | None = None) -> None:
        self._lock = threading.Lock()
        self._chunks: list[Chunk] = []
        self._done = False
        self._claimed = False
        self._error: BaseException | None = None
        # Each is called once, by whoever brings what it waits for.
        self._at_news: list[Callable[[], None]] = []
        self._at_end: list[Callable[[], None]] = []
        self._ears: list[_Ear] = []
        self._on_cancel = on_cancel
        self._cancelled = False

    # -- for the writer

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked it to stop; the writer looks here between its steps."""
        return self._cancelled

    def push(self, text: str, *, logprob: float = 0.0, tokens: int = 0) -> None:
        """Append text; empty text is not passed on."""
        if text:
            self._append((Chunk(text=text, logprob=logprob, tokens=tokens),))

    def finish(
        self,
        reason: FinishReason,
        *,
        text: str = "",
        usage: Usage | None = None,
        tool_calls: tuple[ToolCall, ...] = (),
        logprob: float = 0.0,
        tokens: int = 0,
    ) -> bool:
        """End the stream; False where it had ended before."""
        last = Chunk(
            text=text,
            logprob=logprob,
            tokens=tokens,
            finish_reason=reason,
            usage=usage,
            tool_calls=tool_calls,
        )
        return self._append((last,), done=True)

    def fail(self, error: BaseException) -> bool:
        """End the stream with an error, after what came before; False where it had ended."""
        return self._append((), done=True, error=error)

    # -- for readers

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._done

    @property
    def text(self) -> str:
        """What came so far."""
        with self._lock:
            return "".join([chunk.text for chunk in self._chunks])

    def since(self, at: int) -> list[Chunk]:
        """Chunks from place `at` on, for readers that poll; takes no lock.

        A game's thread that waited for a lock would wait for the thread that holds it to get the
        interpreter back. Look at `done` first: then nothing is missing after an end.
        """
        return self._chunks[at:]

    @property
    def finish_reason(self) -> FinishReason | None:
        """How it ended; None: not yet, or with an error (which has ``"error"``)."""
        with self._lock:
            if self._error is not None:
                return "error"
            return self._chunks[-1].finish_reason if self._chunks else None

    @property
    def error(self) -> BaseException | None:
        """What went wrong, if anything did."""
        return self._error

    @property
    def usage(self) -> Usage | None:
        """What it cost; known at the end."""
        with self._lock:
            return self._chunks[-1].usage if self._chunks else None

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls that the model wants; known at the end."""
        with self._lock:
            return self._chunks[-1].tool_calls if self._chunks else ()

    def cancel(self) -> None:
        """Ask the writer to stop; a last chunk with ``"cancelled"`` follows."""
        self._cancelled = True
        if self._on_cancel is not None and not self._done:
            self._on_cancel()

    def listen(self, listener: Listener) -> None:
        """Have what comes handed to `listener` instead of waiting for it in a thread.

        What came so far is handed over before this returns; everything else by the thread that
        brings it, in order, one call at a time, with no lock held. A listener must be quick, for
        the writer stands still meanwhile, and must not raise.
        """
        ear = _Ear(listener)
        with self._lock:
            if not self._done:
                self._ears.append(ear)
        self._tell(ear)

    def result(self, timeout: float | None = None) -> str:
        """Wait for the end; the whole text, also of one that was cancelled.

        Raises
        ------
        DeadlineExceeded
            It has not ended after `timeout` seconds; it goes on.
        """
        if not self._done and not self._wait_for_end(timeout):
            raise DeadlineExceeded(f"no end of the text in {timeout} s", timeout=timeout)
        if self._error is not None:
            raise self._error
        return self.text

    def __iter__(self) -> Iterator[Chunk]:
        at = 0
        while True:
            gate = None
            with self._lock:
                fresh, done = self._chunks[at:], self._done
                if not fresh and not done:
                    gate = _closed_gate()
                    self._at_news.append(gate.release)
            if gate is not None:
                gate.acquire()
                continue
            at += len(fresh)
            yield from fresh
            if done:
                break
        if self._error is not None:
            raise self._error

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        loop = asyncio.get_running_loop()
        at = 0
        while True:
            waker = None
            with self._lock:
                fresh, done = self._chunks[at:], self._done
                if not fresh and not done:
                    waker = _LoopWaker(loop)
                    self._at_news.append(waker)
            if waker is not None:
                try:
                    await waker.news
                finally:
                    self._forget(waker)
                continue
            at += len(fresh)
            for chunk in fresh:
                yield chunk
            if done:
                break
        if self._error is not None:
            raise self._error

    # -- inside

    def _claim(self) -> bool:
        """Take the right to end it: True for the first who asks; what others push is ignored."""
        with self._lock:
            if self._done or self._claimed:
                return False
            self._claimed = True
            return True

    def _append(
        self,
        chunks: Sequence[Chunk],
        *,
        done: bool = False,
        error: BaseException | None = None,
        claimed: bool = False,
    ) -> bool:
        """Add chunks and tell everybody; False where it has ended, or where another will end it."""
        with self._lock:
            if self._done or self._claimed is not claimed:
                return False
            self._chunks += chunks
            self._error = error
            self._done = done
            wakers, ears = self._at_news, self._ears
            if wakers:
                self._at_news = []
            if done:
                wakers, self._at_end = wakers + self._at_end, []
                self._ears = []
        for wake in wakers:
            wake()
        for ear in tuple(ears):
            self._tell(ear)
        return True

    def _tell(self, ear: _Ear) -> None:
        """Hand over what an ear has not heard; where another thread is at it, that one will."""
        mine = False
        while True:
            with self._lock:
                if ear.busy and not mine:
                    return
                fresh, ended = self._chunks[ear.heard :], self._done and not ear.told
                mine = ear.busy = bool(fresh) or ended
                if not mine:
                    return
                ear.heard += len(fresh)
                ear.told = ended
            ear.listener(fresh, self._error if ended else None)

    def _wait_for_end(self, timeout: float | None) -> bool:
        gate = _closed_gate()
        with self._lock:
            if self._done:
                return True
            self._at_end.append(gate.release)
        limit = -1 if timeout is None else min(max(0.0, timeout), threading.TIMEOUT_MAX)
        try:
            gate.acquire(timeout=limit)
        finally:
            self._forget(gate.release)
        return self._done

    def _forget(self, waker: Callable[[], None]) -> None:
        with self._lock:
            for wakers in (self._at_news, self._at_end):
                with contextlib.suppress(ValueError):
                    wakers.remove(waker)


class _Ear:
    """A listener, and what it has heard."""

    __slots__ = ("busy", "heard", "listener", "told")

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.heard = 0
        self.told = False
        self.busy = False


class _LoopWaker:
    """Wakes a coroutine from any thread."""

    __slots__ = ("_loop", "news")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.news: asyncio.Future[None] = loop.create_future()

    def __call__(self) -> None:
        # The reader's loop may have been closed: then nobody is left to tell.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if not self.news.done():
            self.news.set_result(None)


def _closed_gate() -> threading.Lock:
    """Opens when it is released: the cheapest thing that a thread can wait for."""
    gate = threading.Lock()
    gate.acquire()
    return gate
