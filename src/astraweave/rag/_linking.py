"""Which known names stand in a text, and which words look like names that nobody declared."""

from __future__ import annotations

import re
from collections.abc import Sequence

from astraweave.core.worldview import WorldSnapshot

__all__ = ["NameIndex", "words_of"]

_WORD = re.compile(r"[^\W_]+")
_SENTENCE_START = re.compile(r"(?:^|[.!?…:;]['\"”’)]*)\s*['\"“‘(]*$")
# Capitalised wherever they stand, and no names.
_NO_NAMES = frozenset(
    """
    i sir madam lord lady mr mrs miss god gods ok okay
    monday tuesday wednesday thursday friday saturday sunday
    january february march april may june july august september october november december
    """.split()
)


def words_of(text: str) -> list[str]:
    """Words of a text, case-folded."""
    return [match.group().casefold() for match in _WORD.finditer(text)]


class NameIndex:
    """The names and aliases of one version of the world, by their words.

    Parameters
    ----------
    snapshot : WorldSnapshot
        Where names come from.
    """

    def __init__(self, snapshot: WorldSnapshot) -> None:
        self.version = snapshot.version
        self._names = snapshot.names
        self._ids: dict[tuple[str, ...], str] = {}
        for name, entity_id in snapshot.names.items():
            if words := tuple(words_of(name)):
                self._ids[words] = entity_id
        self._longest = max(map(len, self._ids), default=0)

    def at(self, snapshot: WorldSnapshot) -> NameIndex:
        """The index of a newer version: this one, where no name has changed (most often)."""
        if snapshot.names != self._names:
            return NameIndex(snapshot)
        self.version = snapshot.version
        return self

    def spans(self, text: str) -> list[tuple[int, int, str]]:
        """Where known names stand: start, end and the entity's id; longest names win."""
        if not self._ids:
            return []
        words = [(m.group().casefold(), m.start(), m.end()) for m in _WORD.finditer(text)]
        found = []
        at = 0
        while at < len(words):
            for size in range(min(self._longest, len(words) - at), 0, -1):
                entity_id = self._ids.get(tuple(word for word, _, _ in words[at : at + size]))
                if entity_id is not None:
                    found.append((words[at][1], words[at + size - 1][2], entity_id))
                    at += size
                    break
            else:
                at += 1
        return found

    def entities(
        self, text: str, spans: Sequence[tuple[int, int, str]] | None = None
    ) -> tuple[str, ...]:
        """What a text is about: ids of known entities, then words that look like names.

        A capitalised word inside a sentence counts as a name ("My sister Mira"), as it stands;
        text without capitals, or in a script without them, yields known names only.

        Parameters
        ----------
        text : str
            What was said.
        spans : sequence of (int, int, str), optional
            What `spans` says of it, where that was asked already.
        """
        if spans is None:
            spans = self.spans(text)
        found = dict.fromkeys(entity_id for _, _, entity_id in spans)
        for match in _WORD.finditer(text):
            word = match.group()
            looks = len(word) > 1 and word[0].isupper() and not word.isupper()
            if looks and word.casefold() not in _NO_NAMES:
                start = match.start()
                if any(begin <= start < end for begin, end, _ in spans):
                    continue
                if _SENTENCE_START.search(text, max(0, start - 8), start):
                    continue
                found[word] = None
        return tuple(found)
