"""An asyncio loop on a thread of its own, for code that must not wait for it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from astraweave.core.threads import Worker
from astraweave.errors import UsageError

__all__ = ["EventLoop", "Work"]

T = TypeVar("T")


class Work:
    """A coroutine that runs on an `EventLoop`; cancelled from any thread."""

    __slots__ = ("_among", "_cancelled", "_ended", "_loop", "_task")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        ended: Callable[[], object] | None,
        among: set[Work] | None,
    ) -> None:
        self._loop = loop
        self._ended = ended
        self._among = among
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """Interrupt it where it waits; one that has ended is left alone."""
        self._cancelled = True
        try:
            self._loop.call_soon_threadsafe(self._cancel)
        except RuntimeError:  # the loop was closed, and ended everything
            return

    def runs_as(self, task: asyncio.Task[Any]) -> None:
        """It has begun; on the loop's thread."""
        self._task = task
        task.add_done_callback(self._done)
        if self._cancelled:
            task.cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _done(self, _task: asyncio.Task[Any]) -> None:
        if self._among is not None:
            self._among.discard(self)
        if self._ended is not None:
            self._ended()


class EventLoop:
    """Runs coroutines on one thread, which it owns. Thread-safe.

    asyncio's own loop, not uvloop: what that leaves in a forked child brings the child down when it
    exits, and it is no faster here. Whoever owns a loop sees to it that `stop` is called, at
    the latest when the interpreter exits. In a forked child there is no thread: `start` says so.

    Parameters
    ----------
    name : str
        Of the thread.
    """

    def __init__(self, name: str = "http") -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._endings: list[Callable[[], Coroutine[Any, Any, None]]] = []
        # Reentrant: the collector may call `stop` in the midst of `start`, on the same thread.
        self._lock = threading.RLock()
        self._stopping = False
        self._pid = os.getpid()
        self._thread = Worker(self._run, name=f"astraweave-{name}")

    @property
    def here(self) -> bool:
        """Whether the caller is on the loop's own thread."""
        return self._thread is threading.current_thread()

    def check_usable(self) -> None:
        """Raise UsageError where `start` would."""
        if os.getpid() != self._pid:
            raise UsageError(
                "this process was forked after the client was opened, and the client's thread did "
                "not come along; open it in the child, or start the child with 'spawn'",
                opened_in=self._pid,
                called_in=os.getpid(),
            )
        if self._stopping:
            raise UsageError("the client is closed")

    def start(
        self,
        work: Callable[[], Coroutine[Any, Any, object]],
        *,
        ended: Callable[[], object] | None = None,
        among: set[Work] | None = None,
    ) -> Work:
        """Begin a coroutine, which must raise nothing but CancelledError; returns at once.

        Parameters
        ----------
        work : callable
            Makes the coroutine, on the loop's thread.
        ended : callable, optional
            Called there when it has ended, also where it was cancelled before it began.
        among : set of Work, optional
            Holds the work as long as it runs.

        Raises
        ------
        UsageError
            The loop has stopped, or this is a forked child.
        """
        self.check_usable()
        begun = Work(self._loop, ended, among)
        with self._lock:
            if self._stopping:
                raise UsageError("the client is closed")
            if among is not None:
                among.add(begun)
            self._loop.call_soon_threadsafe(self._begin, work, begun)
        return begun

    def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine and wait for what it returns or raises.

        Raises
        ------
        UsageError
            As `start`; or the caller is on the loop's own thread, and would wait for itself.
        """
        if self.here:
            raise UsageError("this would wait for itself: await it instead")
        answer: Future[T] = Future()

        async def run() -> None:
            try:
                answer.set_result(await work())
            except Exception as error:  # noqa: BLE001 - the caller raises it
                answer.set_exception(error)

        def ended() -> None:
            if not answer.done():
                answer.set_exception(UsageError("the client is closed"))

        begun = self.start(run, ended=ended)
        try:
            return answer.result()
        except BaseException:
            begun.cancel()  # Ctrl-C: nobody waits for it any more
            raise

    def at_end(self, ending: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run this last, when all else has ended."""
        self._endings.append(ending)

    def stop(self) -> None:
        """Cancel what runs and join the thread. Calling it twice is allowed."""
        if os.getpid() != self._pid:
            return  # a forked child has neither the thread nor a lock that it could trust
        with self._lock:
            if not self._stopping:
                self._stopping = True
                self._loop.call_soon_threadsafe(self._loop.stop)
        if self.here:
            return
        interrupt = self._thread.finish()
        if interrupt is not None:
            raise interrupt

    def _begin(self, work: Callable[[], Coroutine[Any, Any, object]], begun: Work) -> None:
        task = self._loop.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        begun.runs_as(task)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            # What was handed in before the end begins, so that it can end as cancelled.
            self._loop.run_until_complete(asyncio.sleep(0))
            while tasks := tuple(self._tasks):
                for task in tasks:
                    task.cancel()
                self._loop.run_until_complete(asyncio.wait(tasks))
            for ending in self._endings:
                self._loop.run_until_complete(ending())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()
