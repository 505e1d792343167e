"""What of a memory is searched by words beside its text: names as what they are, not as words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from astraweave.rag.memory import Memory

__all__ = ["WeightedTerm", "about", "said_by", "said_to", "terms_of"]

WeightedTerm: TypeAlias = tuple[str, float]
"""A term and its weight. One with a colon is a key and matches as a whole; others are words."""


def said_by(speaker: str) -> str:
    """The key of everything that somebody has said."""
    return f"by:{speaker}"


def said_to(addressee: str) -> str:
    """The key of everything that was said to somebody."""
    return f"to:{addressee}"


def about(entity: str) -> str:
    """The key of everything about an entity, by id or name."""
    return f"about:{entity.casefold()}"


def terms_of(memory: Memory) -> Iterable[WeightedTerm]:
    """Keys for who said it, to whom, and what it is about."""
    found = [(about(entity), 1.0) for entity in memory.entities]
    if memory.speaker:
        found.append((said_by(memory.speaker), 1.0))
    if memory.addressee:
        found.append((said_to(memory.addressee), 1.0))
    return found
