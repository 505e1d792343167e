"""A memory that came back, and why."""

from __future__ import annotations

import msgspec

from astraweave.rag.memory import Memory

__all__ = ["Retrieved"]


class Retrieved(msgspec.Struct, frozen=True, kw_only=True):
    """One memory that a question brought back.

    Attributes
    ----------
    memory : Memory
        What is remembered.
    score : float
        What it was ranked by; comparable within one retrieval only.
    similarity : float
        Cosine between question and memory, -1 to 1.
    lexical : float
        Strength of the match by words, 0 when none is shared.
    """

    memory: Memory
    score: float
    similarity: float = 0.0
    lexical: float = 0.0
