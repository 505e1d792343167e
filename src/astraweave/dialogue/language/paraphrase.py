"""The same question in other words, and questions that come in two sentences made one."""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from importlib import resources

import msgspec

__all__ = ["other_wordings", "plain_question"]

_YOURS = re.compile(r"\byou's\b", re.IGNORECASE)
_MINE = re.compile(r"\b(?:I|me)'s\b", re.IGNORECASE)


class _Instead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question that another one asks straight."""

    asked: str
    said: str


class _Also(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question, and others that ask for the same."""

    asked: str
    said: tuple[str, ...]


class _Paraphrases(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    instead: tuple[_Instead, ...]
    also: tuple[_Also, ...]


def plain_question(text: str) -> str:
    """A question of two sentences, or of a journey only imagined, as one that is asked straight.

    Examples
    --------
    >>> plain_question("Say I wanted to visit my aunt. Which town would I have to go to?")
    'Where does my aunt live?'
    >>> plain_question("Mira has children. How many?")
    'How many children does Mira have?'
    """
    for pattern, (said,) in _compiled()[0]:
        if found := pattern.match(text.strip()):
            return found.expand(said)
    return text


@lru_cache(maxsize=2048)
def other_wordings(text: str) -> tuple[str, ...]:
    """What also asks for the same, without a question mark; nothing for most questions.

    Examples
    --------
    >>> other_wordings("Whom do I work for?")
    ('Who is my master',)
    """
    bare = text.strip().rstrip("?!. ")
    found: dict[str, None] = {}
    for pattern, wordings in _compiled()[1]:
        if match := pattern.match(bare):
            for wording in wordings:
                said = match.expand(wording)
                found.setdefault(_MINE.sub("my", _YOURS.sub("your", said)))
    return tuple(said for said in found if said.casefold() != bare.casefold())


_Patterns = tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]


@cache
def _compiled() -> tuple[_Patterns, _Patterns]:
    text = resources.files(__package__ or "").joinpath("paraphrase.toml").read_text("utf-8")
    read = msgspec.convert(tomllib.loads(text), _Paraphrases)
    instead = tuple((re.compile(r.asked, re.IGNORECASE), (r.said,)) for r in read.instead)
    also = tuple((re.compile(r.asked, re.IGNORECASE), r.said) for r in read.also)
    return instead, also
