"""The player's feelings, read by our classifier and by VADER from the same held-out lines."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from itertools import cycle

from astraweave.bench.case import Case, Figures, Pair, Unavailable, case
from astraweave.core.settings import DEFAULT_EMBEDDER, Settings
from astraweave.dialogue.sentiment import SentimentClassifier
from astraweave.dialogue.train_sentiment import LabelledLine, accuracy, labelled_lines
from astraweave.embeddings import EmbeddingClient, OnnxEmbedder
from astraweave.errors import AstraweaveError
from astraweave.models import ModelStore

__all__ = ["CASES"]

Score = Callable[[str], float]

_VADER_BOUND = 0.05
"""From which compound score on VADER's authors call a text positive or negative."""


def _vader() -> Score | None:
    try:
        vader = import_module("vaderSentiment.vaderSentiment")
    except ImportError:
        return None
    analyser = vader.SentimentIntensityAnalyzer()
    return lambda text: float(analyser.polarity_scores(text)["compound"])


def _embedder() -> EmbeddingClient:
    try:
        return OnnxEmbedder(ModelStore(Settings.from_environment()).ensure(DEFAULT_EMBEDDER))
    except AstraweaveError as error:
        raise Unavailable(str(error)) from None


def _right(score: Score, lines: list[LabelledLine]) -> float:
    """The share of lines whose valence has the labelled sign."""
    found = 0
    for line in lines:
        value = score(line.text)
        sign = 0 if abs(value) < _VADER_BOUND else (1 if value > 0 else -1)
        found += sign == line.valence
    return found / len(lines)


def _accuracy(embedder: EmbeddingClient | None) -> Figures:
    lines, vader = labelled_lines("held_out"), _vader()
    scores = accuracy(SentimentClassifier(embedder), lines)
    return Figures(
        ours=100.0 * (1.0 - scores["valence"]),
        peer=None if vader is None else 100.0 * (1.0 - _right(vader, lines)),
        quality=scores,
    )


def _speed(classifier: SentimentClassifier, *, embedded: bool = False) -> Pair:
    texts, vader = [line.text for line in labelled_lines("held_out")], _vader()
    if embedded:
        embedder = _embedder()
        vectors = [embedder.embed(text) for text in texts]
        given = cycle(zip(texts, vectors, strict=True))
        mine = cycle(texts)
        return Pair(
            ours=lambda: classifier.read(*next(given)),
            peer=None if vader is None else lambda: vader(next(mine)),
        )
    mine, theirs = cycle(texts), cycle(texts)
    return Pair(
        ours=lambda: classifier.read(next(mine)),
        peer=None if vader is None else lambda: vader(next(theirs)),
    )


@case("sentiment.valence", unit="% wrong", peer_name="VADER")
def valence() -> Figures:
    """Held-out lines in a hundred whose valence is read otherwise than labelled."""
    return _accuracy(_embedder())


@case("sentiment.valence_words", unit="% wrong", peer_name="VADER")
def valence_words() -> Figures:
    """The same without an embedder."""
    return _accuracy(None)


@case("sentiment.read", unit="us", peer_name="VADER")
def read() -> Pair:
    """One line whose embedding has been made already, as in a game: the memories need it too."""
    return _speed(SentimentClassifier(_embedder()), embedded=True)


@case("sentiment.read_words", unit="us", peer_name="VADER")
def read_words() -> Pair:
    """One line by its words alone."""
    return _speed(SentimentClassifier())


CASES: tuple[Case, ...] = (valence, valence_words, read, read_words)
