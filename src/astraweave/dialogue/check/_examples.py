"""Lines that people judged, as something that a new clause is compared with.

A clause is weighed by how like it is to each of them: in its cues, in its meaning, and in meaning
together with what it answers ("What brings you here?" is fine after a greeting and odd after a
farewell). That is kernel regression: every line has one fitted number, which counts as much as the
line is alike. Some 4,700 lines cost 3 million multiplications, about half a millisecond.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.errors import CorruptDataError

__all__ = ["CUE_STEP", "VECTOR_STEP", "Examples", "Weigher", "alike", "reduced"]

Matrix = NDArray[np.float32]

_SHARP: Final = 1.5
"""How fast likeness in meaning falls off with the squared distance; by cross-validation."""
_ANSWERING: Final = 2.0
"""How much likeness counts where what was said to the character is alike as well."""
VECTOR_STEP: Final = 1 / 200
CUE_STEP: Final = 1 / 16
"""What one unit of the small integers stands for in which the lines are kept."""


class Examples(msgspec.Struct, frozen=True, kw_only=True):
    """Judged lines with their fitted numbers.

    Attributes
    ----------
    numbers : ndarray
        One a line, shape ``(lines,)``.
    added : float
        What is added to the sum.
    axes : ndarray
        The directions that are kept of an embedding, shape ``(dimensions, kept)``.
    centre, scale : ndarray
        By which inputs other than vectors are made comparable, shape ``(cues,)``.
    cues : ndarray
        The lines' inputs other than vectors, made comparable, int8, shape ``(lines, cues)``.
    clauses : ndarray
        Their meanings, reduced, int8, shape ``(lines, kept)``.
    heard : ndarray
        What was said before them, reduced, each text once, int8, shape ``(texts, kept)``.
    answers : ndarray
        Which of `heard` a line answers, shape ``(lines,)``.
    """

    numbers: Matrix
    added: float
    axes: Matrix
    centre: Matrix
    scale: Matrix
    cues: NDArray[np.int8]
    clauses: NDArray[np.int8]
    heard: NDArray[np.int8]
    answers: NDArray[np.integer]

    def check(self) -> None:
        """Whether all of it belongs together.

        Raises
        ------
        CorruptDataError
            Something has another size than the rest.
        """
        lines, cues = self.cues.shape if self.cues.ndim == 2 else (0, 0)
        kept = self.axes.shape[-1] if self.axes.ndim == 2 else -1
        fits = (
            self.numbers.shape == self.answers.shape == (lines,)
            and self.centre.shape == self.scale.shape == (cues,)
            and self.clauses.shape == (lines, kept)
            and self.heard.shape[1:] == (kept,)
            and (not lines or 0 <= self.answers.min() <= self.answers.max() < len(self.heard))
        )
        if not fits:
            raise CorruptDataError("the judged lines of the output check do not fit together")


class Weigher:
    """Compares clauses with `Examples`. Immutable; thread-safe."""

    def __init__(self, examples: Examples) -> None:
        self._kept = examples
        self._cues = examples.cues.astype(np.float32) * np.float32(CUE_STEP)
        self._clauses = examples.clauses.astype(np.float32) * np.float32(VECTOR_STEP)
        self._heard = examples.heard.astype(np.float32) * np.float32(VECTOR_STEP)

    def weigh(self, cues: Matrix, clause: Matrix, heard: Matrix) -> float:
        """How good a clause is, by what people thought of lines like it.

        Parameters
        ----------
        cues : ndarray
            All inputs but vectors, shape ``(cues,)``.
        clause, heard : ndarray
            Vectors of the clause and of what was said to the character, shape ``(dimensions,)``.
        """
        kept = self._kept
        near = alike(
            ((cues - kept.centre) * kept.scale)[None],
            (clause @ kept.axes)[None],
            (heard @ kept.axes)[None],
            (self._cues, self._clauses, self._heard, kept.answers),
        )
        return float(near[0] @ kept.numbers) + kept.added


def alike(
    cues: Matrix,
    clauses: Matrix,
    heard: Matrix,
    lines: tuple[Matrix, Matrix, Matrix, NDArray[np.integer]],
) -> Matrix:
    """How like clauses are to judged lines, shape ``(clauses, lines)``.

    Parameters
    ----------
    cues, clauses, heard : ndarray
        One row a clause: comparable cues, and reduced vectors.
    lines : tuple of ndarray
        The same of the judged lines; `heard` has each text once, and last stands which of them
        a line answers.
    """
    their_cues, their_clauses, their_heard, answers = lines
    in_cues = np.exp(_squared(cues, their_cues) / (-2.0 * cues.shape[1]))
    in_meaning = np.exp(-_SHARP * _squared(clauses, their_clauses))
    in_place = np.exp(-_SHARP * _squared(heard, their_heard))[:, answers]
    return np.asarray(in_cues + in_meaning * (1.0 + _ANSWERING * in_place), dtype=np.float32)


def reduced(values: NDArray[np.floating], step: float) -> NDArray[np.int8]:
    """Values as small integers of `step`."""
    small: NDArray[np.int8] = np.clip(np.rint(values / step), -127, 127).astype(np.int8)
    return small


def _squared(a: Matrix, b: Matrix) -> Matrix:
    """Squared distances of the rows of two matrices."""
    own = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)
    return np.asarray(np.maximum(0.0, own - 2.0 * (a @ b.T)))
