"""What becomes of a step's logits: tokens are drawn and become text, continuations are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from astraweave.errors import AstraweaveError, InvalidResponse, ModelError
from astraweave.llm._jobs import BROKEN_OUTPUT, Job, Line, Scored
from astraweave.llm._masks import MaskMaker
from astraweave.llm._pace import Piece
from astraweave.llm.protocol import FinishReason
from astraweave.llm.sampling import NONE_ADMITTED, NOT_A_NUMBER, draw_rows

__all__ = ["Outcomes", "as_model_error"]

Ending = Callable[[], None]
"""Tells a job's reader that it has ended; called when its sequence has been put away."""


def as_model_error(error: Exception) -> Exception:
    """An error of our tree as it is; anything else as what failed inside a model."""
    if isinstance(error, AstraweaveError):
        return error
    failed = ModelError(f"the model failed: {type(error).__name__}: {error}")
    failed.__cause__ = error
    return failed


class Outcomes:
    """Turns logits into tokens, text and scores. Used by one thread.

    Parameters
    ----------
    vocabulary : int
        Logits a row.
    name : str
        Of the engine, for the thread that works out masks.
    """

    def __init__(self, vocabulary: int, *, name: str) -> None:
        self._scratch = np.empty(vocabulary, np.int32)
        self._masks = MaskMaker(vocabulary, name=f"astraweave-masks-{name}")
        self._drawn: list[Line] = []
        self._mask_of: list[int] = []

    @staticmethod
    def place(piece: Piece) -> bool:
        """Sorts pieces: those of which a token is drawn come first."""
        return isinstance(piece[0], Scored)

    def begin(self, job: Job, now: float) -> Ending | None:
        """A job is admitted; how it ends where it needs no model at all."""
        if not isinstance(job, Line):
            return None
        return self._go_on(job, *job.begin(now), now)

    def expect(self, pieces: Sequence[Piece]) -> None:
        """A step begins: work out meanwhile what its constrained answers may go on with."""
        self._drawn = [job for job, size in pieces if isinstance(job, Line) and size == job.pending]
        held = [line.constraint for line in self._drawn if line.constraint is not None]
        places = iter(range(len(held)))
        self._mask_of = [-1 if line.constraint is None else next(places) for line in self._drawn]
        if held:
            self._masks.begin(held)

    def give_up(self) -> None:
        """The step failed."""
        if any(mask >= 0 for mask in self._mask_of):
            self._masks.wait()
        self._drawn, self._mask_of = [], []

    def take(
        self, pieces: Sequence[Piece], logits: NDArray[np.float32], now: float
    ) -> Iterator[tuple[Job, Ending | Exception]]:
        """Go on with every job of a step; those that end, and those that fail."""
        for job, size in pieces:
            job.computed += size
        drawn, self._drawn = self._drawn, []
        row = len(drawn)
        for line, token in zip(drawn, self._draw(drawn, logits), strict=True):
            if (ended := _attempt(partial(self._say, line, token, now))) is not None:
                yield line, ended
        for job, size in pieces:
            if isinstance(job, Scored) and job.computed > job.wants_from:
                first = max(job.computed - size, job.wants_from)
                rows = logits[row : row + job.computed - first]
                row += len(rows)
                if (ended := _attempt(partial(self._judge, job, first, rows))) is not None:
                    yield job, ended

    def cut(self, job: Job, now: float) -> Ending | None:
        """End an answer that has begun and can have no more room; None: it is none."""
        if isinstance(job, Line) and job.speaking:
            return partial(job.finish, "length", job.rest(), now)
        return None

    def close(self) -> None:
        """End the thread that works out masks."""
        self._masks.close()

    def _draw(self, lines: Sequence[Line], logits: NDArray[np.float32]) -> list[int | Exception]:
        if not lines:
            return []
        masks = None
        faults: list[Exception | None] = []
        if any(mask >= 0 for mask in self._mask_of):
            masks, faults = self._masks.wait()
        # Drawing changes the rows: those that are to be weighed are kept.
        kept = {at: logits[at].copy() for at, line in enumerate(lines) if line.logprobs}
        drawn: list[int | Exception] = list(
            draw_rows(
                [line.sampler for line in lines],
                logits[: len(lines)],
                self._scratch,
                masks=masks,
                mask_of=self._mask_of,
            )
        )
        for at, mask in enumerate(self._mask_of):
            if mask >= 0 and (fault := faults[mask]) is not None:
                drawn[at] = fault
        for at, row in kept.items():
            token = drawn[at]
            if isinstance(token, int) and token >= 0:
                lines[at].weigh(row, token)
        return drawn

    def _say(self, line: Line, token: int | Exception, now: float) -> Ending | None:
        if isinstance(token, Exception):
            raise token
        if token == NOT_A_NUMBER:
            raise ModelError(BROKEN_OUTPUT)
        if token == NONE_ADMITTED:
            raise InvalidResponse(
                "the constraint of this request admits no token here: nothing that the model "
                "could say would satisfy it; check the schema, pattern or grammar",
                answer=line.stream.text,
            )
        return self._go_on(line, *line.take(token, now), now)

    def _go_on(
        self, line: Line, reason: FinishReason | None, text: str, now: float
    ) -> Ending | None:
        if reason is None:
            line.push(text)
            return None
        return partial(line.finish, reason, text, now)

    def _judge(self, job: Scored, first: int, logits: NDArray[np.float32]) -> Ending | None:
        return job.finish if job.judge(first, logits) else None


def _attempt(work: Callable[[], Ending | None]) -> Ending | Exception | None:
    """What goes wrong with one job is no other's business."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 - raised again where the answer is read
        return as_model_error(error)
