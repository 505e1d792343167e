"""One vector for a text that is asked for several times in a row.

What a player says is looked for, read for its feeling and remembered: the same words, three times
within a second. An embedder takes a millisecond or two for each of them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from astraweave.embeddings import EmbedderInfo, EmbeddingClient

__all__ = ["RecentVectors"]

_KEPT = 64
"""Texts: a few lines of everybody who talks at a time."""


class RecentVectors:
    """An `EmbeddingClient` that knows the latest texts by heart. Thread-safe, as the other one is.

    Vectors are the same, to the last bit: only texts that are embedded by themselves are kept.

    Parameters
    ----------
    embedder : EmbeddingClient
        Asked for all others.
    """

    def __init__(self, embedder: EmbeddingClient) -> None:
        self._embedder = embedder
        self._lock = threading.Lock()
        self._vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        return self._embedder.dimensions

    @property
    def model_info(self) -> EmbedderInfo:
        """What model it is."""
        return self._embedder.model_info

    def embed(self, text: str) -> NDArray[np.float32]:
        """One unit vector, shape ``(dimensions,)``; not to be written to."""
        with self._lock:
            found = self._vectors.get(text)
            if found is not None:
                self._vectors.move_to_end(text)
                return found
        vector = np.array(self._embedder.embed(text))  # the game's own may use its array again
        vector.flags.writeable = False
        with self._lock:
            self._vectors[text] = vector
            if len(self._vectors) > _KEPT:
                self._vectors.popitem(last=False)
        return vector

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors in the order of `texts`, shape ``(len(texts), dimensions)``."""
        if len(texts) == 1 and not isinstance(texts, str):
            return self.embed(texts[0])[np.newaxis]
        return self._embedder.embed_batch(texts)
