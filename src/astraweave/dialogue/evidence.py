"""How much of what a question speaks of a memory speaks of too, word by word.

Names and people are judged elsewhere. What is left are deeds ("teach"), things ("kettle") and
numbers: each needs the same word, one that means the same, or the memory speaks of the same side of
life in other words ("earns a living" - "works as a cooper").
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon, singular
from astraweave.dialogue.language.words import Word, number_value, words
from astraweave.dialogue.memory_words import Text, attribute_patterns, side_patterns, word_groups
from astraweave.dialogue.sought import Sought

__all__ = ["IMPLIED", "Need", "needs_of", "of_that_side", "supported"]

IMPLIED = {
    asked: told.split()
    for asked, told in (
        ("receive", "give send inherit leave hand"),
        ("get", "have give hand buy receive win inherit find trade swap exchange"),
        ("win", "award"),
        ("own", "buy have"),
        ("sell", "buy trade"),
        ("buy", "sell pay trade"),
        ("pay", "cost buy owe sell"),
        ("cost", "pay buy"),
        ("raise", "keep have"),
        ("keep", "have own hide"),
        ("owe", "borrow"),
        ("put", "hide keep bury"),
        ("end", "drop fall lose leave throw put hide bury go"),
        ("pull", "drag save"),
        ("have", "own keep get possess"),
        ("serve", "work"),
        ("live", "settle move"),
        ("stay", "live lodge"),
        ("hide", "keep bury"),
        ("work", "be"),
        ("learn", "teach show"),
        ("teach", "learn"),
        ("study", "learn"),
        ("leave", "hide stash bury forget"),
        ("scare", "fear afraid"),
        ("hurt", "break sprain bite cut"),
        ("injure", "break sprain cut"),
        ("lend", "borrow"),
        ("borrow", "lend"),
        ("come", "bear live"),
        ("grow", "bear"),
        ("lie", "hide bury be keep"),
        ("give", "receive get inherit send lend present hand"),
        ("take", "steal borrow"),
        ("attack", "bite"),
        ("marry", "wife husband"),
        ("need", "want"),
        ("miss", "lose"),
        ("forge", "make"),
        ("stand", "be"),
        ("find", "hide leave keep lose bury discover"),
    )
}
"""Deeds that answer a question for another deed: who sells is paid."""

_LIGHT = group("evidence.light") | group("matching.evaluative")


@dataclass(slots=True, frozen=True)
class Need:
    """Something that a question speaks of.

    `words` are its own and what means the same; `thing`: it names something in particular, which
    no other word can stand for.
    """

    low: str
    words: frozenset[str]
    thing: bool = False
    number: float | None = None


def needs_of(question: str, sought: Sought, people: Collection[str]) -> list[Need]:
    """What a memory must speak of to answer a question.

    Parameters
    ----------
    question : str
        One question.
    sought : Sought
        What it asks for.
    people : collection of str
        Words that stand for somebody; they are judged elsewhere.
    """
    lex, groups = lexicon(), word_groups()
    asked = words(question)
    found: list[Need] = []
    states: list[Need] = []  # "allergic": counts where nothing else is asked
    for index, word in enumerate(asked):
        low = word.low
        if low in sought.names or low in people or singular(low) in people:
            continue
        if (value := number_value(low)) is not None and low not in {"one", "second"}:
            found.append(Need(low, frozenset({low}), thing=True, number=value))
            continue
        if low in groups["calendar"]:
            found.append(Need(low, frozenset({low}), thing=True))
            continue
        if low in groups["common"] | groups["general"] | groups["abstract"] or low in _LIGHT:
            continue
        if low == sought.noun or lex.keys(low) & lex.times:
            continue
        before = asked[index - 1] if index else None
        after = asked[index + 1] if index + 1 < len(asked) else None
        if word.is_("N") and not (word.is_("V") and _verb_place(before)):
            kind = bool(lex.keys(low) & lex.known_kinds)
            if not kind and _sort_asked(asked, index):
                continue  # "which object": any will do
            if lex.keys(low) & lex.persons and after is not None and after.is_("N"):
                continue  # "the bandit boss"
            particular = before is not None and before.is_("SDJN'") and low not in lex.places
            found.append(Need(low, _akin(word), thing=kind or particular))
        elif word.is_("V") and word.lemma not in _LIGHT:
            found.append(Need(low, _akin(word)))
        elif word.is_("J") and low not in lex.fillers:
            states.append(Need(low, _akin(word)))
    return found or states


def supported(need: Need, text: Text, question: str, memory: str) -> bool:
    """Whether a memory speaks of it."""
    if need.number is not None:
        return any(number_value(word) == need.number for word in text.low)
    lex = lexicon()
    told = text.words - ({"got", "get", "gets"} if "rid" in text.words else set())
    if need.words & told:
        return True
    for word in told:
        if lex.same(need.low, word) or lex.is_kind(need.low, word):
            return True
        if lex.keys(word) & need.words:
            return True
    low, said_low = question.lower(), memory.lower()
    patterns = [*side_patterns(), *((asked, said) for _, asked, said in attribute_patterns())]
    return not need.thing and any(
        need.low in spoken.group() and said.search(said_low) is not None
        for asked, said in patterns
        for spoken in asked.finditer(low)
    )


def of_that_side(question: str, memory: str) -> bool | None:
    """Whether a memory is of a side of life that a question names; None: it names none."""
    low, told = question.lower(), memory.lower()
    sides = [said for asked, said in side_patterns() if asked.search(low)]
    return any(said.search(told) for said in sides) if sides else None


def _akin(word: Word) -> frozenset[str]:
    lemmas = {word.lemma or word.low, singular(word.low)}
    implied = {told for lemma in lemmas for told in IMPLIED.get(lemma, ())}
    return frozenset(lemmas | implied)


def _sort_asked(asked: list[Word], index: int) -> bool:
    """Whether a noun only says what sort of thing is asked for: "which tool"."""
    lows = [word.low for word in asked[max(0, index - 3) : index]]
    return lows[-1:] in (["which"], ["what"]) or (
        lows[-1:] == ["of"] and lows[-2:-1] in (["kind"], ["sort"], ["type"])
    )


def _verb_place(before: Word | None) -> bool:
    """Whether a verb is likelier than a noun behind this word."""
    return before is None or (before.is_("OEA") and not before.is_("S")) or before.low == "to"
