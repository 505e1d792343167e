"""How much of the waiting prompts a step takes, so that nobody waits long for the next word."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from astraweave.llm._backend import StepBatch
from astraweave.llm._jobs import Job, Scored

__all__ = ["MIN_PIECE", "Pace", "Piece", "plan", "to_batch"]

Piece = tuple[Job, int]
"""A job, and how many of its pending tokens a step takes."""

MIN_PIECE = 16
MAX_PIECE = 256
MAX_JUDGED = 64
"""Rows of logits that one step makes for scores: 200 kB each."""

_AIM_S = 0.060
_IDLE_AIM_S = 0.250
_HABIT = 0.3


class Pace:
    """Learns how long steps take. Used by one thread.

    A step is taken to last as long as its single tokens do, and as much longer as there are tokens
    of prompts in it. Both are running means of what was measured.
    """

    def __init__(self) -> None:
        self._rows_s: dict[int, float] = {}
        self._token_s = 0.0015

    def budget(self, rows: int, *, speaking: bool) -> int:
        """Tokens of prompts for a step that also has `rows` single tokens.

        With `speaking` somebody reads along, and the step should take 60 ms; else a newcomer or a
        cancellation should not have to wait much longer than 250 ms.
        """
        left = (_AIM_S if speaking else _IDLE_AIM_S) - self._of_rows(rows)
        return max(MIN_PIECE, min(MAX_PIECE, int(left / self._token_s)))

    def note(self, rows: int, tokens: int, seconds: float) -> None:
        """A step of `rows` single tokens and `tokens` of prompts took so long."""
        if rows and not tokens:
            before = self._rows_s.get(rows, seconds)
            self._rows_s[rows] = before + _HABIT * (seconds - before)
        elif tokens >= MIN_PIECE:
            each = max(2e-5, (seconds - self._of_rows(rows)) / tokens)
            self._token_s += _HABIT * (each - self._token_s)

    def _of_rows(self, rows: int) -> float:
        """What was measured for as many rows, or for the nearest number of them."""
        if rows == 0 or not self._rows_s:
            return 0.0
        nearest = min(self._rows_s, key=lambda known: (abs(known - rows), known))
        return self._rows_s[nearest]


def plan(jobs: Iterable[Job], budget: int, *, grid: int = 0) -> list[Piece]:
    """What the next step computes.

    Every single token is in it; whatever is longer shares the budget, the most urgent first, and
    of equally urgent ones those that are already read. Prompts are cut into equal pieces: none is
    left with a few tokens for a step of its own.

    Parameters
    ----------
    jobs : iterable of Job
        Those that are admitted.
    budget : int
        Tokens beyond the single ones.
    grid : int
        0, or: pieces end at its multiples, and after the prompt tokens come one by one, so that a
        sequence is always computed in the same pieces.
    """
    pieces: list[Piece] = []
    longer: list[Job] = []
    for job in jobs:
        if job.pending == 1 or (grid and job.computed >= job.prompt_tokens):
            pieces.append((job, 1))
        else:
            longer.append(job)
    judged = MAX_JUDGED
    for job in sorted(longer, key=lambda job: (job.urgency, not job.speaking, job.order)):
        if budget < min(MIN_PIECE, job.pending):
            break
        size = _grid_size(job, grid) if grid else _even_size(job.pending, budget)
        if isinstance(job, Scored):
            if judged == 0:
                continue
            size = min(size, max(0, job.wants_from - job.computed) + judged)
            judged -= max(0, job.computed + size - max(job.computed, job.wants_from))
        budget -= size
        pieces.append((job, size))
    return pieces


def to_batch(pieces: Sequence[Piece]) -> StepBatch:
    """The same for the backend; logits are wanted where the jobs want them."""
    tokens: list[int] = []
    wanted: list[int] = []
    for job, size in pieces:
        first_wanted = len(tokens) + max(0, job.wants_from - job.computed)
        tokens += job.known[job.computed : job.computed + size]
        wanted += range(first_wanted, len(tokens))
    return StepBatch(
        sequences=np.array([job.sequence for job, _ in pieces], np.int32),
        counts=np.array([size for _, size in pieces], np.int32),
        tokens=np.array(tokens, np.int32),
        wanted=np.array(wanted, np.int32),
    )


def _even_size(pending: int, budget: int) -> int:
    budget = max(1, budget)
    return math.ceil(pending / math.ceil(pending / budget))


def _grid_size(job: Job, grid: int) -> int:
    return min(grid - job.computed % grid, job.prompt_tokens - job.computed)
