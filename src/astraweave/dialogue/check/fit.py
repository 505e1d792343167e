"""Whether a clause belongs where it would stand: fitted to lines that were labelled by hand.

Rules alone cannot tell "I'm glad to hear that" after good news from the same after bad news, nor
sense from nonsense. What is known of a clause are cues of its words; with an embedder also what
it means and how near that is to what was said; and how likely the language model found its words.
Where all of that is known, the clause is compared with the labelled lines themselves (see
`astraweave.dialogue.check._examples`); where some of it is missing, a linear model weighs the rest.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.dialogue._packed import packed, unpacked
from astraweave.dialogue.check._examples import Examples, Weigher
from astraweave.dialogue.check._features import FEATURES, cue, features
from astraweave.embeddings.protocol import EmbeddingClient
from astraweave.errors import AstraweaveError, CorruptDataError

if TYPE_CHECKING:
    from astraweave.dialogue.check.judge import Moment

__all__ = [
    "PARTS",
    "Fit",
    "FitWeights",
    "beside_vectors",
    "builtin_weights",
    "faults_of_place",
    "inputs_of",
]

PARTS: tuple[str, ...] = ("words", "words_sure", "vector")
"""What is weighed linearly: without an embedder, or where the model tells no certainty."""

VECTOR_SCALE = 3.0
"""A vector has length 1, cues run up to 2: chosen by cross-validation."""
_NEARNESS_SCALE = 2.0
_SURE_SCALE = 2.0
_SURE_MEAN, _SURE_SPREAD = -2.0, 0.6
"""Of the logarithm of a token's probability, in drafts of the default model."""

_BESIDE = 3
"""What `beside_vectors` adds to the features."""
_REMEMBERED = 64
"""Texts whose vectors are kept."""

_CHEER = re.compile(
    r"\b(?:well done|congratulations|fine day|great name|happy|wonderful|glad)\b", re.IGNORECASE
)
"""Cheer from a model that has not understood what it was told."""
_TAKES_BACK = re.compile(
    r"n't\b|\b(?:not|never|but|wrong|actually|instead|maybe|perhaps)\b|\bno,", re.IGNORECASE
)


def faults_of_place(clause: str, moment: Moment) -> tuple[list[str], list[str]]:
    """What rules say is wrong with a clause in its place: surely, and perhaps."""
    sure: list[str] = []
    perhaps: list[str] = []
    if moment.answer and _TAKES_BACK.search(clause):
        (perhaps if moment.answer == "unknown" else sure).append("contradiction")
    if moment.act in {"telling", "apology"} and _CHEER.search(clause):
        (sure if cue("heard", "sad").search(moment.utterance) else perhaps).append("tone")
    return sure, perhaps


class FitWeights(msgspec.Struct, frozen=True, kw_only=True):
    """What was fitted by ``python -m astraweave.evaluation.train_check``.

    Attributes
    ----------
    model : str
        Id of the language model whose drafts they were fitted to: how often such a draft is good,
        and what goes wrong in it, is no other model's.
    embedder : str
        Id of the embedding model whose vectors they were fitted to.
    parts : dict of str to ndarray
        For each of `PARTS` one row: features, then vector and nearness, then certainty, as far as
        it has them; last what is added. A clause fits where the sum is above 0.
    examples : Examples
        The labelled lines, for clauses of which everything is known.
    """

    model: str
    embedder: str
    parts: dict[str, NDArray[np.float32]]
    examples: Examples

    def to_bytes(self) -> bytes:
        """As an ``.npz`` file, half precision, the same bytes for the same weights."""
        kept = {name: getattr(self.examples, name) for name in _EXAMPLES}
        kept["added"] = np.array([self.examples.added], dtype=np.float32)
        texts = {"model": self.model, "embedder": self.embedder}
        return packed(FEATURES, texts, {**self.parts, **kept})

    @classmethod
    def from_bytes(cls, data: bytes) -> FitWeights:
        """Read what `to_bytes` wrote.

        Raises
        ------
        CorruptDataError
            It is no such file, or was fitted to other features.
        """
        names = ("model", "embedder", *PARTS, *_EXAMPLES, "added")
        found = unpacked(data, FEATURES, names, what="the output check")
        for name in ("words", "words_sure"):
            if found[name].shape != (len(FEATURES) + 1 + (name == "words_sure"),):
                raise CorruptDataError(
                    f"the weights {name!r} of the output check have another size"
                )
        examples = Examples(
            added=float(found["added"][0]), **{name: found[name] for name in _EXAMPLES}
        )
        examples.check()
        if examples.centre.shape != (len(FEATURES) + _BESIDE,):
            raise CorruptDataError("the judged lines of the output check have other cues")
        return cls(
            model=str(found["model"]),
            embedder=str(found["embedder"]),
            parts={name: found[name] for name in PARTS},
            examples=examples,
        )


_EXAMPLES = ("numbers", "axes", "centre", "scale", "cues", "clauses", "heard", "answers")


@functools.cache
def builtin_weights() -> FitWeights:
    """The weights that come with astraweave."""
    path = resources.files("astraweave.dialogue.check").joinpath("weights.npz")
    return FitWeights.from_bytes(path.read_bytes())


@functools.cache
def _builtin_weigher() -> Weigher:
    return Weigher(builtin_weights().examples)


class Fit:
    """Weighs whether a clause belongs where it would stand. Immutable; thread-safe.

    Parameters
    ----------
    embedder : EmbeddingClient, optional
        The world's. Without one, or with another than the weights were fitted to, or where it
        fails, the words decide.
    weights : FitWeights, optional
        By default the built-in ones.
    """

    def __init__(
        self, embedder: EmbeddingClient | None = None, *, weights: FitWeights | None = None
    ) -> None:
        self._embedder = embedder
        self._weights = builtin_weights() if weights is None else weights
        self._weigher = _builtin_weigher() if weights is None else Weigher(weights.examples)
        # What was said and how the line began are asked for again with each of its clauses.
        self._vector = functools.lru_cache(maxsize=_REMEMBERED)(self._embed)

    def weigh(
        self,
        clause: str,
        moment: Moment,
        line: str,
        faults: Sequence[str],
        certainty: float | None = None,
    ) -> float:
        """How well it fits; above 0: well enough.

        Parameters
        ----------
        clause, moment, line, faults
            See `astraweave.dialogue.check._features.features`.
        certainty : float, optional
            Mean natural logarithm of the probability that the model gave to its tokens.
        """
        weights = self._weights
        cues = features(clause, moment, line, faults)
        vectors: list[NDArray[np.float32]] | None = None
        if self._embedder is not None and self._embedder.model_info.id == weights.embedder:
            with contextlib.suppress(AstraweaveError):
                vectors = [self._vector(text) for text in (clause, moment.utterance, line)]
        if vectors is not None and certainty is not None:
            said, heard, _ = vectors
            return self._weigher.weigh(beside_vectors(cues, vectors, certainty), said, heard)
        part = "vector" if vectors is not None else "words"
        row = weights.parts[part if certainty is None else f"{part}_sure"]
        return float(row[:-1] @ inputs_of(cues, vectors, certainty) + row[-1])

    def _embed(self, text: str) -> NDArray[np.float32]:
        assert self._embedder is not None
        if not text.strip():
            return np.zeros(self._embedder.model_info.dimensions, dtype=np.float32)
        return self._embedder.embed(text)


def beside_vectors(
    cues: NDArray[np.float32], vectors: Sequence[NDArray[np.float32]], certainty: float
) -> NDArray[np.float32]:
    """What a clause is compared by with labelled lines, but for its meaning itself, as one row."""
    piece, heard, line = vectors
    rest = [piece @ heard, piece @ line, _bounded(certainty)]
    return np.concatenate([cues, np.array(rest, dtype=np.float32)], dtype=np.float32)


def inputs_of(
    cues: NDArray[np.float32],
    vectors: Sequence[NDArray[np.float32]] | None,
    certainty: float | None,
) -> NDArray[np.float32]:
    """What is weighed, as one row: of clause, utterance and line there are vectors or there are none."""  # noqa: E501
    found = [cues]
    if vectors is not None:
        piece, heard, line = vectors
        near = np.array([piece @ heard, piece @ line], dtype=np.float32) * _NEARNESS_SCALE
        found += [piece * VECTOR_SCALE, near]
    if certainty is not None:
        scaled = (_bounded(certainty) - _SURE_MEAN) / _SURE_SPREAD * _SURE_SCALE
        found.append(np.array([scaled], dtype=np.float32))
    return np.concatenate(found, dtype=np.float32)


def _bounded(certainty: float) -> float:
    return max(-6.0, min(0.0, certainty))
