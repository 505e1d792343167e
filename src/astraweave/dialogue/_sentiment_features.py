"""What the words of a line alone say about the player's feelings: counts and cues, no model."""

from __future__ import annotations

import functools
import math
import re
import shlex
import tomllib
from collections.abc import Mapping
from importlib import resources

import numpy as np
from numpy.typing import NDArray

__all__ = ["CATEGORIES", "FEATURES", "features", "is_english"]

CATEGORIES = (
    "joy", "affection", "praise", "thanks", "apology", "insult", "threat", "anger", "disgust",
    "sadness", "fear", "surprise",
)  # fmt: skip
_CUES = (
    "negated", "you", "i", "you_first", "i_first", "others", "others_first", "asks", "asks_first",
    "quotes", "exclaims", "dots", "shouts", "mocking", "short", "length", "negations",
    "good_you", "bad_you", "bad_i", "threat_i", "felt_asked", "felt_others", "felt_quoted",
    "denied_i", "insult_denied",
)  # fmt: skip
FEATURES: tuple[str, ...] = (*CATEGORIES, *_CUES)
"""Names of the features, in their order."""

_MAX_CHARS = 500
_LAST_LATIN = 0x24F
_MOST = 2.0
_REACH = 3
"""How many words a negation turns."""
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "`": "'", "\u201c": '"', "\u201d": '"'})
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_YOU = frozenset("you your you're you'll you've you'd yourself yours u".split())
_I = frozenset("i i'm i'll i've i'd im me my mine myself we we're our us".split())
_ASKING = frozenset(
    "who what where when why which how is are do does did can could has have".split()
)
_QUOTED = re.compile(r"\"[^\"]{3,}\"|\bsaid that\b|\bsays that\b|\bcalled me\b|\btold (?:me|the)\b")
_PAUSE = re.compile(r"[,.;!?]")
_CATEGORY_SET = frozenset(CATEGORIES)
_TELLING = _CATEGORY_SET - {"threat"}
_GOOD = frozenset({"joy", "affection", "praise", "thanks"})
_BAD = frozenset({"insult", "threat", "anger", "disgust", "sadness", "fear"})


@functools.cache
def _lists() -> Mapping[str, tuple[str, ...]]:
    """The entries of each list in ``words.toml``; a "*" at the end stands for any ending."""
    path = resources.files("astraweave.dialogue.sentiment_data").joinpath("words.toml")
    found = {}
    for name, text in tomllib.loads(path.read_text(encoding="utf-8")).items():
        lexer = shlex.shlex(text, posix=True)
        lexer.whitespace_split, lexer.quotes, lexer.escape, lexer.commenters = True, '"', "", ""
        found[name] = tuple(lexer)
    return found


@functools.cache
def _words() -> tuple[Mapping[str, frozenset[str]], Mapping[str, tuple[str, ...]]]:
    """Whole words to the lists that have them, and lists to the beginnings that they have."""
    whole: dict[str, set[str]] = {}
    begun: dict[str, tuple[str, ...]] = {}
    for name, entries in _lists().items():
        for entry in entries:
            if _WORD.fullmatch(entry):
                whole.setdefault(entry, set()).add(name)
        begun[name] = tuple(entry[:-1] for entry in entries if entry.endswith("*"))
    return {word: frozenset(names) for word, names in whole.items()}, begun


@functools.cache
def _phrases() -> tuple[re.Pattern[str], Mapping[str, tuple[str, ...]]]:
    """What finds the entries of several words, and the lists that each stands in."""
    names: dict[str, tuple[str, ...]] = {}
    for name, entries in _lists().items():
        for entry in entries:
            if not entry.endswith("*") and not _WORD.fullmatch(entry):
                names[entry] = (*names.get(entry, ()), name)
    parts = "|".join(re.escape(each) for each in sorted(names, key=len, reverse=True))
    return re.compile(rf"(?<!\w)(?:{parts})(?![\w'])"), names


@functools.lru_cache(maxsize=4096)
def _lists_of(word: str) -> frozenset[str]:
    """The lists that a word stands in."""
    whole, begun = _words()
    found = {name for name, starts in begun.items() if word.startswith(starts)}
    return whole.get(word, frozenset()) | found


def is_english(text: str) -> bool:
    """Whether enough of a line is English to be read as such; one word is given the doubt."""
    lowered = text[:_MAX_CHARS].translate(_APOSTROPHES).casefold()
    words = _WORD.findall(lowered)
    if not words or any(ord(letter) > _LAST_LATIN for word in words for letter in word):
        return False
    lists = [_lists_of(word) for word in words]
    telling = any(not names.isdisjoint(_TELLING) for names in lists)
    known = sum("english" in names for names in lists)
    return len(words) == 1 or known >= (0.15 if telling else 0.25) * len(words)


def features(text: str) -> NDArray[np.float32]:
    """The features of a line, shape ``(len(FEATURES),)``, each from 0 to 2. Thread-safe."""
    line = text[:_MAX_CHARS].translate(_APOSTROPHES)
    lowered = line.casefold()
    spans = [(found[0], found.start()) for found in _WORD.finditer(lowered)]
    words = [word for word, _ in spans]
    lists = [_lists_of(word) for word in words]
    turned = _turned(lowered, spans, lists)
    value = dict.fromkeys(FEATURES, 0.0)
    negated = insult_denied = mocking = 0
    pattern, names_of = _phrases()
    phrases = [(names_of[found[0]], found.start()) for found in pattern.finditer(lowered)]
    single = ((names, start) for names, (_, start) in zip(lists, spans, strict=True))
    for names, start in (*single, *phrases):
        for name in names:
            if name == "mocking":
                mocking += 1
            elif name not in _CATEGORY_SET:
                continue
            elif start in turned:
                negated += 1
                insult_denied += name in {"insult", "threat"}
            else:
                value[name] += 1.0
    first = words[0] if words else ""
    you, i = sum(w in _YOU for w in words), sum(w in _I for w in words)
    good, bad = (sum(value[n] for n in names) for names in (_GOOD, _BAD))
    quoted = len(_QUOTED.findall(lowered))
    others = sum("others" in names for names in lists)
    asks = "?" in line
    letters = [c for c in line if c.isalpha()]
    value |= {
        "negated": negated,
        "you": you,
        "i": i,
        "you_first": first in _YOU,
        "i_first": first in _I,
        "others": others,
        "others_first": (bool(lists) and "others" in lists[0])
        or (first in {"the", "my"} and not i),
        "asks": asks,
        "asks_first": asks and first in _ASKING,
        "quotes": quoted,
        "exclaims": line.count("!"),
        "dots": "..." in line or "\u2026" in line,
        "shouts": len(letters) > 4 and sum(c.isupper() for c in letters) > 0.7 * len(letters),
        "mocking": mocking,
        "short": len(words) <= 2,
        "length": math.log1p(len(words)) / 2,
        "negations": sum("negation" in names for names in lists),
        "good_you": good > 0 and you > 0 and not asks,
        "bad_you": bad > 0 and you > 0 and not asks,
        "bad_i": bad > 0 and i > 0 and not asks,
        "threat_i": value["threat"] > 0 and (i > 0 or you > 0) and not asks,
        "felt_asked": good + bad > 0 and asks,
        "felt_others": good + bad > 0 and others > 0 and not i and not you,
        "felt_quoted": good + bad > 0 and quoted > 0,
        "denied_i": negated > 0 and i > 0,
        "insult_denied": insult_denied,
    }
    return np.array([min(_MOST, float(value[name])) for name in FEATURES], dtype=np.float32)


def _turned(text: str, spans: list[tuple[str, int]], lists: list[frozenset[str]]) -> set[int]:
    """Where the words begin that a negation turns: the few after it, up to a comma."""
    found: set[int] = set()
    left, last = 0, 0
    for (word, start), names in zip(spans, lists, strict=True):
        if left and _PAUSE.search(text, last, start):
            left = 0
        if left:
            found.add(start)
            left -= 1
        if "negation" in names:
            left = _REACH
        last = start + len(word)
    return found
