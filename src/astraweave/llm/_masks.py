"""What may come next in constrained answers, worked out while the model computes.

The token before is known before the step begins, so the mask for the one after it need not wait for
the step: a second thread makes it meanwhile, and its cost is hidden.
"""

from __future__ import annotations

import queue
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from astraweave.core.threads import Worker
from astraweave.llm._jobs import TokenConstraint

__all__ = ["MaskMaker"]


class MaskMaker:
    """Fills rows of bits on a thread that begins with the first of them.

    `begin` and `wait` come in turn, from one thread.

    Parameters
    ----------
    vocabulary : int
        Bits a row.
    name : str
        Of the thread.
    """

    def __init__(self, vocabulary: int, *, name: str) -> None:
        self._words = (vocabulary + 31) // 32
        self._name = name
        self._rows = np.zeros((0, self._words), np.uint32)
        self._wishes: queue.SimpleQueue[Sequence[TokenConstraint] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[list[Exception | None]] = queue.SimpleQueue()
        self._worker: Worker | None = None

    def begin(self, constraints: Sequence[TokenConstraint]) -> None:
        """Ask for a row of each; `wait` has to follow before they are touched."""
        if len(constraints) > len(self._rows):
            self._rows = np.zeros((len(constraints), self._words), np.uint32)
        if self._worker is None:
            self._worker = Worker(self._run, name=self._name)
        self._wishes.put(constraints)

    def wait(self) -> tuple[NDArray[np.uint32], list[Exception | None]]:
        """The rows, and in place of a row what went wrong with it."""
        return self._rows, self._results.get()

    def close(self) -> None:
        """End the thread."""
        if self._worker is not None:
            self._wishes.put(None)
            self._worker.finish()
            self._worker = None

    def _run(self) -> None:
        while (constraints := self._wishes.get()) is not None:
            faults: list[Exception | None] = []
            for row, constraint in zip(self._rows, constraints, strict=False):
                try:
                    constraint.mask(row)
                    faults.append(None)
                except Exception as error:  # noqa: BLE001 - its own answer fails with it
                    faults.append(error)
            self._results.put(faults)
