"""Many threads, one at a time, and nobody holds a lock while it calls somebody else."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

__all__ = ["Actor"]


class Actor:
    """Runs what is posted to it one after the other, in the threads that post. Thread-safe.

    What happens to a call comes from everywhere: the model's thread brings words, a timer the end
    of patience, the reader cancels. Each of them posts a step; whoever finds nobody at work does
    all the steps that are there. Who finds somebody at work leaves its step to them and goes on. So
    steps never overlap, and a step may call anything, its own caller included, without a deadlock.

    A step that may take longer (somebody else's code) is handed to `outside` and runs after the
    steps, when others can work again.
    """

    __slots__ = ("_outside", "_steps", "_turn")

    def __init__(self) -> None:
        self._steps: deque[Callable[[], None]] = deque()
        self._outside: deque[Callable[[], None]] = deque()
        self._turn = threading.Lock()

    def post(self, step: Callable[[], None]) -> None:
        """Run `step` now, or leave it to the thread that is at work."""
        steps = self._steps
        steps.append(step)
        # Looked at again after the turn was given back: a step left in between is not forgotten.
        while steps and self._turn.acquire(blocking=False):
            try:
                while steps:
                    steps.popleft()()
            finally:
                self._turn.release()
        outside = self._outside
        while outside:
            try:
                call = outside.popleft()
            except IndexError:  # another thread took it
                break
            call()

    def outside(self, call: Callable[[], None]) -> None:
        """From within a step: run `call` once the steps are done."""
        self._outside.append(call)
