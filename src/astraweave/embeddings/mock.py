"""An embedder without a model: hashed words and pieces of words."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from astraweave.embeddings.protocol import EmbedderInfo
from astraweave.errors import InputError

__all__ = ["MockEmbeddingClient"]

# Bytes, not characters: which characters are letters depends on Python's Unicode version.
_WORD = re.compile(rb"[0-9a-z\x80-\xff]+")
_NO_FEATURE = b"\x00nothing"
_TRIGRAM_WEIGHT = 2
_LONGEST_WEIGHT = 6
"""A whole word weighs as many trigrams as it has bytes, up to this: short words say little."""


class MockEmbeddingClient:
    """Feature hashing of words and byte trigrams into unit vectors.

    Texts that share words, or parts of words, are near each other; meaning beyond that it does
    not know. Deterministic: the same text gives the same bits on every platform and Python.
    Thread-safe, and needs no model, no file and no extra.

    Parameters
    ----------
    dimensions : int
        Length of the vectors, at least 8.

    Examples
    --------
    >>> embedder = MockEmbeddingClient()
    >>> hammer, tool, song = embedder.embed_batch(
    ...     ["where is my hammer", "the hammers are gone", "she sang all night"]
    ... )
    >>> bool(hammer @ tool > hammer @ song)
    True
    """

    def __init__(self, dimensions: int = 384) -> None:
        if dimensions < 8:
            raise InputError(
                f"hashing needs at least 8 dimensions, not {dimensions}", dimensions=dimensions
            )
        self._dimensions = dimensions

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        return self._dimensions

    @property
    def model_info(self) -> EmbedderInfo:
        """What model it is."""
        return EmbedderInfo(
            id=f"mock-{self._dimensions}",
            dimensions=self._dimensions,
            max_tokens=2**31 - 1,
            provider="hashing",
        )

    def embed(self, text: str) -> NDArray[np.float32]:
        """One unit vector, shape ``(dimensions,)``.

        Raises
        ------
        InputError
            `text` is not a string.
        """
        if not isinstance(text, str):
            raise InputError(f"a text is needed, not {type(text).__name__}")
        # Whole numbers up to the last step: sums are exact, and so the same everywhere.
        sums = [0] * self._dimensions
        for feature, weight in _features(text):
            code = zlib.crc32(feature)
            sums[(code >> 1) % self._dimensions] += weight if code & 1 else -weight
        if not any(sums):
            sums[zlib.crc32(_NO_FEATURE) % self._dimensions] = 1
        length = math.sqrt(sum(value * value for value in sums))
        return (np.array(sums, np.float64) / length).astype(np.float32)

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors in the order of `texts`, shape ``(len(texts), dimensions)``."""
        if isinstance(texts, str):
            raise InputError("embed_batch takes a list of texts; embed takes one")
        if not texts:
            return np.zeros((0, self._dimensions), np.float32)
        return np.stack([self.embed(text) for text in texts])


def _features(text: str) -> Iterator[tuple[bytes, int]]:
    for word in _WORD.findall(text.encode("utf-8", "surrogatepass").lower()):
        yield b"w" + word, _TRIGRAM_WEIGHT * min(len(word), _LONGEST_WEIGHT)
        framed = b"<" + word + b">"
        for start in range(len(framed) - 2):
            yield b"t" + framed[start : start + 3], _TRIGRAM_WEIGHT
