"""What is told in a roundabout shape, told straight: only then can its clauses be read.

"Did I mention that Mira is a cooper? Hard work." asks nothing, and "Forty, that's how old she is
now" says that she is forty. Each rule is one turn of phrase; a text that has none of them comes
back as it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

__all__ = ["straight"]

_SO = r"(?:^|(?<=[.!?] ))"
_THAT = r"(?:that(?:'s| is)|which is)"
_MENTIONED = re.compile(
    rf"{_SO}(?:oh,? |by the way,? )?(?:did|have) i (?:ever |already )?"
    r"(?:mention(?:ed)?|tell you|told you|say|said)(?: to you)?(?: that)? (?P<claim>[^?.!]+)\?"
    r"(?= +\w)",
    re.IGNORECASE,
)
_SHOWN = re.compile(
    rf"{_SO}(?:do you |d'you |can you )?see "
    r"(?P<thing>(?:this|that|these|those|my) [^?.!,]{2,40})\? +"
    r"(?:(?:it's |it was )?(?:an? |my ))?(?P<what>[a-z]+) (?P<tie>from|of|by) ",
    re.IGNORECASE,
)
_TOPIC = re.compile(
    rf"{_SO}(?:(?:an? |some |big |quick |small )*(?:update|news|word) (?:on|about|of|from)"
    r"|as (?:for|to)|speaking of|regarding|concerning) (?P<who>[^:,.!?]{2,40})[:,] +"
    r"(?:he|she|it|they)\b(?P<short>'s|'d|'ll)?",
    re.IGNORECASE,
)
_CLEFT = re.compile(
    rf"{_SO}(?P<value>[^,.!?:]{{1,40}})[,.!:] +{_THAT} "
    r"(?P<wh>how old|how many|how much|where|what) (?P<clause>[^.!?,]+)",
    re.IGNORECASE,
)
_VERB = {
    "how old": re.compile(r" (?:is|am|are|was|were|will be|turned)\b", re.IGNORECASE),
    "how many": re.compile(
        r" (?:has|have|had|keeps?|kept|owns?|owned|owes?|owed)\b", re.IGNORECASE
    ),
}
_ASKED_AFTER = re.compile(
    rf"{_SO}(?:do you )?(?:remember|recall|know) (?:where|what|how|who) "
    r"(?P<who>(?:my |our )?[\w-]+(?: [A-Z][\w-]+)?) [^?.!]+\? +(?P<between>[^.!?]*[.!]? ?)"
    r"(?P<he>he|she|they)(?P<short>'s|'ve)? ",
    re.IGNORECASE,
)


_IT_WAS = re.compile(
    rf"{_SO}(?:and |but )?it(?:'s| was| is) (?P<who>(?:my |our |the )?[^.,!?]{{2,40}}?)"
    r" (?:who|that) (?=[a-z]+(?:ed|t|e|w|d|n|s|k|g)\b)",
    re.IGNORECASE,
)
_ALL_THEIRS = re.compile(
    rf"{_SO}(?:[^.!?:,]+: *)?(?P<what>[^.!?:,]{{2,40}}), (?:all|both|each|every one)"
    r"(?: of (?:them|which|those))? (?P<who>(?:my |our |the )?[\w -]{2,40})'s(?=[.!]|$)",
    re.IGNORECASE,
)


@lru_cache(maxsize=4096)
def straight(text: str) -> str:
    """A text with its roundabout turns told straight.

    Examples
    --------
    >>> straight("did I mention that my aunt is a cooper? hard work")
    'my aunt is a cooper. hard work'
    >>> straight("Harrow, that's where I was born. Nothing but mud.")
    'I was born in Harrow. Nothing but mud.'
    """
    for pattern, said in _RULES:
        text = pattern.sub(said, text)
    return text


def _cleft(found: re.Match[str]) -> str:
    value, wh, clause = found["value"].strip(), found["wh"].lower(), found["clause"].strip()
    if value[:1].isupper() and (wh.startswith("how") or value.split(" ")[0] in {"The", "A", "An"}):
        value = value[:1].lower() + value[1:]
    if wh in _VERB:
        verb = _VERB[wh].search(clause)
        if verb is None:
            return found.group()
        said = f"{clause[: verb.end()]} {value}{clause[verb.end() :]}"
    elif wh == "where":
        placed = re.match(r"(?:in|at|near|by|under|behind|beside|on|over)\b", value, re.IGNORECASE)
        said = f"{clause} {'' if placed else 'in '}{value}"
    else:
        said = f"{clause} {value}"
    return said[:1].upper() + said[1:]


def _shown(found: re.Match[str]) -> str:
    article = "an" if found["what"][0] in "aeiou" else "a"
    return f"{found['thing']} is {article} {found['what']} {found['tie']} "


def _theirs(found: re.Match[str]) -> str:
    who, what = found["who"], found["what"]
    return f"{who[:1].upper()}{who[1:]} has {what[:1].lower()}{what[1:]}"


def _named(found: re.Match[str]) -> str:
    who = found["who"]
    return who[:1].upper() + who[1:] + (found["short"] or "")


def _after(found: re.Match[str]) -> str:
    short = {"'s": " has", "'ve": " have", None: ""}[found["short"]]
    return f"{found['between']}{found['who'][:1].upper()}{found['who'][1:]}{short} "


_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (_MENTIONED, r"\g<claim>."),
    (_SHOWN, _shown),
    (_TOPIC, _named),
    (_ASKED_AFTER, _after),
    (_CLEFT, _cleft),
    (_ALL_THEIRS, _theirs),
    (_IT_WAS, r"\g<who> "),
)
