"""One pool of threads for all models of the process.

onnxruntime has at most one shared pool in a process; it is made once and never changes its size.
So this module is the one place with state that two worlds share: the first budget above 1 decides,
and a world that asks for another is told with a `ThreadBudgetWarning`.

A budget of 1 needs no pool: the calling thread does the work, and nothing process-wide is touched.
A larger budget makes the shared pool, and from then on onnxruntime refuses sessions with pools of
their own *anywhere in the process*. A game that runs its own onnxruntime sessions opens ours with
``Sessions(..., shared_pool=False)``.
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
