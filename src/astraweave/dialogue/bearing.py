"""Which memory bears on a question so well that it may be said as the answer: learned, not ruled.

The signs of each memory (`astraweave.dialogue.signs`) go through small trees that were fitted to
questions with their answers, and as many without (``python -m
astraweave.bench.train_bearing``). The best memory answers where it is likely enough.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Collection, Sequence
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astraweave.dialogue.signs import SIGNS, Told, signs
from astraweave.dialogue.sought import Sought
from astraweave.errors import CorruptDataError

__all__ = ["ENOUGH", "Trees", "bearing"]

ENOUGH = 0.85
"""From how likely on a memory is said; ``docs/explanation/data_cards.md`` has the figures beside
those of less and of more."""


class Trees:
    """A sum of small decision trees, as a chance. Immutable, thread-safe.

    Parameters
    ----------
    feature, left, right : ndarray of int16, shape ``(nodes,)``
        What a node asks, and where it goes; -1 for `feature`: a leaf.
    bound, value : ndarray of float64, shape ``(nodes,)``
        A node goes left up to `bound`; a leaf adds `value`.
    roots : ndarray of int32, shape ``(trees,)``
        Where trees begin; `left` and `right` count from there.
    base : float
        What the sum starts from.
    """

    def __init__(
        self,
        *,
        feature: NDArray[np.int16],
        left: NDArray[np.int16],
        right: NDArray[np.int16],
        bound: NDArray[np.float64],
        value: NDArray[np.float64],
        roots: NDArray[np.int32],
        base: float,
    ) -> None:
        sizes = {len(feature), len(left), len(right), len(bound), len(value)}
        if len(sizes) != 1 or not np.isfinite(value).all() or feature.max() >= len(SIGNS):
            raise CorruptDataError("the trees of what bears on a question do not fit together")
        self._feature, self._bound, self._value = feature, bound, value
        self._left, self._right = left, right
        self._roots, self._base = roots, base

    @classmethod
    @functools.cache
    def shipped(cls) -> Trees:
        """Those of ``bearing.npz`` in this package."""
        data = resources.files("astraweave.dialogue").joinpath("bearing.npz").read_bytes()
        with np.load(io.BytesIO(data), allow_pickle=False) as parts:
            arrays: dict[str, Any] = {name: parts[name] for name in parts.files}
        if tuple(arrays.pop("signs").tolist()) != SIGNS:
            raise CorruptDataError("the trees of what bears on a question know other signs")
        return cls(**{**arrays, "base": float(arrays["base"])})

    def chances(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """How likely each row is; all trees and rows at once, a level at a time.

        Parameters
        ----------
        table : ndarray of float64, shape ``(n, len(SIGNS))``

        Returns
        -------
        ndarray of float64, shape ``(n,)``
            0 to 1.
        """
        rows = np.arange(len(table))[:, None]
        roots = self._roots[None, :]
        at = np.broadcast_to(roots, (len(table), len(self._roots)))
        while (inner := self._feature[at] >= 0).any():
            goes_left = table[rows, self._feature[at]] <= self._bound[at]
            onward = roots + np.where(goes_left, self._left[at], self._right[at])
            at = np.where(inner, onward, at)
        sums = self._base + self._value[at].sum(axis=1)
        chances: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-sums))
        return chances


def bearing(
    question: str, told: Sequence[Told], sought: Sought, people: Collection[str]
) -> int | None:
    """The place of the memory that answers; None where none is likely enough."""
    chances = Trees.shipped().chances(signs(question, told, sought, people))
    best = int(chances.argmax())
    return best if chances[best] >= ENOUGH else None
