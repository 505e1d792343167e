"""The second step of a question: what the best hits are about leads to further memories.

'What does the smith's brother do?' finds who the brother is; what is said of him elsewhere shares
his name and nothing of the question.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from astraweave.rag.memory import Memory

__all__ = ["links"]

_MOST_LINKS = 6


def links(hits: Iterable[Memory], known: Collection[str]) -> list[str]:
    """What the best hits are about and the question does not say.

    Parameters
    ----------
    hits : iterable of Memory
        Best first.
    known : collection of str
        Case-folded names that lead nowhere new: those in the question, and of those who speak.
    """
    found: dict[str, None] = {}
    for memory in hits:
        for entity in memory.entities:
            if entity.casefold() not in known:
                found[entity] = None
    return list(found)[:_MOST_LINKS]
