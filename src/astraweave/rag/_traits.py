"""What a line looks like, as bits: read once when it is written, asked at every question.

The patterns read English; another language shows its numbers and question marks, no more.
"""

from __future__ import annotations

import functools
import operator
import re
from enum import IntFlag

from astraweave.rag.salience import is_question

__all__ = ["Trait", "traits_of"]


class Trait(IntFlag):
    """What may be seen of a line without understanding it."""

    ASKS = 1
    """It is a question (`salience.is_question`)."""
    HOLDS_QUESTION = 2
    """A question mark stands somewhere in it."""
    SPEAKS_OF_SELF = 4
    TELLS_TIME = 8
    COUNTS = 16
    """A number, in digits or words."""
    NAMES = 32
    """A capital inside a sentence."""
    TELLS_PAST = 64
    TELLS_PLANS = 128


_WORDS = {
    Trait.SPEAKS_OF_SELF: "i me my mine we our us",
    Trait.TELLS_TIME: (
        "yesterday today tonight tomorrow last next ago week weeks weekend month months year years"
        " monday tuesday wednesday thursday friday saturday sunday january february march april"
        " may june july august september october november december spring summer autumn winter"
        " midsummer since recently just first"
    ),
    Trait.COUNTS: (
        "two three four five six seven eight nine ten eleven twelve dozen hundred once twice"
        " couple few"
    ),
    Trait.TELLS_PAST: (
        "was were had did went got took made bought found saw met won felt gave came left lost"
        " told said"
    ),
    Trait.TELLS_PLANS: "will gonna hope hopes hoping would shall",
}
_BITS = {
    word: sum(int(trait) for trait, words in _WORDS.items() if word in words.split())
    for words in _WORDS.values()
    for word in words.split()
}
_WORD = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_NAME = re.compile(r"[\w,;’'] [A-Z][a-z]")
_PLANS = re.compile(r"\b(?:going to|looking forward)\b|['’]ll\b")
_YEAR_DIGITS = 4

_ASKS, _HOLDS_QUESTION = int(Trait.ASKS), int(Trait.HOLDS_QUESTION)
_COUNTS, _NAMES, _PLANNED = int(Trait.COUNTS), int(Trait.NAMES), int(Trait.TELLS_PLANS)


def traits_of(text: str) -> int:
    """The bits of `Trait` that a line has.

    Examples
    --------
    >>> Trait(traits_of("I lost two rings yesterday.")) & Trait.COUNTS
    <Trait.COUNTS: 16>
    """
    low = text.lower()
    found = _ASKS if is_question(text) else 0
    if "?" in text:
        found |= _HOLDS_QUESTION
    found = functools.reduce(operator.or_, map(_bits_of, _WORD.findall(low)), found)
    if not found & _COUNTS and _DIGIT.search(text):
        found |= _COUNTS
    if _NAME.search(text):
        found |= _NAMES
    # To ask for a part of whatever `_PLANS` finds costs little.
    planned = "going to" in low or "forward" in low or "'ll" in low or "’ll" in low
    if planned and not found & _PLANNED and _PLANS.search(low):
        found |= _PLANNED
    return found


@functools.lru_cache(maxsize=8192)
def _bits_of(word: str) -> int:
    """What a word in lower case shows by itself."""
    found = _BITS.get(word, 0)
    if word.endswith("ed") and len(word) > len("red"):
        found |= int(Trait.TELLS_PAST)
    if word.startswith(("plan", "want")):
        found |= int(Trait.TELLS_PLANS)
    if word.isdecimal() and len(word) == _YEAR_DIGITS:
        found |= int(Trait.TELLS_TIME)
    return found
