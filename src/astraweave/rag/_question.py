"""What a question asks for beside words and meaning: who said it, what it is about, when."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache

import msgspec

__all__ = ["FIRST_PERSON", "Kinds", "kinds_of", "named_speakers", "search_words"]

_MAX_QUERY_WORDS = 32
_SHORTEST_NICKNAME = 3

FIRST_PERSON = frozenset({"i", "me", "my", "mine", "myself", "we", "us", "our"})
_STOP_WORDS = frozenset(
    """
    a about an and are as at be been but by can could did do does for from had has have he her him
    his how i if in into is it its just me my no not of on or our out remember s she so some tell
    than that the their them then there these they this to told up us was we were what when where
    which who whom whose why will with would you your
    """.split()
)
_WHEN = re.compile(
    r"(?i)\b(?:when|since when|until when|how long|how long ago"
    r"|(?:what|which) (?:year|month|week|day|date|time)|by when)\b"
)
_HOW_MANY = re.compile(r"(?i)\bhow (?:many|much|often|old|far)\b")
_WHO = re.compile(r"(?i)\bwho(?:m|se)?\b")
_WHERE = re.compile(r"(?i)\bwhere\b|\b(?:what|which) (?:town|city|country|place)\b")
_PAST = re.compile(
    r"(?i)\b(?:used to|once|before|formerly|previous\w*|at first|originally|in the past"
    r"|back then|was|were|did|had|when)\b"
)
_WORDS = re.compile(r"[^\W_]+")
_NOW_WORDS = frozenset({"now", "still", "nowadays", "currently", "lately", "latest", "today"})
_NOW_HINTS = frozenset({"days", "moment", "present", "more", "anymore", "longer"})
_NOW = re.compile(r"(?i)\b(?:these days|at (?:the moment|present)|any ?more|any longer)\b")
_PRESENT_WORDS = frozenset({"is", "are", "am", "do", "does", "cost", "costs", "s"})
_FORMER_HINTS = frozenset(
    "used use formerly previous previously originally first past then days longer earlier"
    " before".split()
)
_FORMER = re.compile(
    r"(?i)\b(?:used? to|formerly|previous\w*|originally|at first|in the past|back then"
    r"|in those days|no longer)\b"
    r"|\b(?:earlier|before)(?: (?:that|this|then|it (?:was|changed)))?\W*$"
)


class Kinds(msgspec.Struct, frozen=True):
    """What sort of answer is wanted; several may hold."""

    when: bool
    how_many: bool
    who: bool
    where: bool
    past: bool
    """How things were: what has been superseded may be meant."""
    former: bool = False
    """How things were before they changed, in so many words."""
    now: bool = False
    """How things are by now, in so many words."""
    present: bool = False
    """How things are."""


def kinds_of(question: str) -> Kinds:
    """What sort of answer an English question wants.

    Examples
    --------
    >>> kinds_of("When did she lose it?").when
    True
    """
    when, how_many, who, where, past = (
        pattern.search(question) is not None for pattern in (_WHEN, _HOW_MANY, _WHO, _WHERE, _PAST)
    )
    words = set(_WORDS.findall(question.casefold()))
    former = not words.isdisjoint(_FORMER_HINTS) and _FORMER.search(question) is not None
    now = not words.isdisjoint(_NOW_WORDS) or (
        not words.isdisjoint(_NOW_HINTS) and _NOW.search(question) is not None
    )
    return Kinds(
        when,
        how_many,
        who,
        where,
        past or former,
        former=former,
        now=now and not former,
        present=not (past or former or when) and not words.isdisjoint(_PRESENT_WORDS),
    )


def named_speakers(question: str, speakers: Collection[str]) -> frozenset[str]:
    """Those speakers whose name, or the beginning of it as a nickname, stands in a question.

    Examples
    --------
    >>> sorted(named_speakers("What did Mel paint for Tam?", {"Melanie", "tam", "Bo"}))
    ['Melanie', 'tam']
    """
    words = re.findall(r"[^\W_]+", question)
    folded = {word.casefold() for word in words}
    by_word = _by_word(frozenset(speakers))
    named = {name for word in folded for parts, name in by_word.get(word, ()) if parts <= folded}
    for word in words:
        nick = word.casefold()
        if len(word) >= _SHORTEST_NICKNAME and word[0].isupper() and nick not in _STOP_WORDS:
            named |= {
                name
                for first, called in by_word.items()
                if first.startswith(nick) and first not in folded
                for _, name in called
            }
    return frozenset(named)


@lru_cache(maxsize=16)
def _by_word(speakers: frozenset[str]) -> dict[str, list[tuple[frozenset[str], str]]]:
    """Speakers by the first word of their names, with all of its words."""
    found: dict[str, list[tuple[frozenset[str], str]]] = {}
    for name in sorted(speakers):
        if parts := name.casefold().split():
            found.setdefault(parts[0], []).append((frozenset(parts), name))
    return found


def search_words(query: str) -> list[str]:
    """The telling words of a question, each once."""
    folded = unicodedata.normalize("NFC", query.casefold())
    kept = (c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in folded)
    words = dict.fromkeys("".join(kept).split())
    telling = [word for word in words if word not in _STOP_WORDS]
    return telling[:_MAX_QUERY_WORDS]
