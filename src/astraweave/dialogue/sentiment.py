"""How the player feels, and what a line does to the listener: praise, insult, threat, thanks."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.dialogue._packed import packed, unpacked
from astraweave.dialogue._sentiment_features import FEATURES, features, is_english
from astraweave.embeddings import EmbeddingClient
from astraweave.errors import CorruptDataError, InputError
from astraweave.persona.state import Outcome

__all__ = [
    "ACTS",
    "EMOTIONS",
    "Sentiment",
    "SentimentClassifier",
    "SentimentWeights",
    "SocialAct",
    "builtin_weights",
]

Emotion = Literal["joy", "anger", "sadness", "fear", "surprise", "affection", "disgust", "neutral"]
SocialAct = Literal["praise", "insult", "threat", "thanks", "apology", "none"]

EMOTIONS: Final = (
    "joy", "anger", "sadness", "fear", "surprise", "affection", "disgust", "neutral",
)  # fmt: skip
ACTS: Final = ("praise", "insult", "threat", "thanks", "apology", "none")
VALENCES: Final = (-1, 0, 1)
HEADS: Final[Mapping[str, int]] = {"valence": 3, "emotion": len(EMOTIONS), "act": len(ACTS)}

_OUTCOMES: Mapping[str, str] = {
    "praise": "praised",
    "insult": "insulted",
    "threat": "threatened",
    "thanks": "thanked",
    "apology": "apologised",
}
_FELT: Mapping[str, str] = {"affection": "shown_affection", "sadness": "confided"}
_SURE = 0.5
"""From which probability on a line counts as what it seems to be."""


class Sentiment(msgspec.Struct, frozen=True, kw_only=True):
    """What a line shows of the player.

    Attributes
    ----------
    valence : float
        From -1 (miserable, hostile) to 1 (happy, friendly).
    emotions : dict of str to float
        The probability of each of `EMOTIONS` to be the player's own.
    acts : dict of str to float
        The probability of each of `ACTS` to be what the line does to the listener.
    """

    valence: float
    emotions: dict[str, float]
    acts: dict[str, float]

    @property
    def emotion(self) -> str:
        """The likeliest emotion."""
        return max(self.emotions, key=self.emotions.__getitem__)

    @property
    def act(self) -> str:
        """The likeliest act."""
        return max(self.acts, key=self.acts.__getitem__)

    def outcome(self, by: str, *, game_time: float = 0.0, memory: int = 0) -> Outcome | None:
        """What the line does to who hears it, for `astraweave.persona.evolve_from_outcome`.

        An act weighs as much as it is probable; without one, affection and sorrow that the
        speaker shows do a little. None: the line does nothing.

        Parameters
        ----------
        by : str
            Id of who said it.
        game_time : float
            When, in seconds.
        memory : int
            Id of the memory of it.
        """
        kind, weight = _OUTCOMES.get(self.act, ""), self.acts[self.act]
        if not kind:
            kind, weight = _FELT.get(self.emotion, ""), self.emotions[self.emotion]
        if not kind or weight < _SURE:
            return None
        weight = min(1.0, weight)
        return Outcome(kind=kind, by=by, weight=weight, game_time=game_time, memory=memory)


_ONE: Final = np.ones(1, dtype=np.float32)
NEUTRAL: Final = Sentiment(
    valence=0.0,
    emotions={name: float(name == "neutral") for name in EMOTIONS},
    acts={name: float(name == "none") for name in ACTS},
)


class SentimentWeights(msgspec.Struct, frozen=True, kw_only=True):
    """What was fitted to the labelled lines by ``python -m astraweave.dialogue.train_sentiment``.

    Attributes
    ----------
    embedder : str
        Id of the embedding model whose vectors they were fitted to.
    with_vector, words_only : dict of str to ndarray
        A matrix for each of the heads ``valence``, ``emotion`` and ``act``, shape
        ``(classes, inputs + 1)``: over the vector and the word features, or over these alone; the
        last column is added.
    """

    embedder: str
    with_vector: dict[str, NDArray[np.float32]]
    words_only: dict[str, NDArray[np.float32]]

    def to_bytes(self) -> bytes:
        """As an ``.npz`` file, half precision, the same bytes for the same weights."""
        arrays = {f"vector_{k}": v for k, v in self.with_vector.items()}
        arrays |= {f"words_{k}": v for k, v in self.words_only.items()}
        return packed(FEATURES, {"embedder": self.embedder}, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> SentimentWeights:
        """Read what `to_bytes` wrote.

        Raises
        ------
        CorruptDataError
            It is no such file, or was fitted to other features.
        """
        names = [f"{part}_{head}" for part in ("vector", "words") for head in HEADS]
        kept = unpacked(data, FEATURES, [*names, "embedder"], what="the sentiment classifier")
        found = {
            part: {head: kept[f"{part}_{head}"] for head in HEADS} for part in ("vector", "words")
        }
        for head, classes in HEADS.items():
            if found["words"][head].shape != (classes, len(FEATURES) + 1):
                raise CorruptDataError(f"the sentiment weights of {head!r} have another shape")
        return cls(
            embedder=str(kept["embedder"]), with_vector=found["vector"], words_only=found["words"]
        )


@functools.cache
def builtin_weights() -> SentimentWeights:
    """The weights that come with astraweave."""
    path = resources.files("astraweave.dialogue.sentiment_data").joinpath("weights.npz")
    return SentimentWeights.from_bytes(path.read_bytes())


class SentimentClassifier:
    """Reads the player's feelings from a line. Immutable; thread-safe.

    The line's embedding and a handful of cues of its words go through three small linear models.
    Without an embedder, or with another than they were fitted to, the words alone decide. What is
    not English is neutral.

    Parameters
    ----------
    embedder : EmbeddingClient, optional
        The world's.
    weights : SentimentWeights, optional
        By default the built-in ones.

    Attributes
    ----------
    notices : tuple of str
        What of it does not work as it could, and why; empty when all does.
    uses_vectors : bool
        Whether it reads meanings, not words alone.

    Examples
    --------
    >>> SentimentClassifier().read("You stupid idiot!").act
    'insult'
    """

    def __init__(
        self, embedder: EmbeddingClient | None = None, *, weights: SentimentWeights | None = None
    ) -> None:
        self._weights = builtin_weights() if weights is None else weights
        self._embedder: EmbeddingClient | None = None
        self.notices: tuple[str, ...] = ()
        if embedder is not None and embedder.model_info.id == self._weights.embedder:
            self._embedder = embedder
        else:
            has = "no embedder" if embedder is None else f"the embedder {embedder.model_info.id!r}"
            fitted = self._weights.embedder
            self.notices = (
                f"feelings are read from words alone: {has}, but weights for {fitted!r}",
            )
        self.uses_vectors = self._embedder is not None
        parts = self._weights.with_vector if self.uses_vectors else self._weights.words_only
        self._heads = _fused(parts)

    def read(self, text: str, vector: NDArray[np.float32] | None = None) -> Sentiment:
        """What a line shows.

        Parameters
        ----------
        text : str
            What the player said; of very long lines the first 500 characters are read.
        vector : ndarray, optional
            Its embedding, shape ``(dimensions,)``, where it has been made already.

        Raises
        ------
        InputError
            The vector is of another length than the embedder's.
        """
        if not is_english(text):
            return NEUTRAL
        cues = features(text)
        if self._embedder is None:
            return _sentiment(self._heads, np.append(cues, _ONE))
        if vector is None:
            vector = self._embedder.embed(text)
        size = self._heads.shape[1] - len(FEATURES) - 1
        if vector.shape != (size,):
            raise InputError(f"a vector of {size} numbers is needed, not of shape {vector.shape}")
        return _sentiment(self._heads, np.concatenate((vector, cues, _ONE)))


def _fused(heads: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """The three heads on top of each other: one product reads a line."""
    return np.ascontiguousarray(np.vstack([heads[head] for head in HEADS]), dtype=np.float32)


def _sentiment(heads: NDArray[np.float32], inputs: NDArray[np.float32]) -> Sentiment:
    logits = heads @ inputs
    after, last = HEADS["valence"], HEADS["valence"] + HEADS["emotion"]
    valence = _softmax(logits[:after])
    return Sentiment(
        valence=float(valence[2] - valence[0]),
        emotions=dict(zip(EMOTIONS, _softmax(logits[after:last]).tolist(), strict=True)),
        acts=dict(zip(ACTS, _softmax(logits[last:]).tolist(), strict=True)),
    )


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    raised = np.exp(logits - logits.max())
    return np.asarray(raised / raised.sum())
