"""The texts that a line may rest on."""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Iterable

from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.words import number_value, sentences, words

__all__ = ["Knowledge", "Known", "tokens"]


class Knowledge:
    """The texts that a line may rest on, indexed for one check after another. Immutable.

    Parameters
    ----------
    texts : iterable of str
        What the character knows: memories, persona facts, history, world facts.
    names : iterable of str
        Names that may be spoken.
    own : iterable of str
        The character's facts about themselves: "I" in a clause must agree with these.
    """

    def __init__(
        self, texts: Iterable[str], names: Iterable[str] = (), own: Iterable[str] = ()
    ) -> None:
        self.sources = [_known(text) for text in dict.fromkeys(texts) if text]
        self.own = [_known(text) for text in dict.fromkeys(own) if text]
        self.names = {part.casefold() for name in names for part in re.findall(r"[^\W\d_]+", name)}
        for known in (*self.sources, *self.own):
            self.names |= known.names
        self.numbers = {n for known in (*self.sources, *self.own) for n in known.numbers}
        self.keys = frozenset().union(*(k.keys for k in (*self.sources, *self.own)))

    def with_text(self, text: str) -> Knowledge:
        """The same and one text more."""
        more, extra = copy.copy(self), _known(text)
        more.sources = [*self.sources, extra]
        more.names = self.names | extra.names
        more.numbers = self.numbers | extra.numbers
        more.keys = self.keys | extra.keys
        return more


class Known:
    """One text: its words' lemmas, names and numbers."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.keys: frozenset[str] = frozenset()
        self.names: set[str] = set()
        self.numbers: set[float] = set()
        self.negated = False
        lex = lexicon()
        keys: set[str] = set()
        for sentence in sentences(text):
            for word in words(sentence):
                if word.is_("E"):
                    self.names.add(word.low)
                elif word.is_("M"):
                    self.numbers.add(number_value(word.low) or 0.0)
                elif word.is_("G"):
                    self.negated = True
                keys |= lex.keys(word.low)
        self.keys = frozenset(keys)
        self._order = [w for w in tokens(text) if w in self.names]

    def in_order(self, names: list[str]) -> bool:
        """Whether names stand in the order in which the text has them: who did it comes first."""
        left = iter(self._order)
        return all(name in left for name in names)


@functools.lru_cache(maxsize=1024)
def _known(text: str) -> Known:
    return Known(text)


def tokens(text: str) -> list[str]:
    """Words in small letters, "don't" as one."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)?", text.lower().replace("’", "'"))
