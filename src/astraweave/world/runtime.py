"""The runtime's own threads: one that runs an event loop, one that may block.

The game thread never waits for either. Lines are coroutines on the loop (uvloop where it is
installed); SQLite and embedding block, so they run in order on the second thread, which also owns
the database connection. Both end at `close`, and at interpreter exit when nobody closed.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from astraweave.errors import UsageError

__all__ = ["Runtime", "SerialExecutor"]

P = ParamSpec("P")
T = TypeVar("T")

_Job = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class SerialExecutor(Executor):
    """Runs jobs one after the other on a thread of its own. Thread-safe.

    Unlike `concurrent.futures.ThreadPoolExecutor` it still works while the interpreter exits, so
    that a world that nobody closed can write down what it knows.
    """

    def __init__(self, name: str) -> None:
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=_work, args=(self._queue,), name=name, daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a job."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise UsageError("this world is closed")
            self._queue.put((future, fn, args, kwargs))
        return future

    def run(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Queue a job and wait for its result."""
        return self.submit(fn, *args, **kwargs).result()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish what is queued, then end the thread. Calling it again does nothing."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        if wait and self._thread is not threading.current_thread():
            self._thread.join()


def _work(queue: SimpleQueue[_Job | None]) -> None:
    while (job := queue.get()) is not None:
        future, fn, args, kwargs = job
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the job
            future.set_exception(error)
        del job, future, fn, args, kwargs  # keep nothing alive while waiting


class Runtime:
    """An event loop on a thread of its own, and a `SerialExecutor` beside it."""

    def __init__(self) -> None:
        self.blocking = SerialExecutor("astraweave-mind")
        self.loop = _new_loop()
        self._thread = threading.Thread(
            target=_run_loop, args=(self.loop,), name="astraweave-runtime", daemon=True
        )
        self._last: list[Callable[[], object]] = []
        self._thread.start()
        # At interpreter exit daemon threads are frozen wherever they are; end them before that.
        self._stop = weakref.finalize(
            self, _stop, self.loop, self._thread, self.blocking, self._last
        )

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._stop.alive

    def at_end(self, last: Callable[[], object]) -> None:
        """Run this on the second thread once nothing else runs; later ones first."""
        self._last.insert(0, last)

    def spawn(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the loop, from any thread."""
        if self.closed:
            work.close()
            raise UsageError("this world is closed")
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    async def block(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function on the second thread; call it from a coroutine on the loop."""
        return await asyncio.wrap_future(self.blocking.submit(fn, *args, **kwargs))

    def close(self) -> None:
        """Cancel what runs on the loop, finish what is queued, end both threads."""
        self._stop()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


def _stop(
    loop: asyncio.AbstractEventLoop,
    thread: threading.Thread,
    blocking: SerialExecutor,
    last: list[Callable[[], object]],
) -> None:
    async def wind_down() -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await loop.shutdown_asyncgens()
        loop.stop()

    def start() -> None:
        loop.create_task(wind_down())

    loop.call_soon_threadsafe(start)
    if thread is not threading.current_thread():
        thread.join()
    jobs = [blocking.submit(job) for job in last]
    blocking.shutdown()
    for job in jobs:
        job.result()
