"""How much each reason counts: weights fitted on conversations that were written for it.

The score of a memory is the weighted sum of its features, so that every answer can be explained as
a list of reasons. Where the weights come from, and what they reach, is told in the data card
(``docs/explanation/data_cards.md``); `astraweave.evaluation.train_reranker` makes them again.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astraweave.errors import CorruptDataError
from astraweave.rag._features import FEATURES

__all__ = ["Reranker"]


class Reranker:
    """Weights of all features. Immutable.

    Parameters
    ----------
    weights : mapping of str to float
        By the name of the feature; those left out count nothing.

    Raises
    ------
    CorruptDataError
        A name is none of `FEATURES`, or a weight is no finite number.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        if unknown := sorted(weights.keys() - set(FEATURES)):
            raise CorruptDataError(f"weights of features that there are not: {unknown}")
        vector = np.array([weights.get(name, 0.0) for name in FEATURES], np.float64)
        if not np.isfinite(vector).all():
            raise CorruptDataError("a weight of the reranker is no finite number")
        vector.flags.writeable = False
        self.weights: NDArray[np.float64] = vector

    @classmethod
    def shipped(cls) -> Reranker:
        """Those of ``reranker.toml`` in this package."""
        text = files("astraweave.rag").joinpath("reranker.toml").read_text("utf-8")
        table: dict[str, Any] = tomllib.loads(text)
        return cls(table["fixed"] | table["fitted"])

    def scores(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """The score of each candidate.

        Parameters
        ----------
        features : ndarray, shape ``(len(FEATURES), c)``
            Of `_features.features`.
        """
        scores: NDArray[np.float64] = self.weights @ features
        return scores
