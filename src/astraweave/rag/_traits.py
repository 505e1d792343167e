"""What a line looks like, as bits: read once when it is written, asked at every question.

The patterns read English; another language shows its numbers and question marks, no more.
"""

from __future__ import annotations

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


_PATTERNS = {
    Trait.SPEAKS_OF_SELF: re.compile(r"(?i)\b(?:i|me|my|mine|we|our|us)\b"),
    Trait.TELLS_TIME: re.compile(
        r"(?i)\b(?:yesterday|today|tonight|tomorrow|last|next|ago|weeks?|weekend|months?|years?"
        r"|(?:mon|tues|wednes|thurs|fri|satur|sun)day|january|february|march|april|may|june|july"
        r"|august|september|october|november|december|spring|summer|autumn|winter|midsummer"
        r"|since|recently|just|first|\d{4})\b"
    ),
    Trait.COUNTS: re.compile(
        r"(?i)\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred"
        r"|once|twice|couple|few)\b"
    ),
    Trait.NAMES: re.compile(r"[\w,;’'] [A-Z][a-z]"),
    Trait.TELLS_PAST: re.compile(
        r"(?i)\b(?:was|were|had|did|went|got|took|made|bought|found|saw|met|won|felt|gave|came|left"
        r"|lost|told|said|\w\w+ed)\b"
    ),
    Trait.TELLS_PLANS: re.compile(
        r"(?i)\b(?:will|going to|gonna|plan\w*|want\w*|hop(?:e|es|ing)|would|shall"
        r"|looking forward)\b|['’]ll\b"
    ),
}


def traits_of(text: str) -> int:
    """The bits of `Trait` that a line has.

    Examples
    --------
    >>> Trait(traits_of("I lost two rings yesterday.")) & Trait.COUNTS
    <Trait.COUNTS: 16>
    """
    found = Trait.ASKS if is_question(text) else Trait(0)
    if "?" in text:
        found |= Trait.HOLDS_QUESTION
    for trait, pattern in _PATTERNS.items():
        if pattern.search(text):
            found |= trait
    return int(found)
