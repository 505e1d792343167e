"""Whether two words are near in meaning: by the lexicon, and by an embedding model where one is."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from astraweave.dialogue.language.lexicon import lexicon
from astraweave.embeddings.protocol import EmbeddingClient

__all__ = ["Similarity"]

_KEPT_WORDS = 4096


class Similarity:
    """Word likeness with a memory of the vectors it has asked for. Not thread-safe.

    Parameters
    ----------
    embedder : EmbeddingClient or None
        Used for words that the lexicon does not know; None: the lexicon alone.
    threshold : float
        Cosine from which two words count as near.
    """

    def __init__(self, embedder: EmbeddingClient | None = None, *, threshold: float = 0.62) -> None:
        self._embedder = embedder
        self._threshold = threshold
        self._vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def near(self, left: str, right: str) -> float:
        """1 for the same meaning, a share for likeness, 0 for none; words in lower case."""
        lex = lexicon()
        if lex.same(left, right) or lex.is_kind(left, right):
            return 1.0
        if self._embedder is None or (lex.ringed(left) and lex.ringed(right)):
            return 0.0
        cosine = float(self._vector(left) @ self._vector(right))
        return 0.8 if cosine >= self._threshold else 0.0

    def prepare(self, texts: list[str]) -> None:
        """Embed what is still unknown in one batch."""
        if self._embedder is None:
            return
        missing = [t for t in dict.fromkeys(texts) if t not in self._vectors]
        if missing:
            for text, vector in zip(missing, self._embedder.embed_batch(missing), strict=True):
                self._keep(text, vector)

    def _vector(self, word: str) -> NDArray[np.float32]:
        found = self._vectors.get(word)
        if found is None:
            assert self._embedder is not None
            found = self._keep(word, self._embedder.embed(word))
        else:
            self._vectors.move_to_end(word)
        return found

    def _keep(self, word: str, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        self._vectors[word] = vector
        if len(self._vectors) > _KEPT_WORDS:
            self._vectors.popitem(last=False)
        return vector
