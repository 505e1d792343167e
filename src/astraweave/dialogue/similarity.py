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
        Cosine from which two words count as near. Single words separate badly (sister and brother
        are nearer than cottage and house), so it is asked only about words that are not in the
        lexicon.
    budget : int
        New words that may be embedded for one question; a line must not wait for more.
    """

    def __init__(
        self, embedder: EmbeddingClient | None = None, *, threshold: float = 0.66, budget: int = 8
    ) -> None:
        self._embedder = embedder
        self._threshold = threshold
        self._budget = self._left = budget
        self._vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    def begin(self) -> None:
        """A new question: the budget is whole again."""
        self._left = self._budget

    def near(self, left: str, right: str) -> float:
        """1 for the same meaning, a share for likeness, 0 for none; words in lower case."""
        lex = lexicon()
        if lex.same(left, right) or lex.is_kind(left, right):
            return 1.0
        if self._embedder is None or (lex.known(left) and lex.known(right)):
            return 0.0
        missing = sum(word not in self._vectors for word in {left, right})
        if missing > self._left:
            return 0.0
        self._left -= missing
        cosine = float(self._vector(left) @ self._vector(right))
        return 0.8 if cosine >= self._threshold else 0.0

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
