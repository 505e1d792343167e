"""What is kept of turns that no longer fit: summaries without a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from astraweave.context.turn import Turn
from astraweave.core.protocols import TokenCounter

__all__ = ["ExtractiveSummariser", "Summariser"]

_SENTENCE = re.compile(r"[^.!?\u2026\u3002\uff01\uff1f]+[.!?\u2026\u3002\uff01\uff1f\"']*")
_NUMBER = re.compile(r"\d+")
_NO_NAMES = frozenset({"I", "I'm", "I'll", "I've", "I'd"})
_WORD = re.compile(r"[^\W\d_][\w'\u2019-]*")


class Summariser(Protocol):
    """Says in few words what was said in many."""

    def summarise(self, turns: Sequence[Turn], max_tokens: int, counter: TokenCounter) -> str:
        """A text of at most `max_tokens`; empty when nothing is worth keeping or nothing fits."""
        ...


class ExtractiveSummariser:
    """Keeps the sentences that carry names and numbers, word for word; needs no model.

    Nothing is rephrased, so nothing can be made up. A sentence counts by the names in it (words
    with a capital inside the sentence) and by its numbers; of equal ones the later is kept. The
    chosen ones stand in the order in which they were said, each after its speaker.

    Examples
    --------
    >>> class Words:
    ...     def count(self, text: str) -> int:
    ...         return len(text.split())
    >>> said = "Well, well. My sister Mira lost 3 rings. It is cold."
    >>> turns = [Turn(role="user", speaker="ash", text=said)]
    >>> ExtractiveSummariser().summarise(turns, 12, Words())
    'Earlier: ash: "My sister Mira lost 3 rings."'
    """

    opening = "Earlier:"

    def summarise(self, turns: Sequence[Turn], max_tokens: int, counter: TokenCounter) -> str:
        """The sentences that matter most, within `max_tokens` as `counter` counts the whole."""
        ranked: list[tuple[int, int, str]] = []
        for turn in turns:
            for match in _SENTENCE.finditer(turn.text):
                sentence = match[0].strip()
                if weight := _weight(sentence):
                    quoted = sentence.replace('"', "'")
                    ranked.append((weight, len(ranked), f'{turn.speaker}: "{quoted}"'))
        ranked.sort(key=lambda item: (-item[0], -item[1]))
        chosen: list[tuple[int, str]] = []
        text = ""
        for _, position, sentence in ranked:
            attempt = sorted([*chosen, (position, sentence)])
            longer = " ".join([self.opening, *(said for _, said in attempt)])
            if counter.count(longer) <= max_tokens:
                chosen, text = attempt, longer
        return text


def _weight(sentence: str) -> int:
    later: list[str] = _WORD.findall(sentence)[1:]
    names = sum(word[0].isupper() and word not in _NO_NAMES for word in later)
    return 2 * len(_NUMBER.findall(sentence)) + 3 * names
