"""Threads that have to end before the process does, and threads that come when there is work."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

__all__ = ["Crew", "Worker"]

_GIVES_WAY = 10
"""Niceness over the process's own: where cores are scarce, the game's thread goes first."""


class Worker(threading.Thread):
    """A daemon thread that can be waited for through Ctrl-C. It begins at once, and gives way.

    `threading.Thread.join` may take a thread for ended when Ctrl-C interrupts it (CPython 3.11),
    and one that is inside native code when the interpreter goes aborts the process.

    Parameters
    ----------
    target : callable
        What it does.
    name : str
        Its name.
    args : tuple
        Arguments of `target`.
    """

    def __init__(
        self, target: Callable[..., object], *, name: str, args: tuple[Any, ...] = ()
    ) -> None:
        super().__init__(target=target, name=name, args=args, daemon=True)
        self._finished = threading.Event()
        self.start()

    def run(self) -> None:
        """Do what `target` does."""
        _give_way()
        try:
            super().run()
        finally:
            self._finished.set()

    def finish(self) -> KeyboardInterrupt | None:
        """Wait until it has ended, whatever comes; the Ctrl-C that came meanwhile."""
        interrupt: KeyboardInterrupt | None = None
        while not self._finished.is_set():
            try:
                self._finished.wait()
            except KeyboardInterrupt as error:
                interrupt = error
        self.join()
        return interrupt


def _give_way() -> None:
    """Let the operating system prefer other threads to this one, where it tells threads apart."""
    if sys.platform != "linux":
        return
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):  # a sandbox may forbid it; nothing depends on it
        niceness = os.getpriority(os.PRIO_PROCESS, thread) + _GIVES_WAY
        os.setpriority(os.PRIO_PROCESS, thread, niceness)


class Crew:
    """Threads that come when there is work and go when there has been none for a while.

    Any number of jobs run at once, so a job that blocks holds up no other. There is always one
    thread more than work, started by the one that takes a job: so handing over a job is one step
    into a queue, and waits for nothing. A job must not raise. Thread-safe.

    Parameters
    ----------
    name : str
        What the threads are called.
    patience_s : float
        How long a thread without work stays.
    """

    def __init__(self, name: str, *, patience_s: float = 2.0) -> None:
        self._name = name
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._left = threading.Condition(self._lock)
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._threads: set[threading.Thread] = set()
        self._free = 0
        """Threads that wait, or are about to."""
        self._closed = False

    @property
    def threads(self) -> int:
        """How many there are now."""
        return len(self._threads)

    def run(self, job: Callable[[], object]) -> None:
        """Have a thread of the crew do this; after `close` nothing is done."""
        with self._lock:
            if self._closed:
                return
            self._jobs.put(job)
            first = None if self._threads else self._new_thread()
        if first is not None:
            first.start()

    def close(self, timeout: float | None = None) -> None:
        """Let every thread end after its job, and wait for that, for `timeout` seconds."""
        with self._lock:
            self._closed = True
            threads = tuple(self._threads)
            for _ in threads:
                self._jobs.put(None)
            me = threading.current_thread()
            # One may not even have started: only of those that have left is `join` allowed.
            self._left.wait_for(lambda: not self._threads - {me}, timeout)
            left = [each for each in threads if each not in self._threads]
        for thread in left:
            thread.join()

    def _new_thread(self) -> threading.Thread:
        thread = threading.Thread(target=self._work, name=self._name, daemon=True)
        self._threads.add(thread)
        self._free += 1
        return thread

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job()
            del job  # keep nothing alive while waiting
            with self._lock:
                self._free += 1

    def _next(self) -> Callable[[], object] | None:
        """A job; None: it is time to go."""
        while True:
            with contextlib.suppress(Empty):
                job = self._jobs.get(timeout=self._patience_s)
                break
            with self._lock:
                if self._jobs.empty():
                    self._leave()
                    return None
        with self._lock:
            if job is None:
                self._leave()
                return None
            self._free -= 1
            other = self._new_thread() if not self._free and not self._closed else None
        if other is not None:
            other.start()
        return job

    def _leave(self) -> None:
        self._free -= 1
        self._threads.discard(threading.current_thread())
        self._left.notify_all()
