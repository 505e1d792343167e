"""Fit the reranker's weights on the conversations that were written for this project.

``python -m astraweave.evaluation.train_reranker [OUT.toml]`` writes ``rag/reranker.toml`` anew; the
same seed gives the same file. Candidates come from the shipped pipeline. The score is linear,
fitted so that softmax over the candidates of a question gives its right turns their share
(listwise cross-entropy with a ridge), by Newton's method, which needs nothing but NumPy.

Features for which these conversations hold no evidence (nothing in them is superseded, nobody is
known by another name, hardly any question tells a day) keep weights set by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from astraweave.embeddings import EmbeddingClient
from astraweave.evaluation.authored import authored_conversations, varied
from astraweave.evaluation.conversation import Conversation
from astraweave.evaluation.memory import told
from astraweave.rag._features import FEATURES
from astraweave.rag._reranker import Reranker

__all__ = ["FIXED", "Example", "examples", "fit", "main", "training_set", "written"]

FIXED: Mapping[str, float] = {
    "topics": 0.3,
    "importance": 0.3,
    "recent": 0.05,
    "superseded": -2.0,
    "in span": 4.0,
    "event itself": -2.0,
}
"""Weights that are set by hand."""

_SEEDS = (0, 1)
_RIDGE = 30.0
_STEPS = 40
_HALVINGS = 30
_CLOSE = 1e-8
_NEUTRAL = Reranker({"window": 1.0})

Example = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""Features of a question's candidates, shape ``(len(FEATURES), c)``, and which are right."""


def training_set() -> list[Conversation]:
    """What is fitted on: every conversation by itself, and among all the others."""
    own = authored_conversations()
    return own + [
        varied(one, [other for other in own if other is not one], seed)
        for one in own
        for seed in _SEEDS
    ]


def examples(conversation: Conversation, embedder: EmbeddingClient) -> list[Example]:
    """The candidates of every question that has a right one among them."""
    found = []
    with told(conversation, embedder, reranker=_NEUTRAL) as listener:
        known = listener.store.readable(listener.owner)
        for question in conversation.questions:
            ranking = listener.pipeline._retrieval.ranked(question.text, known)
            ids = known.ids[ranking.places].tolist()
            turns = [conversation.turns[listener.turn_of[one]].id for one in ids]
            right = np.array([turn in question.evidence for turn in turns])
            if right.any():
                found.append((ranking.features, right))
    return found


def fit(
    data: Sequence[Example],
    *,
    fixed: Mapping[str, float] = FIXED,
    ridge: float = _RIDGE,
    without: Sequence[str] = (),
) -> dict[str, float]:
    """Weights by the name of the feature, `fixed` ones left out.

    Parameters
    ----------
    data : sequence of Example
        Questions.
    fixed : mapping
        Weights that count and are not changed.
    ridge : float
        How much large weights are held back, on standardised features.
    without : sequence of str
        Features that are to count nothing.
    """
    held = np.array([fixed.get(name, 0.0) for name in FEATURES])
    free = [n for n, name in enumerate(FEATURES) if name not in fixed and name not in without]
    spread = np.hstack([table[free] for table, _ in data]).std(axis=1)
    spread[spread < 1e-9] = np.inf  # what never differs gets no weight
    scaled = [(table[free] / spread[:, None], held @ table, right) for table, right in data]
    weights = np.zeros(len(free))
    loss, gradient, curvature = _slope(scaled, weights, ridge)
    for _ in range(_STEPS):
        step = np.linalg.solve(curvature, gradient)
        if gradient @ step < _CLOSE:
            break
        for _ in range(_HALVINGS):  # a whole step may overshoot where the curve is flat
            there = _slope(scaled, weights - step, ridge)
            if there[0] <= loss:
                break
            step = step / 2.0
        weights = weights - step
        loss, gradient, curvature = there
    return {FEATURES[n]: float(w) for n, w in zip(free, weights / spread, strict=True)}


def _slope(
    data: Sequence[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]],
    weights: NDArray[np.float64],
    ridge: float,
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """The loss at some weights, its gradient and its curvature."""
    loss = ridge * float(weights @ weights) / 2.0
    gradient, curvature = ridge * weights, ridge * np.eye(len(weights))
    for table, offset, right in data:
        scores = weights @ table + offset
        scores -= scores.max()
        chance = np.exp(scores)
        total = chance.sum()
        chance /= total
        share = right / right.sum()
        loss -= float(share @ scores) - float(np.log(total))
        gradient += table @ (chance - share)
        centred = table - (table @ chance)[:, None]
        curvature += (centred * chance) @ centred.T
    return loss, gradient, curvature


def written(fitted: Mapping[str, float], fixed: Mapping[str, float] = FIXED) -> str:
    """The text of ``reranker.toml``."""
    lines = [
        "# How much each feature of a memory counts; see _features.py for what they measure.",
        "# Made by `python -m astraweave.evaluation.train_reranker`; do not edit [fitted] by hand.",
        "",
        "[fixed]",
        *(f'"{name}" = {weight:.6g}' for name, weight in fixed.items()),
        "",
        "[fitted]",
        *(f'"{name}" = {weight:.6g}' for name, weight in fitted.items()),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Fit with the default embedding model and write the weights."""
    from astraweave.core.settings import DEFAULT_EMBEDDER, Settings
    from astraweave.embeddings import OnnxEmbedder
    from astraweave.models import ModelStore

    default = Path(__file__).parents[1] / "rag" / "reranker.toml"
    out = Path(arguments[0]) if arguments else default
    files = ModelStore(Settings.from_environment()).ensure(DEFAULT_EMBEDDER)
    embedder = OnnxEmbedder(files, exact=True)
    data = [one for talk in training_set() for one in examples(talk, embedder)]
    out.write_text(written(fit(data)), "utf-8")
    sys.stdout.write(f"{len(data)} questions, {len(FEATURES)} features: {out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
