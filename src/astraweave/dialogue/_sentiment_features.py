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
_GOOD = frozenset({"joy", "affection", "praise", "thanks"})
_BAD = frozenset({"insult", "threat", "anger", "disgust", "sadness", "fear"})


@functools.cache
def _lists() -> Mapping[str, re.Pattern[str]]:
    path = resources.files("astraweave.dialogue.sentiment_data").joinpath("words.toml")
    found = {}
    for name, text in tomllib.loads(path.read_text(encoding="utf-8")).items():
        lexer = shlex.shlex(text, posix=True)
        lexer.whitespace_split, lexer.quotes, lexer.escape, lexer.commenters = True, '"', "", ""
        parts = [re.escape(each.rstrip("*")) + r"\w*" * each.endswith("*") for each in lexer]
        parts.sort(key=len, reverse=True)
        found[name] = re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?![\w'])")
    return found


def is_english(text: str) -> bool:
    """Whether enough of a line is English to be read as such; one word is given the doubt."""
    lowered = text[:_MAX_CHARS].translate(_APOSTROPHES).casefold()
    words = _WORD.findall(lowered)
    if not words or any(ord(letter) > _LAST_LATIN for word in words for letter in word):
        return False
    lists = _lists()
    if any(lists[name].search(lowered) for name in CATEGORIES if name != "threat"):
        needed = 0.15
    else:
        needed = 0.25
    known = sum(lists["english"].fullmatch(word) is not None for word in words)
    return known >= needed * len(words) if len(words) > 1 else True


def features(text: str) -> NDArray[np.float32]:
    """The features of a line, shape ``(len(FEATURES),)``, each from 0 to 2. Thread-safe."""
    line = text[:_MAX_CHARS].translate(_APOSTROPHES)
    lowered = line.casefold()
    spans = [(found[0], found.start()) for found in _WORD.finditer(lowered)]
    words = [word for word, _ in spans]
    lists = _lists()
    turned = _turned(lowered, spans, lists["negation"])
    value = dict.fromkeys(FEATURES, 0.0)
    negated = insult_denied = 0
    for name in CATEGORIES:
        for found in lists[name].finditer(lowered):
            if found.start() in turned:
                negated += 1
                insult_denied += name in {"insult", "threat"}
            else:
                value[name] += 1.0
    first = words[0] if words else ""
    you, i = sum(w in _YOU for w in words), sum(w in _I for w in words)
    good, bad = (sum(value[n] for n in names) for names in (_GOOD, _BAD))
    quoted = len(_QUOTED.findall(lowered))
    others = len(lists["others"].findall(lowered))
    asks = "?" in line
    letters = [c for c in line if c.isalpha()]
    value |= {
        "negated": negated,
        "you": you,
        "i": i,
        "you_first": first in _YOU,
        "i_first": first in _I,
        "others": others,
        "others_first": bool(lists["others"].match(lowered)) or (first in {"the", "my"} and not i),
        "asks": asks,
        "asks_first": asks and first in _ASKING,
        "quotes": quoted,
        "exclaims": line.count("!"),
        "dots": "..." in line or "\u2026" in line,
        "shouts": len(letters) > 4 and sum(c.isupper() for c in letters) > 0.7 * len(letters),
        "mocking": len(lists["mocking"].findall(re.sub(r"[,.]", "", lowered))),
        "short": len(words) <= 2,
        "length": math.log1p(len(words)) / 2,
        "negations": len(lists["negation"].findall(lowered)),
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


def _turned(text: str, spans: list[tuple[str, int]], negation: re.Pattern[str]) -> set[int]:
    """Where the words begin that a negation turns: the few after it, up to a comma."""
    found: set[int] = set()
    left, last = 0, 0
    for word, start in spans:
        if left and re.search(r"[,.;!?]", text[last:start]):
            left = 0
        if left:
            found.add(start)
            left -= 1
        if negation.fullmatch(word):
            left = _REACH
        last = start + len(word)
    return found
