"""Scoring by slot: the right one has to be there, the wrong ones must not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

import msgspec

from astraweave.bench._corpus import corpus

__all__ = [
    "DONT_KNOW",
    "Verdict",
    "canonical",
    "holds_slot",
    "invented_in",
    "is_ignorant",
    "number_words",
    "score_line",
]

DONT_KNOW = (
    r"\b(?:do not|don't|didn't|wouldn't|cannot|can't|couldn't) (?:\w+ ){0,2}?(?:know|recall|say)\b",
    r"\b(?:do not|don't|cannot|can't|couldn't) (?:\w+ ){0,2}?(?:remember|tell|guess|think of)\b",
    r"\b(?:never|not|nothing|haven't|hasn't|didn't)(?: \w+){0,4}? (?:told|tell|heard|hear)\b",
    r"\b(?:never|not|nothing|haven't|hasn't|didn't)(?: \w+){0,4}? (?:said|say|mention|spoke|speak)",
    r"\b(?:no idea|no notion|no clue|no memory|no recollection)\b",
    r"\b(?:i'm|i am) (?:not sure|unsure|not certain|at a loss)\b",
    r"\b(?:beats me|you've lost me|not that i know|not that i recall|that's news to me)\b",
    r"\b(?:don't|do not) have (?:that|any|an answer)\b",
    r"\b(?:you|i) (?:kept|left) that (?:\w+ )?(?:to yourself|out)\b",
    r"\b(?:i've|i have) forgotten\b|\bi forget\b|\bslipped my mind\b",
)
"""What counts as saying honestly that one does not know (over the lower-case line)."""

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_VALUES = {word: n for n, word in enumerate(_ONES)} | {
    word: 10 * n for n, word in enumerate(_TENS) if n > 1
}
_DONT_KNOW = re.compile("|".join(DONT_KNOW))
_NEGATION = r"\b(?:not|never|wasn't|isn't|weren't|neither|nor) (?:(?:your \w+|the|an?|at|in|by) )?"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a line is right, and why; `claims`: it claims what is not so."""

    correct: bool
    why: str
    claims: bool = False


def number_words(number: int) -> str:
    """A number below a hundred in words.

    Examples
    --------
    >>> number_words(42)
    'forty-two'
    """
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")


def canonical(text: str) -> str:
    """Lower case, no punctuation, no possessive, numbers as digits.

    Examples
    --------
    >>> canonical("Forty-two of Mira's goats -- a dozen more!")
    '42 of mira goats 12 more'
    """
    text = re.sub(r"'s\b|'(?!\w)", "", _plain(text))
    words = re.findall(r"[\w']+", text)
    out: list[str] = []
    index = 0
    while index < len(words):
        word, following = words[index], words[index + 1] if index + 1 < len(words) else ""
        value = _VALUES.get(word)
        if word == "a" and following == "dozen":
            word, index = "12", index + 1
        elif word == "dozen":
            word = "12"
        elif value is not None:
            if value >= 20 and 0 < _VALUES.get(following, 0) < 10:
                value, index = value + _VALUES[following], index + 1
            word = str(value)
        out.append(word)
        index += 1
    return " ".join(out)


def is_ignorant(line: str) -> bool:
    """Whether a line says honestly that one does not know."""
    return _DONT_KNOW.search(_plain(line)) is not None


def score_line(
    line: str,
    *,
    question: str,
    expected: tuple[str, ...],
    forbidden: tuple[str, ...],
    wrong: tuple[str, ...],
    context: tuple[str, ...],
) -> Verdict:
    """See `astraweave.bench.sittings.score`."""
    said = canonical(line)
    ignorant = is_ignorant(line)
    if not expected:
        if not ignorant:
            return _false("it should have said that it does not know")
        if invented := invented_in(line, " ".join((question, *context))):
            return _false(f"invented: {invented}")
        return Verdict(correct=True, why="an honest don't-know")
    found = next((slot for slot in expected if holds_slot(said, slot)), None)
    if ignorant:
        return Verdict(correct=False, why="says that it does not know")
    if found is None:
        return Verdict(correct=False, why=f"does not name {expected[0]!r}")
    if slot := next((slot for slot in forbidden if holds_slot(said, slot)), None):
        return _false(f"names {slot!r}, which belongs to something else")
    if any(re.search(rf"\b(?:{pattern})\b", said) for pattern in wrong):
        return _false("reverses who did what")
    denial = re.compile(_NEGATION + re.escape(canonical(found)) + r"\b")
    if any(denial.search(canonical(s)) for s in re.split(r"(?<=[.!?:;])\s+", line)):
        return _false(f"denies {found!r}")
    return Verdict(correct=True, why=f"names {found!r}")


def _false(why: str) -> Verdict:
    return Verdict(correct=False, why=why, claims=True)


def _plain(text: str) -> str:
    return text.lower().replace("\u2019", "'").replace("\u2018", "'")


def holds_slot(said: str, slot: str) -> bool:
    """Whether a canonical line names a slot."""
    return f" {canonical(slot)} " in f" {said} "


def invented_in(line: str, context: str) -> str | None:
    """The first name, number or value in a line that its context does not hold."""
    said, allowed = canonical(line), canonical(context)
    for slot in _vocabulary():
        if f" {slot} " in f" {said} " and f" {slot} " not in f" {allowed} ":
            return slot
    for number in re.findall(r"\b\d+\b", said):
        if int(number) > 1 and number not in allowed.split():
            return str(number)
    for sentence in re.split(r"(?<=[.!?:;])\s+", line):
        for word in re.findall(r"\b[A-Z]\w+", sentence[1:]):
            if word != "Tam" and canonical(word) not in allowed.split():
                return str(word)
    return None


@cache
def _vocabulary() -> tuple[str, ...]:
    words = corpus().words
    heads: Iterable[str] = (head for group in words.things for head in group.heads)
    lists = (
        *(words.women, words.men, words.towns, words.spots, words.months, words.days),
        *(words.colours, words.beasts, words.trades, words.foods, words.instruments, words.pets),
    )
    values = [value.split("|")[0] for values in lists for value in values]
    return tuple(canonical(value) for value in (*values, *heads))
