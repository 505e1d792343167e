"""The words of a line as memories compare them: what is said, and what is only air."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files

import msgspec

from astraweave.core.toml import TomlText

__all__ = ["Lexicon", "is_number", "lexicon", "stem", "tokens_of"]

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_NUMBERS = frozenset(
    """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety
    hundred thousand dozen twice thrice
    first second third fourth fifth sixth seventh eighth ninth tenth
    """.split()
)
_CONTRACTIONS = {
    "i'm": "i am", "you're": "you are", "he's": "he is", "she's": "she is", "it's": "it is",
    "we're": "we are", "they're": "they are", "that's": "that is", "there's": "there is",
    "i've": "i have", "you've": "you have", "we've": "we have", "they've": "they have",
    "i'll": "i will", "you'll": "you will", "he'll": "he will", "she'll": "she will",
    "we'll": "we will", "they'll": "they will", "it'll": "it will", "i'd": "i would",
    "isn't": "is not", "aren't": "are not", "wasn't": "was not", "weren't": "were not",
    "don't": "do not", "doesn't": "does not", "didn't": "did not", "won't": "will not",
    "can't": "can not", "cannot": "can not", "couldn't": "could not", "wouldn't": "would not",
    "shouldn't": "should not", "hasn't": "has not", "haven't": "have not", "hadn't": "had not",
    "ain't": "is not", "who's": "who is", "what's": "what is", "let's": "let us",
}  # fmt: skip


class Lexicon(msgspec.Struct, frozen=True, kw_only=True):
    """What `writing.toml` says; words by their stems where they are compared."""

    function_words: frozenset[str]
    small_talk: frozenset[str]
    orders: frozenset[str]
    crafts: frozenset[str]
    feelings: frozenset[str]
    relations: frozenset[str]
    bonds: frozenset[str]
    single_valued: frozenset[str]
    matters_of_opinion: frozenset[str]
    offices: frozenset[str]
    trades: frozenset[str]
    coins: frozenset[str]
    price_words: frozenset[str]
    raised: frozenset[str]
    times: frozenset[str]
    past_verbs: frozenset[str]
    left_out_of_frames: frozenset[str]
    """Words that do not make out what a number, a price or a day is of."""
    states: Mapping[str, tuple[tuple[int, int], ...]]
    """Stem of a state to the pairs that it stands in, each with its side."""


@cache
def lexicon() -> Lexicon:
    """The words that come with the package, read once."""
    source = "writing.toml"
    data = TomlText(files(__package__).joinpath(source).read_text("utf-8"), source).data
    words = {name: frozenset(value.split()) for name, value in data.items() if name != "exclusive"}
    states: dict[str, tuple[tuple[int, int], ...]] = {}
    for number, pair in enumerate(data["exclusive"]):
        for side, names in enumerate(pair["sides"]):
            for name in names.split():
                key = stem(name)
                states[key] = (*states.get(key, ()), (number, side))
    plain = {"function_words", "orders", "crafts", "price_words", "raised", "times", "past_verbs"}
    stemmed = {
        name: value if name in plain else frozenset(map(stem, value))
        for name, value in words.items()
    }
    other = words["function_words"] | words["price_words"] | words["raised"] | words["times"]
    return Lexicon(states=states, left_out_of_frames=other | {"'s"}, **stemmed)


@lru_cache(maxsize=64)  # each line is asked for a few times in a row
def tokens_of(text: str) -> tuple[str, ...]:
    """Folded words; what is drawn together ("isn't", "sister's") is taken apart."""
    tokens: list[str] = []
    for match in _TOKEN.finditer(text.casefold().replace("’", "'")):
        word = match.group()
        if "'" not in word and word != "cannot":
            tokens.append(word)
        elif whole := _CONTRACTIONS.get(word):
            tokens += whole.split()
        else:
            before, _, after = word.partition("'")
            tokens += [before, "'s"] if after == "s" else [word]
    return tuple(tokens)


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without its ending; close enough to tell "locks" and "locked" from "lake".

    Examples
    --------
    >>> [stem(word) for word in ("locked", "lies", "lying", "promised", "wives", "ring")]
    ['lock', 'lie', 'lie', 'promis', 'wiv', 'ring']
    """
    if len(word) < 4:
        return word
    if word.endswith("ying"):
        return word[:-4] + ("ie" if len(word) == 5 else "i")
    if word.endswith("ies"):
        return word[:-3] + ("ie" if len(word) == 4 else "i")
    for ending in ("ings", "ing", "edly", "ed"):
        if word.endswith(ending) and len(word) - len(ending) > 2:
            word = word[: -len(ending)]
            if word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            return word
    for ending in ("sses", "shes", "ches", "xes"):
        if word.endswith(ending):
            return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith("e") and len(word) > 3:
        return word[:-1]
    return word[:-1] + "i" if word.endswith("y") and len(word) > 3 else word


def is_number(token: str) -> bool:
    """Whether a word counts something: a figure, or a number word."""
    return token.isdigit() or token in _NUMBERS
