"""Asking a model: what a run wants of it, and how its answer comes back."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from astraweave.errors import InvalidResponse
from astraweave.llm import (
    Chunk,
    ChunkStream,
    DeadlineModel,
    Generation,
    GenerationRequest,
    LanguageModel,
    ScoreRequest,
    Scoring,
    ScoringModel,
)
from astraweave.serving._ticket import Run

__all__ = ["Asker", "Deliver"]

Deliver: TypeAlias = Callable[[Run, Sequence[Chunk], BaseException | None], None]
"""Takes what a model has brought for a run: text, its end, or an error."""


class Asker:
    """Begins runs, in whichever thread calls it.

    Parameters
    ----------
    model : LanguageModel
        Whom it asks.
    lock : Lock
        The scheduler's, which guards the runs' fields.
    deliver : callable
        Gets the answers: in the model's own thread where it knows listeners, else in the thread
        that asked. One call a run at a time.
    """

    def __init__(self, model: LanguageModel, lock: threading.Lock, deliver: Deliver) -> None:
        self._model = model
        self._lock = lock
        self._deliver = deliver
        self._punctual = model if isinstance(model, DeadlineModel) else None

    @property
    def keeps_deadlines(self) -> bool:
        """Whether the model is told when to stop."""
        return self._punctual is not None

    def begin(self, run: Run) -> None:
        """Ask the model."""
        try:
            if isinstance(run.request, ScoreRequest):
                self._score(run, run.request)
                return
            generation = self._generate(run.request, run.until)
        except BaseException as error:
            self._deliver(run, (), error)
            if not isinstance(error, Exception):
                raise  # Ctrl-C in the thread that asked
            return
        self._attach(run, generation)
        if isinstance(generation, ChunkStream):
            generation.listen(partial(self._deliver, run))
        else:
            self._read(run, generation)

    def _generate(self, request: GenerationRequest, until: float) -> Generation:
        if self._punctual is None or until == math.inf:
            return self._model.generate(request)
        return self._punctual.generate(request, deadline=until)

    def _attach(self, run: Run, answer: Generation | Scoring) -> None:
        with self._lock:
            run.generation = answer
            abandoned = run.abandoned
        if abandoned and not (isinstance(answer, ChunkStream) and answer.done):
            answer.cancel()

    def _read(self, run: Run, generation: Generation) -> None:
        """Read an answer that knows no listeners, in this thread."""
        try:
            for chunk in generation:
                self._deliver(run, (chunk,), None)
                if chunk.finish_reason is not None:
                    return
            error: Exception = InvalidResponse("the model's answer has no end")
        except Exception as problem:  # noqa: BLE001 - it is raised again where the ticket is read
            error = problem
        self._deliver(run, (), error)

    def _score(self, run: Run, request: ScoreRequest) -> None:
        assert isinstance(self._model, ScoringModel), "`score` has seen to it"
        scoring = self._model.score(request)
        self._attach(run, scoring)
        run.scores = scoring.result()
        self._deliver(run, (Chunk(finish_reason="stop"),), None)
