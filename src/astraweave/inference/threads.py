"""Where the threads of models come from.

By default each session has a pool of its own, of at most the world's budget, that never spins; a
session opened for one thread has none and works on the calling thread alone. The language model
is the only one that asks for more than one thread, so a world has one pool.

The alternative is onnxruntime's shared pool (``Sessions(..., shared_pool=True)``), for graphs that
are cut into many sessions. It has three costs. There is one in a process, made once, so this module
is the one place with state that two worlds share: the first budget decides, and a world that asks
for another is told with a `ThreadBudgetWarning`. From then on onnxruntime refuses sessions with
pools of their own *anywhere in the process*, a game's own sessions included. And onnxruntime's
Python package cannot keep it from spinning during a run, only after it, which wastes the cores that
a game is using: on a busy machine a decoding step took twice as long.

A budget of 1 needs no pool of either kind.
"""

from __future__ import annotations

import threading
import warnings
from typing import Any

__all__ = ["PROCESS_POOL", "ProcessPool", "ThreadBudgetWarning"]


class ThreadBudgetWarning(UserWarning):
    """The shared pool has another size than this world asked for."""


class ProcessPool:
    """Remembers what became of onnxruntime's shared pool. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.threads: int | None = None
        """Its size; None: not made. 0: somebody else made it, so the size is unknown."""

    def claim(self, onnxruntime: Any, budget: int) -> bool:
        """Make the pool where it is needed; whether sessions have to use it."""
        with self._lock:
            if self.threads is None:
                if budget == 1:
                    return False
                try:
                    onnxruntime.set_global_thread_pool_sizes(budget, 1)
                except Exception as error:
                    if "already been created" not in str(error):
                        raise
                    self.threads = 0
                else:
                    self.threads = budget
            size = self.threads
        if size != budget:
            have = f"has {size} threads" if size else "was made by other code of this process"
            warnings.warn(
                f"onnxruntime's shared thread pool {have}; the budget of {budget} cannot be kept, "
                "because the pool is made once per process",
                ThreadBudgetWarning,
                stacklevel=4,
            )
        return True

    def found(self) -> None:
        """Note that other code made the pool before us."""
        with self._lock:
            if self.threads is None:
                self.threads = 0


PROCESS_POOL = ProcessPool()
