"""A memory as bare words, and the words that tell what it holds (``recollect.toml``)."""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass, field
from importlib import resources

from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.words import number_value

__all__ = [
    "Text",
    "attribute_patterns",
    "kind_patterns",
    "same_sort",
    "side_patterns",
    "word_groups",
]

_TOKEN = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*(?:['’][a-z]+)?|\d+")
_FIRST_PERSON = frozenset(["i", "i'm", "i've", "i'd", "i'll"])


@dataclass(slots=True)
class Text:
    """A memory in words: as written, and bare in lower case."""

    written: list[str]
    low: list[str]
    starts: list[bool]
    """Whether a word begins a sentence, so that its capital says nothing."""
    words: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    @functools.lru_cache(maxsize=1024)
    def of(cls, text: str) -> Text:
        """The words of a text; kept for the next question."""
        written, low, starts = [], [], []
        for match in _TOKEN.finditer(text):
            before = text[: match.start()].rstrip(" \"'“‘(")
            written.append(match.group())
            low.append(_bare(match.group()))
            starts.append(not before or before[-1] in ".!?:;")
        return cls(written, low, starts, frozenset(low))

    def names(self) -> list[tuple[int, str]]:
        """Places and lower-case forms of what is written like a name."""
        vocabulary, lex = word_groups(), lexicon()
        found = []
        for index, (word, low) in enumerate(zip(self.written, self.low, strict=True)):
            if not word[:1].isupper() or low in vocabulary["calendar"] or low in _FIRST_PERSON:
                continue
            plain = low in vocabulary["common"] or number_value(low) is not None
            if self.starts[index] and (plain or low in lex.forms or lex.known(low)):
                continue
            found.append((index, low))
        return found


def _bare(word: str) -> str:
    low = word.lower().replace("’", "'")
    return low.removesuffix("'s") if low not in _FIRST_PERSON else low


def same_sort(asked: str, word: str) -> bool:
    """Whether one word means the other, or a kind of it."""
    lex = lexicon()
    return lex.same(asked, word) or lex.is_kind(asked, word) or lex.is_kind(word, asked)


@functools.cache
def _data() -> dict[str, dict[str, str]]:
    text = resources.files(__package__ or "").joinpath("recollect.toml").read_text("utf-8")
    return tomllib.loads(text)


@functools.cache
def word_groups() -> dict[str, frozenset[str]]:
    """Groups of words by name."""
    groups = {name: frozenset(text.split()) for name, text in _data()["words"].items()}
    groups["calendar"] = groups["weekdays"] | groups["months"]
    return groups


@functools.cache
def kind_patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Kinds of what is asked for, and how such a question is known; the first that fits counts."""
    return tuple((kind, re.compile(pattern)) for kind, pattern in _data()["kinds"].items())


@functools.cache
def attribute_patterns() -> tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...]:
    """Attributes: how they are asked for, and how a memory speaks of them."""
    asked, said = _data()["asked"], _data()["said"]
    return tuple((name, re.compile(asked[name]), re.compile(said[name])) for name in asked)


@functools.cache
def side_patterns() -> tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]:
    """Sides of life: how questions and how memories speak of them."""
    sides: dict[str, tuple[str, str]] = _data()["sides"]  # type: ignore[assignment]
    return tuple((re.compile(asked), re.compile(said)) for asked, said in sides.values())
