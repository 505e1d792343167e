"""The runtime's own threads: one that runs an event loop, one that may block.

The game thread never waits for either. Lines are coroutines on the loop (uvloop where it is
installed); SQLite and embedding block, so they run in order on the second thread, which also owns
the database connection. Both end at `close`, and at interpreter exit when nobody closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

from astraweave.core.threads import Worker
from astraweave.errors import AstraweaveError, UsageError

__all__ = ["Runtime", "SerialExecutor"]

P = ParamSpec("P")
T = TypeVar("T")

_Job = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...], dict[str, Any]]
_OURS = "astraweave-"
"""What the names of this library's threads begin with."""


class SerialExecutor(Executor):
    """Runs jobs one after the other on a thread of its own. Thread-safe.

    Unlike `concurrent.futures.ThreadPoolExecutor` it still works while the interpreter exits, so
    that a world that nobody closed can write down what it knows.
    """

    def __init__(self, name: str) -> None:
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._idle: list[Callable[[], bool]] = []
        self._closed = False
        self._lock = threading.Lock()
        self.thread = Worker(_work, name=name, args=(self._queue, self._idle))

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

    def post(self, fn: Callable[P, object], /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Queue a job that nobody waits for; what it raises beyond our own errors is reported."""
        self.submit(fn, *args, **kwargs).add_done_callback(_report)

    def when_idle(self, step: Callable[[], bool]) -> None:
        """Run this when nothing is queued, after every job and until it returns False.

        So a job waits for one step at most. What is left at the end stays undone.
        """
        self.submit(self._idle.append, step)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Finish what is queued, then end the thread. Calling it again does nothing."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        if wait and self.thread is not threading.current_thread():
            self.thread.join()


def _work(queue: SimpleQueue[_Job | None], idle: list[Callable[[], bool]]) -> None:
    more = False
    while True:
        try:
            job = queue.get(block=not more)
        except Empty:
            more = sum(map(_idle_step, idle)) > 0  # every one of them
            continue
        if job is None:
            return
        future, fn, args, kwargs = job
        if not future.set_running_or_notify_cancel():
            continue
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the job
            future.set_exception(error)
        del job, future, fn, args, kwargs  # keep nothing alive while waiting
        more = bool(idle)


def _idle_step(step: Callable[[], bool]) -> bool:
    try:
        return step()
    except AstraweaveError:
        return False  # a model that fails now: the next job brings another try
    except BaseException as error:  # noqa: BLE001 - a fault of ours must not end the thread
        _tell_of(error)
        return False


def _report(done: Future[Any]) -> None:
    error = None if done.cancelled() else done.exception()
    if error is not None and not isinstance(error, AstraweaveError):
        _tell_of(error)


def _tell_of(error: BaseException) -> None:
    threading.excepthook(
        threading.ExceptHookArgs(
            (type(error), error, error.__traceback__, threading.current_thread())
        )
    )


class Runtime:
    """An event loop on a thread of its own, and a `SerialExecutor` beside it."""

    def __init__(self) -> None:
        self.blocking = SerialExecutor(f"{_OURS}mind")
        self.loop = _new_loop()
        self._last: list[Callable[[], object]] = []
        self._thread = Worker(
            _run_loop, name=f"{_OURS}runtime", args=(self.loop, self.blocking, self._last)
        )
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

    def spawn(
        self, work: Coroutine[Any, Any, T], ended: Callable[[asyncio.Task[T]], object]
    ) -> Callable[[], None]:
        """Start a coroutine on the loop, from any thread.

        Parameters
        ----------
        work : coroutine
            What to run.
        ended : callable
            Called on the loop with the task once it has ended, however it did.

        Returns
        -------
        callable
            Cancels it, from any thread; `ended` follows when it has really stopped.
        """
        if self.closed:
            work.close()
            raise UsageError("this world is closed")
        tasks: list[asyncio.Task[T]] = []

        def start() -> None:
            tasks.append(self.loop.create_task(work))
            tasks[0].add_done_callback(ended)

        def cancel() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended
                self.loop.call_soon_threadsafe(lambda: tasks[0].cancel())

        self.call(start)
        return cancel

    def call(self, fn: Callable[[], object]) -> None:
        """Run something short on the loop, soon; from any thread."""
        self.loop.call_soon_threadsafe(fn)

    async def block(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function on the second thread; call it from a coroutine on the loop."""
        return await asyncio.wrap_future(self.blocking.submit(fn, *args, **kwargs))

    def close(self) -> None:
        """Cancel what runs on the loop, finish what is queued, end both threads.

        Raises what the first job of `at_end` that failed has raised; all of them were run.
        """
        self._stop()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _run_loop(
    loop: asyncio.AbstractEventLoop, blocking: SerialExecutor, last: list[Callable[[], object]]
) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()
        for job in last:
            blocking.submit(job)
        blocking.shutdown(wait=False)


def _stop(
    loop: asyncio.AbstractEventLoop,
    thread: Worker,
    blocking: SerialExecutor,
    last: list[Callable[[], object]],
) -> None:
    """Ask the threads to end, which they do by themselves from there, and wait until they have.

    Ctrl-C waits too: half a shutdown would leave the slot locked, and threads inside native code,
    which abort the process when the interpreter ends.
    """
    failures: list[BaseException] = []
    last[:] = [partial(_attempt, job, failures) for job in last]
    loop.call_soon_threadsafe(lambda: loop.create_task(_wind_down(loop)))
    if threading.current_thread().name.startswith(_OURS):
        return  # collected on one of our threads: it may be the one that the others wait for
    interrupts = [thread.finish(), blocking.thread.finish()]
    for failure in (*interrupts, *failures):
        if failure is not None:
            raise failure


def _attempt(job: Callable[[], object], failures: list[BaseException]) -> None:
    try:
        job()
    except BaseException as error:  # noqa: BLE001 - raised in the thread that closes
        failures.append(error)


async def _wind_down(loop: asyncio.AbstractEventLoop) -> None:
    # A line that is cancelled may begin something on its way out: until nothing is left.
    while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()
    loop.stop()
