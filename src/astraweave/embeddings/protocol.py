"""What an embedding model is to the rest of astraweave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["EmbedderInfo", "EmbeddingClient"]


class EmbedderInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What an embedding model says about itself."""

    id: str
    dimensions: int
    max_tokens: int
    provider: str = ""
    exact: bool = True
    """Whether a text's vector is the same whatever other texts are embedded beside it."""


@runtime_checkable
class EmbeddingClient(Protocol):
    """Turns texts into unit vectors. Thread-safe."""

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        ...

    @property
    def model_info(self) -> EmbedderInfo:
        """What model it is."""
        ...

    def embed(self, text: str) -> NDArray[np.float32]:
        """One unit vector, shape ``(dimensions,)``."""
        ...

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors in the order of `texts`, shape ``(len(texts), dimensions)``."""
        ...
