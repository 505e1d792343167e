"""A language's small words by which events are read, and other words for what happened."""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Mapping
from typing import Any

from astraweave.dialogue.grammar import Grammar

__all__ = ["EventWords", "varied", "words_of"]

_WORD_LISTS = (
    "auxiliaries", "prepositions", "adverbs", "conjunctions", "clause_openers", "no_names",
    "no_nouns", "after_is", "after_has", "joining", "plural_pronouns",
)  # fmt: skip


_OTHER_CHANCE = 0.6


class EventWords:
    """The small words of a language, from its ``[events]``."""

    def __init__(self, rules: Mapping[str, Any], stopwords: frozenset[str]) -> None:
        lists = {name: frozenset(rules.get(name, "").split()) for name in _WORD_LISTS}
        self.auxiliaries, self.prepositions = lists["auxiliaries"], lists["prepositions"]
        self.adverbs = lists["adverbs"]
        self.conjunctions = lists["conjunctions"] | {","}
        self.no_nouns, self.joining = lists["no_nouns"], lists["joining"]
        self.after_is, self.after_has = lists["after_is"], lists["after_has"]
        self.after_own = self.prepositions | self.conjunctions | {"."}
        self.no_names = stopwords | lists["no_names"] | lists["clause_openers"]
        self.no_names |= self.prepositions | self.adverbs
        self.plural_pronouns = lists["plural_pronouns"]
        self.pronouns: Mapping[str, str] = rules.get("pronouns", {})
        self.ambiguous: Mapping[str, str] = rules.get("ambiguous", {})
        subjects = {word for word, case in self.pronouns.items() if case == "subject"}
        self.relative: str = rules.get("relative", "")
        self.before_verbs = subjects | {self.relative} | self.conjunctions
        self.adverb_ending: str = rules.get("adverb_ending", "")
        self.past_ending: str = rules.get("past_ending", "")
        self.plural_ending: str = rules.get("plural_ending", "")
        self.contracted: Mapping[str, str] = rules.get("contracted", {})

    def is_adverb(self, low: str) -> bool:
        """Whether a word may stand between a subject and its verb."""
        return low in self.adverbs or (
            bool(self.adverb_ending) and low.endswith(self.adverb_ending) and len(low) > 4
        )


@functools.cache
def words_of(tag: str) -> EventWords:
    """The small words of a language."""
    grammar = Grammar.named(tag)
    return EventWords(grammar.events, grammar.stopwords)


def varied(told: str, tag: str, rng: random.Random | None) -> str:
    """An event with another word for what was done, now and then: "you brought my hammer back".

    Examples
    --------
    >>> varied("you returned my hammer", "en", random.Random(0))
    'you returned my hammer'
    >>> varied("you returned to the forge", "en", random.Random(1))
    'you returned to the forge'
    """
    patterns = _synonyms(tag)
    if rng is None or not patterns or '"' in told:
        return told
    for pattern, others in patterns:
        if (found := pattern.search(told)) is None:
            continue
        if rng.random() >= _OTHER_CHANCE:
            return told
        said = rng.choice(others).replace("{x}", found["x"])
        return told[: found.start()] + said + told[found.end() :]
    return told


@functools.cache
def _synonyms(tag: str) -> list[tuple[re.Pattern[str], list[str]]]:
    rules = Grammar.named(tag).events
    words = words_of(tag)
    owners = "|".join(map(re.escape, rules.get("determiners", "").split()))
    ends = "|".join(map(re.escape, sorted(words.prepositions | words.no_names - {""})))
    thing = rf"(?P<x>(?:{owners}|[^\W\d_]+'s) (?:(?!(?:{ends})\b)[^\W\d_]+ ?){{1,3}}(?<! ))"
    return [
        (re.compile(rf"\b{re.escape(verb)} {thing}(?=$|[ .,;!])"), list(others))
        for verb, others in rules.get("synonyms", {}).items()
    ]
