"""Threads that have to end before the process does."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["Worker"]

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
