"""What composing needs to know about a language, read from ``languages/TAG.toml``.

A studio adds a language by adding a file; what a file leaves out is simply not done in that
language (no contractions, no change of person), so that a text is never mangled.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from astraweave.core.toml import TomlText
from astraweave.dialogue.conditions import DAY_S, Condition
from astraweave.dialogue.person_shift import PersonShift
from astraweave.dialogue.tone import Tone
from astraweave.errors import ConfigError

__all__ = ["Grammar", "language_of"]

_KEYS = (
    "tag", "name", "quotes", "list", "openers", "keep_capital", "stopwords", "article", "contract",
    "expand",
    "past", "later", "ago", "feelings", "moods", "numbers", "swap", "conjugate", "events", "acts",
    "questions", "asked", "happened",
)  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


class Grammar:
    """One language's tables and what is done with them. Immutable; thread-safe.

    Parameters
    ----------
    document : TomlText
        A language's file (see ``docs/howto/voices.md``).

    Raises
    ------
    ConfigError
        It has an unknown key or a value of the wrong type.

    Examples
    --------
    >>> english = Grammar.named("en")
    >>> english.with_articles("a apple and a use")
    'an apple and a use'
    >>> english.joined(["a rope", "a lamp", "two nails"])
    'a rope, a lamp and two nails'
    """

    def __init__(self, document: TomlText) -> None:
        data = document.data
        document.check_keys(data, _KEYS)
        self.tag: str = data.get("tag", "")
        self.name: str = data.get("name", self.tag)
        try:
            self._read(data)
        except (TypeError, ValueError, AttributeError, KeyError, IndexError, re.error) as error:
            raise ConfigError(
                f"{document.source}: a value has the wrong form: {error}", source=document.source
            ) from error

    def _read(self, data: Mapping[str, Any]) -> None:
        opened, closed = data.get("quotes", ('"', '"'))
        self.quotes: tuple[str, str] = (str(opened), str(closed))
        comma, last = data.get("list", (", ", ", "))
        self._comma, self._and = str(comma), str(last)
        self.keep_capital = frozenset(data.get("keep_capital", ()))
        self.stopwords = frozenset(data.get("stopwords", "").split())
        self._openers = re.compile(data.get("openers", "(?!)"), re.IGNORECASE)
        article = data.get("article", {})
        self._article: dict[str, str] = dict(article.get("before_vowel", {}))
        self._vowels: str = article.get("vowels", "")
        self._consonant = tuple(article.get("as_consonant", ()))
        self._vowel = tuple(article.get("as_vowel", ()))
        self._contract = _replacer(data.get("contract", {}), followed=True)
        self._expand = _replacer(data.get("expand", {}), followed=False)
        self._ago = [
            (float(days), str(text)) for days, text in data.get("ago", {}).get("steps", ())
        ]
        self._feelings = [
            (Condition.parse(when), str(word))
            for when, word in data.get("feelings", {}).get("list", ())
        ]
        moods = data.get("moods", {})
        self._moods = {name: re.compile(pattern) for name, pattern in moods.items()}
        self._past: Mapping[str, str] = data.get("past", {})
        self._later = _replacer(data.get("later", {}), followed=False)
        self._numbers: list[str] = data.get("numbers", {}).get("words", "").split()
        swap = data.get("swap")
        self._shift = PersonShift(swap, data.get("conjugate", {})) if swap else None
        self.events: Mapping[str, Any] = data.get("events", {})
        self.swap: Mapping[str, Mapping[str, str]] = swap or {}
        self.acts = {
            kind: re.compile(pattern, re.IGNORECASE)
            for kind, pattern in data.get("acts", {}).items()
        }
        self.questions = [
            (re.compile(asks, re.IGNORECASE), re.compile(needs, re.IGNORECASE))
            for asks, needs in data.get("questions", {}).get("needs", ())
        ]
        asked = dict(data.get("asked", {}))
        self.feeling_words: Mapping[str, str] = asked.pop("feelings", {})
        self.asked = {kind: re.compile(text, re.IGNORECASE) for kind, text in asked.items()}
        self.happened: Mapping[str, Mapping[str, str]] = data.get("happened", {})
        naming = data.get("questions", {}).get("naming", "")
        self.naming = re.compile(naming) if naming else None
        self.question_words = frozenset(data.get("questions", {}).get("words", "").split())

    @classmethod
    def named(cls, tag: str) -> Grammar:
        """The grammar of a language that comes with astraweave; any other one knows nothing.

        Only the part of `tag` before the first hyphen counts: ``"de-AT"`` is German.
        """
        return _named(tag.split("-")[0].casefold())

    @classmethod
    def load(cls, path: str | Path) -> Grammar:
        """Read a language's file.

        Raises
        ------
        ConfigError
            It cannot be read or used.
        """
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the language {path} cannot be read: {error}") from error
        return cls(TomlText(text, str(path)))

    # -- words ------------------------------------------------------------------------------------

    def contracted(self, text: str) -> str:
        """With the language's contractions."""
        return self._contract(text)

    def expanded(self, text: str) -> str:
        """Without contractions, as far as they have one meaning only."""
        return self._expand(text)

    def with_articles(self, text: str) -> str:
        """Each article in the form that the word behind it asks for."""
        if not self._article:
            return text

        def fitting(match: re.Match[str]) -> str:
            after = match[2].casefold()
            vowel = match[2][0] in self._vowels
            if after.startswith(self._consonant or "\0"):
                vowel = False
            if after.startswith(self._vowel or "\0"):
                vowel = True
            article = self._article[match[1]] if vowel else match[1]
            return f"{article} {match[2]}"

        words = "|".join(map(re.escape, self._article))
        return re.sub(rf"\b({words}) ([^\W\d_]+)", fitting, text)

    def joined(self, items: Sequence[str]) -> str:
        """A list as it is spoken."""
        if len(items) < 2:
            return "".join(items)
        return self._comma.join(items[:-1]) + self._and + items[-1]

    def number(self, value: int) -> str:
        """A small number in words, a larger one in digits."""
        return self._numbers[value] if 0 <= value < len(self._numbers) else f"{value}"

    def quoted(self, text: str) -> str:
        """A text between the language's quotation marks, its own turned out of the way."""
        inner = text.strip().strip('"“”„«»').replace('"', "'")
        return f"{self.quotes[0]}{inner}{self.quotes[1]}"

    def ago(self, age_s: float) -> str:
        """How long ago something was: "some days ago"; empty where the language has no words."""
        for days, said in self._ago:
            if age_s < days * DAY_S or days <= 0:
                return said
        return ""

    def feeling(self, tone: Tone) -> str:
        """A word for how somebody in this tone feels; empty where the language has none."""
        return next((word for condition, word in self._feelings if condition.holds(tone)), "")

    def takes(self, told: str) -> str:
        """How something told wants to be taken: ``"sad"``, ``"glad"`` or empty."""
        for mood in ("sad", "glad"):
            found, spared = self._moods.get(mood), self._moods.get(f"not_{mood}")
            if found and found.search(told) and not (spared and spared.search(told)):
                return mood
        return ""

    def believed(self, clause: str) -> str:
        """A clause behind "I thought": its first finite verb in the past, where there is a word.

        Examples
        --------
        >>> Grammar.named("en").believed("the north gate is shut")
        'the north gate was shut'
        """
        for found in _WORD.finditer(clause):
            if (said := self._past.get(found[0])) is not None:
                return clause[: found.start()] + said + clause[found.end() :]
        return clause

    def later(self, clause: str) -> str:
        """What somebody said on another day, as it is said now: "today" was that day.

        Examples
        --------
        >>> Grammar.named("en").later("you feel better today, and you will bring apples")
        'you feel better that day, and you would bring apples'
        """
        return self._later(clause)

    def speaks_of_self(self, told: str) -> bool:
        """Whether one who says this speaks of themselves, or of what is theirs."""
        mine = self.swap.get("first", {})
        return any(word.casefold() in mine for word in _WORD.findall(told))

    @property
    def clause_openers(self) -> frozenset[str]:
        """Words behind which the verb comes last."""
        return self._shift.openers if self._shift is not None else frozenset()

    def conjugated(self, verb: str, table: str) -> str:
        """A verb in the other person, by one of the tables in ``[conjugate.verbs]``."""
        return self._shift.conjugated(verb, table) if self._shift is not None else verb

    @property
    def retells(self) -> bool:
        """Whether it can change the person of a text."""
        return self._shift is not None

    def shifted(self, text: str) -> str:
        """A text with first and second person traded by the language's tables."""
        if self._shift is None:
            return text
        bare = self._openers.sub("", text)  # "No, I have four cows": the "no" was for the listener
        return self._shift(bare[:1].upper() + bare[1:] if bare != text else text)


def _replacer(table: Mapping[str, str], *, followed: bool) -> Callable[[str], str]:
    if not table:
        return lambda text: text
    by_low = {key.casefold(): value for key, value in table.items()}
    words = "|".join(re.escape(k) for k in sorted(table, key=len, reverse=True))
    # "the fool that you are" must keep its last word whole
    pattern = re.compile(rf"\b(?:{words})\b" + (r"(?=\s+\w)" if followed else ""), re.IGNORECASE)

    def put(match: re.Match[str]) -> str:
        value: str = by_low[match[0].replace("’", "'").casefold()]
        return value[:1].upper() + value[1:] if match[0][:1].isupper() else value

    return lambda text: pattern.sub(put, text.replace("’", "'"))


@functools.cache
def _named(tag: str) -> Grammar:
    folder = resources.files("astraweave.dialogue.languages")
    file = folder / f"{tag}.toml"
    if re.fullmatch(r"[a-z]{2,8}", tag) and tag != "others" and file.is_file():
        return Grammar(TomlText(file.read_text(encoding="utf-8"), f"languages/{tag}.toml"))
    return Grammar(TomlText("", f"languages/{tag}.toml"))


@functools.cache
def _stopwords() -> dict[str, frozenset[str]]:
    """Small words by language: those with a grammar, then others that are only recognised."""
    folder = resources.files("astraweave.dialogue.languages")
    known = sorted(p.name[:-5] for p in folder.iterdir() if p.name.endswith(".toml"))
    found = {tag: _named(tag).stopwords for tag in known if tag != "others"}
    others = TomlText((folder / "others.toml").read_text(encoding="utf-8"), "languages/others.toml")
    return found | {tag: frozenset(words.split()) for tag, words in others.data.items()}


def language_of(text: str, *, default: str = "en") -> str:
    """The language of a text, by its small words; `default` where nothing speaks against it.

    Empty for a text that is in none of the known ones: another script, say.

    Examples
    --------
    >>> language_of("Ma sœur a perdu son anneau.")
    'fr'
    >>> language_of("Mira lost ring")
    'en'
    """
    return _language_of(text, default)


@functools.lru_cache(maxsize=2048)
def _language_of(text: str, default: str) -> str:
    letters = [c for c in text if c.isalpha()]
    if sum(c > "\u024f" for c in letters) * 2 > len(letters):
        return ""
    words = [w.casefold() for w in _WORD.findall(text)]
    counts = {tag: sum(w in small for w in words) for tag, small in _stopwords().items()}
    best = max(counts, key=lambda tag: (counts[tag], tag == default))
    return best if counts[best] > counts.get(default, 0) else default
