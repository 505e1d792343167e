"""Whether a clause belongs where it would stand: a small linear model over what is known of it.

Rules alone cannot tell "I'm glad to hear that" after good news from the same after bad news, nor
sense from nonsense. The model was fitted to lines that were labelled by hand (``train.py``). It
weighs cues of the words; with an embedder also what they mean and how near that is to what was
said; and with a language model's own certainty, how likely it found its words. Each of the four
combinations has weights and a threshold of its own.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
from collections.abc import Sequence
from importlib import resources
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.dialogue.check._features import FEATURES, cue, features
from astraweave.embeddings.protocol import EmbeddingClient
from astraweave.errors import AstraweaveError, CorruptDataError

if TYPE_CHECKING:
    from astraweave.dialogue.check.judge import Moment

__all__ = ["PARTS", "Fit", "FitWeights", "builtin_weights", "faults_of_place", "inputs_of"]

PARTS: tuple[str, ...] = ("words", "words_sure", "vector", "vector_sure")
"""What a clause is weighed by: with an embedder, and with the model's certainty, or without."""

VECTOR_SCALE = 3.0
"""A vector has length 1, cues run up to 2: chosen by cross-validation."""
_NEARNESS_SCALE = 2.0
_SURE_SCALE = 2.0
_SURE_MEAN, _SURE_SPREAD = -2.0, 0.6
"""Of the logarithm of a token's probability, in drafts of the default model."""

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
    """What was fitted by ``python -m astraweave.dialogue.check.train``.

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
    """

    model: str
    embedder: str
    parts: dict[str, NDArray[np.float32]]

    def to_bytes(self) -> bytes:
        """As an ``.npz`` file, half precision, the same bytes for the same weights."""
        file = io.BytesIO()
        arrays = {name: row.astype(np.float16) for name, row in self.parts.items()}
        names = {"model": self.model, "embedder": self.embedder, "features": FEATURES}
        np.savez(file, **{key: np.array(name) for key, name in names.items()}, **arrays)  # type: ignore[arg-type]
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> FitWeights:
        """Read what `to_bytes` wrote.

        Raises
        ------
        CorruptDataError
            It is no such file, or was fitted to other features.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                if tuple(file["features"].tolist()) != FEATURES:
                    raise CorruptDataError(
                        "the weights of the output check were fitted to other features; train them"
                        " again"
                    )
                parts = {name: file[name].astype(np.float32) for name in PARTS}
                model, embedder = str(file["model"]), str(file["embedder"])
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise CorruptDataError(f"these are no weights of the output check: {error}") from error
        for name in ("words", "words_sure"):
            if parts[name].shape != (len(FEATURES) + 1 + (name == "words_sure"),):
                raise CorruptDataError(
                    f"the weights {name!r} of the output check have another size"
                )
        return cls(model=model, embedder=embedder, parts=parts)


@functools.cache
def builtin_weights() -> FitWeights:
    """The weights that come with astraweave."""
    path = resources.files("astraweave.dialogue.check").joinpath("weights.npz")
    return FitWeights.from_bytes(path.read_bytes())


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
        self._embedder, self._weights = embedder, weights
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
        weights = self._weights or builtin_weights()
        cues = features(clause, moment, line, faults)
        vectors: list[NDArray[np.float32]] | None = None
        if self._embedder is not None and self._embedder.model_info.id == weights.embedder:
            with contextlib.suppress(AstraweaveError):
                vectors = [self._vector(text) for text in (clause, moment.utterance, line)]
        part = "words" if vectors is None else "vector"
        row = weights.parts[part if certainty is None else f"{part}_sure"]
        return float(row[:-1] @ inputs_of(cues, vectors, certainty) + row[-1])

    def _embed(self, text: str) -> NDArray[np.float32]:
        assert self._embedder is not None
        if not text.strip():
            return np.zeros(self._embedder.model_info.dimensions, dtype=np.float32)
        return self._embedder.embed(text)


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
        scaled = (max(-6.0, min(0.0, certainty)) - _SURE_MEAN) / _SURE_SPREAD * _SURE_SCALE
        found.append(np.array([scaled], dtype=np.float32))
    return np.concatenate(found, dtype=np.float32)
