"""Fits the sentiment weights to the labelled lines: ``python -m astraweave.dialogue.train_sentiment``.

Multinomial logistic regression, by Nesterov's accelerated gradient with a fixed number of steps from
zero: no chance in it, so the same lines and the same embedder give the same weights. With
``--cross-validate`` it says how well other strengths of the regularisation do on the training lines;
the held-out lines are only measured, and only with ``--held-out``.
"""  # noqa: E501

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.core.settings import DEFAULT_EMBEDDER, Settings
from astraweave.dialogue._sentiment_features import FEATURES, features
from astraweave.dialogue.sentiment import (
    ACTS,
    EMOTIONS,
    HEADS,
    VALENCES,
    SentimentClassifier,
    SentimentWeights,
)
from astraweave.embeddings import EmbeddingClient, OnnxEmbedder
from astraweave.models import ModelStore

__all__ = ["LabelledLine", "accuracy", "fit", "labelled_lines", "main"]

_FOLDS = 5
_STEPS = 400
_STRENGTH = 0.3
"""Of the regularisation: the best of the next by cross-validation, for nearly every head."""
_STRENGTHS = (0.1, 0.3, 1.0, 3.0)
_CUE_SCALE = 0.5
"""Cues run from 0 to 2, a vector has length 1: so both count, chosen on the training lines."""
_VECTOR_SCALE = 1.0


class LabelledLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line and what it shows."""

    text: str
    valence: int
    emotion: str
    act: str


def labelled_lines(name: str) -> list[LabelledLine]:
    """The lines of ``"train"`` or ``"held_out"``, in the order of the file."""
    path = resources.files("astraweave.dialogue.sentiment_data").joinpath(f"{name}.toml")
    found = []
    for group in tomllib.loads(path.read_text(encoding="utf-8"))["group"]:
        lines = group.pop("lines").strip().splitlines()
        found += [msgspec.convert({"text": line, **group}, LabelledLine) for line in lines]
    return found


def fit(
    inputs: NDArray[np.float64], classes: NDArray[np.intp], count: int, strength: float
) -> NDArray[np.float64]:
    """Weights of shape ``(count, inputs.shape[1] + 1)`` that minimise the regularised loss.

    Parameters
    ----------
    inputs : ndarray
        Shape ``(lines, inputs)``.
    classes : ndarray
        The class of each line.
    count : int
        How many classes there are. Each counts by the root of how rare it is.
    strength : float
        Of the penalty on squared weights, over the whole sum of losses; the last column is free.
    """
    x = np.hstack([inputs, np.ones((len(inputs), 1))])
    target = np.eye(count)[classes]
    shares = np.maximum(target.sum(axis=0), 1.0)
    rarity = np.sqrt(shares.max() / shares)[classes][:, None]
    penalty = np.full(x.shape[1], strength)
    penalty[-1] = 1e-3
    # The loss bends at most by half of the largest eigenvalue of the weighted inputs.
    step = 1.0 / (0.5 * np.linalg.eigvalsh(x.T @ (rarity * x))[-1] + strength)
    weights = np.zeros((count, x.shape[1]))
    ahead, momentum = weights, 1.0
    for _ in range(_STEPS):
        slope = (rarity * (_softmax(x @ ahead.T) - target)).T @ x + ahead * penalty
        moved = ahead - step * slope
        following = (1.0 + np.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        ahead = moved + (momentum - 1.0) / following * (moved - weights)
        weights, momentum = moved, following
    return weights


def accuracy(classifier: SentimentClassifier, lines: Sequence[LabelledLine]) -> dict[str, float]:
    """Shares of lines whose sign of valence, emotion and act are read as labelled."""
    right = dict.fromkeys(HEADS, 0)
    for line in lines:
        read = classifier.read(line.text)
        sign = 0 if abs(read.valence) < 1 / 3 else (1 if read.valence > 0 else -1)
        right["valence"] += sign == line.valence
        right["emotion"] += read.emotion == line.emotion
        right["act"] += read.act == line.act
    return {head: count / len(lines) for head, count in right.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, write the weights, and say how well they do."""
    parser = argparse.ArgumentParser(description="Fits the sentiment weights.")
    parser.add_argument("--out", type=Path, help="where to write them; by default nowhere")
    parser.add_argument("--held-out", action="store_true", help="measure on the held-out lines")
    parser.add_argument("--cross-validate", action="store_true", help="compare strengths")
    options = parser.parse_args(arguments)
    embedder = OnnxEmbedder(ModelStore(Settings.from_environment()).ensure(DEFAULT_EMBEDDER))
    lines = labelled_lines("train")
    weights = train(embedder, lines, compare=options.cross_validate)
    if options.out is not None:
        options.out.write_bytes(weights.to_bytes())
    for given in (embedder, None):
        classifier = SentimentClassifier(given, weights=weights)
        for name in ("train", "held_out")[: 1 + options.held_out]:
            scores = accuracy(classifier, labelled_lines(name))
            told = " ".join(f"{head}={share:.3f}" for head, share in scores.items())
            kind = "vectors and words" if given else "words alone"
            _say(f"{name}, {kind}: {told}")
    return 0


def train(
    embedder: EmbeddingClient, lines: Sequence[LabelledLine], *, compare: bool = False
) -> SentimentWeights:
    """Weights for an embedder and for words alone; `compare` says how other strengths do."""
    cues = np.array([features(line.text) for line in lines], dtype=np.float64) * _CUE_SCALE
    vectors = np.array([embedder.embed(line.text) for line in lines], dtype=np.float64)
    both = np.hstack([vectors * _VECTOR_SCALE, cues])
    scales = np.concatenate(
        [np.full(vectors.shape[1], _VECTOR_SCALE), np.full(len(FEATURES), _CUE_SCALE), [1.0]]
    )
    targets = {
        "valence": np.array([VALENCES.index(line.valence) for line in lines]),
        "emotion": np.array([EMOTIONS.index(line.emotion) for line in lines]),
        "act": np.array([ACTS.index(line.act) for line in lines]),
    }
    fitted: dict[str, dict[str, NDArray[np.float32]]] = {"vector": {}, "words": {}}
    for part, inputs, scale in (
        ("vector", both, scales),
        ("words", cues, scales[vectors.shape[1] :]),
    ):
        for head, classes in targets.items():
            if compare:
                _compare(inputs, classes, HEADS[head], f"{part} {head}")
            found = fit(inputs, classes, HEADS[head], _STRENGTH) * scale
            fitted[part][head] = found.astype(np.float16).astype(np.float32)
    return SentimentWeights(
        embedder=embedder.model_info.id,
        with_vector=fitted["vector"],
        words_only=fitted["words"],
    )


def _compare(inputs: NDArray[np.float64], classes: NDArray[np.intp], count: int, name: str) -> None:
    """Say the share that each strength gets right in cross-validation; every fifth line is one fold."""  # noqa: E501
    fold, told = np.arange(len(inputs)) % _FOLDS, []
    for strength in _STRENGTHS:
        right = 0
        for held in range(_FOLDS):
            weights = fit(inputs[fold != held], classes[fold != held], count, strength)
            read = (inputs[fold == held] @ weights[:, :-1].T + weights[:, -1]).argmax(axis=1)
            right += int((read == classes[fold == held]).sum())
        told.append(f"{strength:g}:{right / len(inputs):.3f}")
    _say(f"{name}: {' '.join(told)}")


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
