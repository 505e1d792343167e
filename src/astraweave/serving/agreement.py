"""Whether two lines that a player says ask the same, as far as plain rules can tell.

A vector says that two lines are alike; "Did I give you the map?" and "Did you give me the map?" are
more alike than most ways of asking either. So likeness does not decide, this module does, with the
burden of proof on sameness: each line is brought to a row of words in which what cannot matter is
gone (politeness, articles, how a contraction or a number is spelt) and what is put in two ways is
put in one; tense, mood and negation hang on their verbs. Lines agree when the rows are equal.
Names, numbers, who does what to whom, opposites, places and times are listed nowhere: whatever is
not known to be harmless tells two lines apart.

The tables are in ``agreement.toml``, for English. In other languages little more than equal words
in equal order agrees. Time is linear in the line, and long lines agree with nothing.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["MAX_CHARS", "agree", "meaning"]

MAX_CHARS = 300
"""Nobody repeats a longer line in other words."""

_APOSTROPHES = str.maketrans("’‘`´", "''''")
# Every sign but plain punctuation counts: a heart or a percent sign can matter.
_WORD = re.compile(
    r"[^\W_]+(?:[.,:][0-9]+)*(?:'[^\W_]+)*|(?<!\w)-(?=\d)|[^\w\s.,;:!?'\"()\u2026\u2013\u2014\u201c\u201d-]"
)
_PAIR = re.compile(r"\b(twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)[- ](?=[a-z])")
_TAG_QUESTION = re.compile(
    r", *(?:(?:do|does|did|is|are|was|were|have|has|had|wo|would|ca|could)n't"
    r" (?:i|you|he|she|it|we|they)|right) *\?+$"
)
_TAG_REQUEST = re.compile(r", *(?:will|would|can|could) you *[?!]*$")
_ASKS = frozenset(
    "who whom whose what where when why how which is are am was were do does did have has had will"
    " would can could shall should may might must".split()
)
_PRONOUNS = frozenset("i you he she it we they".split())
_PASSIVE = re.compile(r"^(.+) (?:was|were) (\w+) by (.+)$")


class _Language:
    """The tables, ready for use."""

    def __init__(self, tables: dict[str, Any]) -> None:
        self.contractions: dict[str, str] = tables["contractions"]
        self.numbers = {word: str(value) for word, value in tables["numbers"].items()}
        self.same: dict[str, str] = tables["same"]
        self.dropped = frozenset(tables["dropped"])
        self.marks: dict[str, str] = tables["marks"]
        fillers = sorted(tables["fillers"], key=len, reverse=True)
        self.filler = re.compile(rf"\b(?:{'|'.join(map(re.escape, fillers))})\b")
        self.phrases = [
            (re.compile(rule["from"]), rule["to"], rule.get("early", False))
            for rule in tables["phrases"]
        ]
        self.forms: dict[str, tuple[str, bool]] = {}
        """Every form of a known verb: its base, and whether it tells of the past by itself."""
        self.participles: set[str] = set()
        for base, (past, participle) in tables["irregular"].items():
            self._add(base, past, participle)
        for base in tables["regular"]["verbs"].split():
            past = base + "d" if base.endswith("e") else base + "ed"
            if base.endswith("y") and base[-2] not in "aeiou":
                past = base[:-1] + "ied"
            self._add(base, past, past)

    def _add(self, base: str, past: str, participle: str) -> None:
        stem = base.removesuffix("e") if not base.endswith("ee") else base
        third = base + ("es" if base.endswith(("s", "sh", "ch", "o")) else "s")
        if base.endswith("y") and base[-2] not in "aeiou":
            third = base[:-1] + "ies"
        for form in (base, third, stem + "ing", base + "ing", base + base[-1] + "ing"):
            self.forms.setdefault(form, (base, False))
        self.forms.setdefault(participle, (base, True))
        if past != base:
            self.forms[past] = (base, True)
        self.participles.add(participle)


@cache
def _language() -> _Language:
    text = files("astraweave.serving").joinpath("agreement.toml").read_text("utf-8")
    return _Language(tomllib.loads(text))


def agree(first: str, second: str) -> bool:
    """Whether the lines are known to ask the same.

    Examples
    --------
    >>> agree("Have you seen Greta?", "did you see Greta")
    True
    >>> agree("Did I give you the map?", "Did you give me the map?")
    False
    >>> agree("I need two horses.", "I need 2 horses, please!")
    True
    >>> agree("I trust you.", "I don't trust you.")
    False
    """
    left = meaning(first)
    return left is not None and left == meaning(second)


def meaning(line: str) -> tuple[str, ...] | None:
    """The row of words by which lines are compared; None for a line that agrees with none.

    Examples
    --------
    >>> meaning("Could you tell me where the blacksmith is?")
    ('?', 'where', 'blacksmith')
    >>> meaning("The guard never saw me.")
    ('guard', 'never', 'see+past', 'i')
    """
    if len(line) > MAX_CHARS:
        return None
    language = _language()
    lowered = line.lower().translate(_APOSTROPHES).strip()
    lowered, requests = _TAG_REQUEST.subn("", lowered)
    text = _spelled_out(_TAG_QUESTION.sub("", lowered), language)
    # Who does not type question marks still begins as a question does.
    start = language.filler.sub(" ", text).split()[:1]
    question = not requests and ("?" in lowered or not _ASKS.isdisjoint(start))
    text = _rephrased(text, language)
    if text.startswith(("!", "?")):
        question = text.startswith("?")
    words = text.replace("!", " ").replace("?", " ").split()
    row = _row(words, language)
    if not row:
        return None
    return ("?", *row) if question else tuple(row)


def _rephrased(text: str, language: _Language) -> str:
    """The line as the phrases have it; begins with ! or ? where they know what it is."""
    for early in (True, False):
        for pattern, replacement, comes_early in language.phrases:
            if comes_early == early:
                changed, times = pattern.subn(replacement, text)
                text = " ".join(changed.split()) if times else text
        if early:
            # Nothing but fillers: they are the line.
            text = " ".join(language.filler.sub(" ", text).split()) or text
    passive = _PASSIVE.match(text)
    if passive and passive[2] in language.participles:
        text = f"{passive[3]} did {language.forms[passive[2]][0]} {passive[1]}"
    return text


def _spelled_out(text: str, language: _Language) -> str:
    """Words and signs with blanks between them; contractions and numbers written out."""
    out: list[str] = []
    for word in _WORD.findall(_PAIR.sub(r"\1_", text).replace("_", " ")):
        if word in language.contractions:
            out += language.contractions[word].split()
            continue
        head, quote, tail = word.rpartition("'")
        if tail == "t" and head.endswith("n"):
            out += [head[:-1], "not"]
        elif quote and tail in _TAILS:
            out += [head, _TAILS[tail]]
        elif quote and tail == "s":
            out += [head, "'s"]
        else:
            out.append(word)
    return " ".join(language.same.get(word, word) for word in _numbers(out, language))


_TAILS = {"m": "am", "re": "are", "ve": "have", "ll": "will", "d": "would"}


def _numbers(words: list[str], language: _Language) -> list[str]:
    """Number words as digits: "twenty five" is 25, "two hundred" is 200."""
    out: list[str] = []
    value: int | None = None
    for word in words:
        digits = language.numbers.get(word)
        if digits is not None:
            number = int(digits)
            if value is not None and _goes_on(value, number):
                value += number
            else:
                if value is not None:
                    out.append(str(value))
                value = number
        elif word in {"hundred", "thousand"}:
            if value is None and out and out[-1] == "a":
                out.pop()
            value = (1 if value is None else value) * (100 if word == "hundred" else 1000)
        else:
            if value is not None:
                out.append(str(value))
                value = None
            out.append(word)
    if value is not None:
        out.append(str(value))
    return out


def _goes_on(value: int, number: int) -> bool:
    """Whether the word goes on with the number: "twenty" five, "two hundred" six."""
    if number == 0 or value == 0:
        return False
    return value % 100 == 0 or (value % 100 >= 20 and value % 10 == 0 and number < 10)


def _row(words: list[str], language: _Language) -> list[str]:
    """Content words in order, each with the marks that hang on it."""
    row: list[str] = []
    waiting: set[str] = set()
    for index, word in enumerate(words):
        mark = language.marks.get(word)
        if mark is not None and (word not in _HAVE or _is_auxiliary(words, index, language)):
            waiting.add(mark)
            continue
        if word in language.dropped:
            continue
        base, past = language.forms.get(word, (word, False))
        known = word in language.forms
        if word == "been" and "".join(words[index + 1 : index + 2]).endswith("ing"):
            waiting.add("past")  # "been living" is "lived"
            continue
        if known and base != word and word.endswith("ing") and words[index - 1] != "been":
            waiting.add("ing")  # "stopped drinking" is not "stopped to drink"
        if word in language.participles and _after_be(words, index):
            waiting.add("done")  # "was killed" and "killed"
        elif past:
            waiting.add("past")
        if word in _PRONOUNS or (waiting and not known and _verb_follows(words, index, language)):
            row.append(base)
            continue
        row.append("+".join([base, *sorted(waiting)]))
        waiting.clear()
    if waiting and row:
        row[-1] = "+".join([row[-1], *sorted(waiting)])
    return row


_HAVE = frozenset({"have", "has", "had"})
_BETWEEN = frozenset("not never already just always ever also still now".split())
_BE = frozenset("is are am was were be been being".split())


def _after_be(words: list[str], index: int) -> bool:
    """Whether a participle tells what was done to somebody: "is broken"."""
    return index > 0 and any(word in _BE for word in words[max(0, index - 3) : index])


def _is_auxiliary(words: list[str], index: int, language: _Language) -> bool:
    """Whether a "have" belongs to a participle: "have you seen", but not "have a broken leg"."""
    if index == 0 or words[index - 1] in _ASKS:  # the one who has stands between
        return any(word in language.participles for word in words[index + 1 : index + 5])
    for word in words[index + 1 : index + 4]:
        if word in language.participles:
            return True
        if word not in _BETWEEN:
            return False
    return False


def _verb_follows(words: list[str], index: int, language: _Language) -> bool:
    return any(word in language.forms for word in words[index + 1 : index + 5])
