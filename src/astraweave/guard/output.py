"""What a model's line must not hold when it reaches a player.

A clause is judged before it is shown, and what is refused is never shown in part: the guard holds
text back until a clause is whole, and looks at it together with what was shown before, so that a
word cannot be spelled across two clauses.
"""

from __future__ import annotations

import copy
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

import msgspec

from astraweave.core._disguise import folded
from astraweave.core.text import sanitize
from astraweave.errors import InputError

__all__ = ["OutputGuard", "OutputStream", "OutputVerdict", "StudioRule"]

StudioRule = Callable[[str], str | None]
"""A studio's own rule: the reason why a text is refused, or None."""

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)?")
_TURN = re.compile(
    r"(?:^|[.!?\n\"'] *)(?:user|assistant|system|player|human|npc|developer|tool)\s*:",
    re.IGNORECASE,
)
_LEET = str.maketrans("013457@$!|+\u20ac", "oieastasiite")
_AMONG_LETTERS = re.compile(
    r"(?<=[a-z])[013457@$\u20ac]+|[013457@$\u20ac]+(?=[a-z])|(?<=[a-z])[!|+]+(?=[a-z])"
)
_CLAUSE_END = re.compile(r"[.!?;:,\n\u2026]+[\"')\u201d\u2019]*(?=\s|$)")
_NO_TEXT = frozenset(["Cc", "Cs", "Co", "Cn", "Zl", "Zp"])
"""Controls, broken and private characters, separators that are no blanks."""
_RUN = 6
"""So many words in a row from the card are a leak, whatever they are."""
_SHARE = 0.6
"""So much of a clause's rarer words, in the card's order, is a paraphrase that follows it."""
_LEAST_RARE = 5
_MAX_HELD = 400
_COMMON = frozenset(
    "the a an and or but of to in on at for with from by as is are was were be been am do does did"
    " have has had i you he she it we they my your his her its our their me him them this that"
    " these those not no yes if so then than there here what who how when where why can will would"
    " could should may must all any some one just very too up out about into over after before"
    .split()
)  # fmt: skip


class OutputVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a text may be shown; when not, why.

    Attributes
    ----------
    passed : bool
        It may.
    reasons : tuple of str
        ``"control"``, ``"role"``, ``"card"``, ``"word"``, or what a studio's rule said.
    """

    passed: bool
    reasons: tuple[str, ...] = ()


class OutputGuard:
    """Rules for what a character may say. Immutable; thread-safe.

    Parameters
    ----------
    card : str
        What the model was told about the character: it is not to be read out.
    words : iterable of str
        Words and phrases that nobody says. Spelled with digits, with blanks or dots between the
        letters, doubled or with accents, they are the same words; inside a longer word (a town
        called Scunthorpe) they are not.
    names : iterable of str
        Other speakers, whose lines a character must not speak.
    rules : iterable of callable
        A studio's own; an exception in one refuses the text.
    card_exempt : iterable of str
        Texts of the card that may be said: names, what everybody knows.

    Examples
    --------
    >>> guard = OutputGuard(card="You are Tam. You stole the king's golden crown last winter.",
    ...                     words=["damn"], names=["Mira"])
    >>> guard.check("The fire is warm.").passed
    True
    >>> guard.check("Well, d4mn it!").reasons
    ('word',)
    >>> guard.check("I stole the king's golden crown last winter.").reasons
    ('card',)
    >>> guard.check("Mira: I never said that.").reasons
    ('role',)
    """

    def __init__(
        self,
        *,
        card: str = "",
        words: Iterable[str] = (),
        names: Iterable[str] = (),
        rules: Iterable[StudioRule] = (),
        card_exempt: Iterable[str] = (),
    ) -> None:
        self._card: tuple[str, ...] = ()
        self._runs: frozenset[tuple[str, ...]] = frozenset()
        self._rare: frozenset[str] = frozenset()
        self._learn(card, card_exempt)
        listed = [_meant(word).strip() for word in words]
        if not all(re.search(r"[^\W\d_]", word) for word in listed):
            raise InputError("a word on the list must have letters")
        spelled = "|".join(form for word in sorted(listed) for form in _spellings(word))
        self._listed = re.compile(rf"(?<![^\W_])(?:{spelled})(?![^\W_])") if listed else None
        called = [re.escape(name) for name in names if name.strip()]
        self._names = re.compile(
            rf"(?:^|[.!?\n\"'] *)(?:{'|'.join(called)})\s*:", re.IGNORECASE
        ) if called else None  # fmt: skip
        self._rules = tuple(rules)

    def about(self, card: str, *, card_exempt: Iterable[str] = ()) -> OutputGuard:
        """The same rules for a model that was told `card` as well; takes 0.3 ms."""
        guard = copy.copy(self)
        guard._learn(card, card_exempt)
        return guard

    def _learn(self, card: str, card_exempt: Iterable[str]) -> None:
        exempt = {word for text in card_exempt for word in _words(text)}
        words = tuple(_words(card))
        runs = (words[i : i + _RUN] for i in range(len(words) - _RUN + 1))
        self._card += words
        self._runs |= {run for run in runs if not exempt.issuperset(run)}
        self._rare |= frozenset(words) - _COMMON - exempt

    def check(self, text: str, *, before: str = "") -> OutputVerdict:
        """Judge a text.

        Parameters
        ----------
        text : str
            What would be shown next.
        before : str
            What was shown of the same line already; only what the two hold together counts.
        """
        joined = f"{before[-_MAX_HELD:]} {text}" if before else text
        reasons = [*self._form(text), *self._content(joined, text)]
        for rule in self._rules:
            try:
                said = rule(text)
            except Exception as error:  # noqa: BLE001 - a rule that cannot judge lets nothing pass
                said = f"a rule failed: {type(error).__name__}"
            if said:
                reasons.append(said)
        return OutputVerdict(passed=not reasons, reasons=tuple(dict.fromkeys(reasons)))

    def stream(self) -> OutputStream:
        """A line on its way."""
        return OutputStream(self)

    def _form(self, text: str) -> Iterable[str]:
        if any(unicodedata.category(char) in _NO_TEXT for char in text if char != "\n") or (
            "\ufffd" in text
        ):
            yield "control"
        try:
            changed = set(sanitize(text, max_chars=max(2000, len(text))).changes)
        except InputError as error:
            changed = set(error.details.get("changes", ()))  # type: ignore[call-overload]
        if changed & {"token", "template", "disguise", "invisible"}:
            yield "control"
        if "role" in changed or _TURN.search(text) or (self._names and self._names.search(text)):
            yield "role"

    def _content(self, joined: str, text: str) -> Iterable[str]:
        plain = folded(joined).casefold() if self._listed is not None else ""
        if self._listed is not None and any(map(self._listed.search, (plain, _meant(plain)))):
            yield "word"
        if not self._card:
            return
        said = _words(joined)
        runs = (tuple(said[i : i + _RUN]) for i in range(len(said) - _RUN + 1))
        if any(run in self._runs for run in runs) or self._paraphrased(_words(text)):
            yield "card"

    def _paraphrased(self, said: Sequence[str]) -> bool:
        """Whether most rarer words of a clause are the card's, in the card's order."""
        rare = [word for word in said if word not in _COMMON]
        if len(rare) < _LEAST_RARE:
            return False
        held = [word for word in rare if word in self._rare]
        return len(held) >= max(_LEAST_RARE, _SHARE * len(rare)) and _ordered(held, self._card) >= (
            _SHARE * len(rare)
        )


class OutputStream:
    """Lets clauses through as they become whole; for one line and one thread.

    Attributes
    ----------
    shown : str
        What passed.
    verdict : OutputVerdict or None
        Why the line ended early; None: nothing was refused.
    """

    def __init__(self, guard: OutputGuard) -> None:
        self._guard = guard
        self._held = ""
        self.shown = ""
        self.verdict: OutputVerdict | None = None

    def feed(self, piece: str) -> str:
        """Take a piece; return what may be shown now (often nothing)."""
        if self.verdict is not None:
            return ""
        self._held += piece
        ends = [match.end() for match in _CLAUSE_END.finditer(self._held)]
        # The newest end may still grow ("..." after ".", a colon after a name).
        ends = [end for end in ends if end < len(self._held)]
        if not ends and len(self._held) > _MAX_HELD:
            ends = [self._held.rfind(" ", 0, _MAX_HELD) + 1 or _MAX_HELD]
        return self._let(self._held[: ends[-1]]) if ends else ""

    def end(self) -> str:
        """The line is over; return what is left of it, if it may be shown."""
        return self._let(self._held) if self.verdict is None and self._held else ""

    def _let(self, text: str) -> str:
        self._held = self._held[len(text) :]
        verdict = self._guard.check(text, before=self.shown)
        if not verdict.passed:
            self.verdict, self._held = verdict, ""
            return ""
        self.shown += text
        return text


def _words(text: str) -> list[str]:
    return [match.group().casefold() for match in _WORD.finditer(text.replace("\u2019", "'"))]


def _meant(text: str) -> str:
    """Letters as they are meant: folded, digits and signs beside letters read as letters."""
    plain = folded(text).casefold()
    return _AMONG_LETTERS.sub(lambda match: match[0].translate(_LEET), plain)


def _spellings(word: str) -> tuple[str, str]:
    """Patterns for a word with doubled letters or marks in it, and with all letters apart."""
    runs = [(match[1], len(match[0])) for match in re.finditer(r"(\S)\1*|\s+", word)]
    close = r"[^\w\s]{0,2}_?".join(
        r"\s+" if char is None else f"{re.escape(char)}{{{count},}}" for char, count in runs
    )
    return close, r"[\W_]+".join(re.escape(char) for char in word if not char.isspace())


def _ordered(held: Sequence[str], card: Sequence[str]) -> int:
    """How many of the words stand in the card one after the other, at best."""
    places = [i for word in dict.fromkeys(held) for i in (card.index(word),)]
    best = [1] * len(places)
    for right in range(len(places)):
        for left in range(right):
            if places[left] < places[right]:
                best[right] = max(best[right], best[left] + 1)
    return max(best, default=0)
