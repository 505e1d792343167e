"""The road on which text travels from whoever makes it to whoever reads it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator

from astraweave.errors import DeadlineExceeded
from astraweave.llm.protocol import Chunk, FinishReason, ToolCall, Usage

__all__ = ["ChunkStream"]


class ChunkStream:
    """A `Generation` that one thread writes and any threads and event loops read.

    Chunks are kept until the stream goes, so every reader sees all of them, whenever it comes. A
    writer never waits for a reader. Everything after the end (`finish` or `fail`, whichever comes
    first) is ignored, so that those who may end a stream need not agree on who does. Thread-safe.

    Parameters
    ----------
    on_cancel : callable, optional
        Called by `cancel`, in the thread that cancels; must not block.
    """

    def __init__(self, on_cancel: Callable[[], None] | None = None) -> None:
        self._changed = threading.Condition()
        self._chunks: list[Chunk] = []
        self._done = False
        self._error: BaseException | None = None
        self._wakers: list[Callable[[], None]] = []
        self._on_cancel = on_cancel
        self._cancelled = False

    # -- for the writer

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked it to stop; the writer looks here between its steps."""
        return self._cancelled

    def push(self, text: str) -> None:
        """Append text; empty text is not passed on."""
        if text:
            self._append(Chunk(text=text), done=False)

    def finish(
        self,
        reason: FinishReason,
        *,
        text: str = "",
        usage: Usage | None = None,
        tool_calls: tuple[ToolCall, ...] = (),
    ) -> bool:
        """End the stream; False where it had ended before."""
        last = Chunk(text=text, finish_reason=reason, usage=usage, tool_calls=tool_calls)
        return self._append(last, done=True)

    def fail(self, error: BaseException) -> bool:
        """End the stream with an error, after what came before; False where it had ended."""
        return self._append(None, done=True, error=error)

    # -- for readers

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._done

    @property
    def text(self) -> str:
        """What came so far."""
        with self._changed:
            return "".join(chunk.text for chunk in self._chunks)

    @property
    def finish_reason(self) -> FinishReason | None:
        """How it ended; None: not yet, or with an error (which has ``"error"``)."""
        with self._changed:
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
        with self._changed:
            return self._chunks[-1].usage if self._chunks else None

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls that the model wants; known at the end."""
        with self._changed:
            return self._chunks[-1].tool_calls if self._chunks else ()

    def cancel(self) -> None:
        """Ask the writer to stop; a last chunk with ``"cancelled"`` follows."""
        self._cancelled = True
        if self._on_cancel is not None and not self._done:
            self._on_cancel()

    def result(self, timeout: float | None = None) -> str:
        """Wait for the end; the whole text, also of one that was cancelled.

        Raises
        ------
        DeadlineExceeded
            It has not ended after `timeout` seconds; it goes on.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._done, timeout):
                raise DeadlineExceeded(f"no end of the text in {timeout} s", timeout=timeout)
        if self._error is not None:
            raise self._error
        return self.text

    def __iter__(self) -> Iterator[Chunk]:
        at = 0
        while True:
            with self._changed:
                while not self._done and len(self._chunks) == at:
                    self._changed.wait()
                fresh, done = self._chunks[at:], self._done
            at += len(fresh)
            yield from fresh
            if done:
                break
        if self._error is not None:
            raise self._error

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        loop = asyncio.get_running_loop()
        news = asyncio.Event()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(news.set)
            except RuntimeError:  # the reader's loop was closed: nobody is left to tell
                self._forget(wake)

        at = 0
        with self._changed:
            self._wakers.append(wake)
        try:
            while True:
                news.clear()
                with self._changed:
                    fresh, done = self._chunks[at:], self._done
                at += len(fresh)
                for chunk in fresh:
                    yield chunk
                if done:
                    break
                if not fresh:
                    await news.wait()
        finally:
            self._forget(wake)
        if self._error is not None:
            raise self._error

    def _append(
        self, chunk: Chunk | None, *, done: bool, error: BaseException | None = None
    ) -> bool:
        with self._changed:
            if self._done:
                return False
            if chunk is not None:
                self._chunks.append(chunk)
            self._error = error
            self._done = done
            wakers = tuple(self._wakers)
            self._changed.notify_all()
        for wake in wakers:
            wake()
        return True

    def _forget(self, wake: Callable[[], None]) -> None:
        with self._changed:
            if wake in self._wakers:
                self._wakers.remove(wake)
