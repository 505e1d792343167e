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

    Any number of jobs run at once, so a job that blocks holds up no other. A job must not raise.
    Thread-safe.

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
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._threads: set[threading.Thread] = set()
        self._free = 0
        """Threads that wait and have not been promised a job."""
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
            if self._free:
                self._free -= 1
                self._jobs.put(job)
                return
            thread = threading.Thread(target=self._work, args=(job,), name=self._name, daemon=True)
            self._threads.add(thread)
            thread.start()

    def close(self, timeout: float | None = None) -> None:
        """Let every thread end after its job, and wait for that, each for `timeout` seconds."""
        with self._lock:
            self._closed = True
            threads = tuple(self._threads)
            for _ in range(self._free):
                self._jobs.put(None)
            self._free = 0
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(timeout)

    def _work(self, job: Callable[[], object] | None) -> None:
        try:
            while job is not None:
                job()
                job = None  # keep nothing alive while waiting
                job = self._next()
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _next(self) -> Callable[[], object] | None:
        with self._lock:
            if self._closed:
                return None
            self._free += 1
        try:
            return self._jobs.get(timeout=self._patience_s)
        except Empty:
            with self._lock:
                if self._free:
                    self._free -= 1
                    return None
        return self._jobs.get()  # one was promised meanwhile
