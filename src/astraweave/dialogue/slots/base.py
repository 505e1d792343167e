"""What a slot is, and the questions that every finder of slots asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from astraweave.dialogue.facts import Fact
from astraweave.dialogue.language.clauses import Clause, Phrase
from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.questions import Question
from astraweave.dialogue.language.words import Word

__all__ = [
    "Judge",
    "Slot",
    "about_target",
    "asked_phrases",
    "count_word",
    "filled",
    "first_new",
    "fits_noun",
    "is_new",
    "is_time",
    "person_like",
]


@dataclass(slots=True)
class Slot:
    """What fills the gap.

    `start` and `end` are places of words in the fact's sentence; `text` replaces them where the
    words stand elsewhere. `trust` says how sure the filling is.
    """

    phrase: Phrase | None = None
    text: str = ""
    trust: float = 1.0
    preposition: str = ""
    whole: bool = False
    """No short form: the fact as a whole is the answer."""


class Judge(Protocol):
    """What slots ask of the matcher."""

    def same_thing(self, asked: Phrase, told: Phrase, fact: Fact) -> bool:
        """Whether two phrases mean the same."""
        ...

    def identity(self, phrase: Phrase, fact: Fact | None) -> str:
        """Whom a pronoun or name means."""
        ...

    def same_owner(self, asked: Phrase, told: Phrase, fact: Fact) -> bool:
        """Whether two owners are one."""
        ...

    def converse(self, asked: Clause, told: Clause) -> dict[str, str]:
        """Roles of the asked verb to those of the told one."""
        ...

    def nested(self, phrase: Phrase, fact: Fact) -> list[Phrase]:
        """The phrase and all that stands in it or for it."""
        ...

    @property
    def aliases(self) -> object:
        """Who is who."""
        ...


def person_like(phrase: Phrase, fact: Fact) -> bool:
    """Whether a phrase can be a person."""
    lex = lexicon()
    phrase = fact.meant(phrase)
    if phrase.names:
        return True
    head = phrase.head
    if head.is_("O"):
        return head.low not in {"it", "this", "that", "something", "nothing", "everything"}
    return (
        bool(lex.keys(head.low) & lex.persons)
        or lex.is_kind("animal", head.low)
        or head.low.endswith(("er", "or", "ist", "man"))
    )


def asked_phrases(question: Question) -> list[Phrase]:
    """Every phrase that the question gives."""
    return [p for given in question.clause.phrases() for p in given.everyone()]


def is_new(phrase: Phrase, question: Question, fact: Fact, judge: Judge) -> bool:
    """Whether a filler tells more than the question itself did."""
    return not any(judge.same_thing(asked, phrase, fact) for asked in asked_phrases(question))


def fits_noun(question: Question, phrase: Phrase, fact: Fact) -> float:
    """How well a filler suits "which animal", "what town"."""
    noun = question.noun
    if noun is None:
        return 1.0
    lex = lexicon()
    asked = noun.head.low
    contents = [w.low for part in phrase.everyone() for w in part.words if w.is_("N")]
    if any(lex.same(asked, low) or lex.is_kind(asked, low) for low in contents):
        return 1.0
    subject = fact.clause.subject
    if (
        fact.clause.verb == "be"
        and subject is not None
        and subject is not phrase
        and lex.same(asked, subject.head.low)
    ):
        return 1.0
    if lex.keys(asked) & {
        "town",
        "village",
        "city",
        "place",
        "country",
        "land",
        "harbour",
        "port",
        "kingdom",
        "region",
    }:
        return 1.0 if phrase.names or any(lex.keys(c) & lex.places for c in contents) else 0.0
    if lex.keys(asked) & lex.persons:
        return (
            0.9
            if person_like(phrase, fact)
            and (phrase.names or lex.keys(asked) & {"person", "man", "woman"})
            else 0.0
        )
    if lex.keys(asked) & {"colour", "color"}:
        return 1.0 if any(w.low in lex.colours for w in phrase.words) else 0.0
    if lex.keys(asked) & {"metal", "material"}:
        return 1.0 if any(w.low in lex.materials for w in phrase.words) else 0.0
    if any(key in lex.known_kinds for key in lex.keys(asked)):
        if any(lex.keys(c) & lex.persons or lex.same(c, "child") for c in contents):
            return 0.0  # nine kids are no animals
        known = any(lex.known_member(c) for c in contents)
        return 0.0 if known else 0.75
    if phrase.names and not contents:
        return 0.7
    return 0.5


def filled(
    phrase: Phrase | None,
    question: Question,
    fact: Fact,
    judge: Judge,
    *,
    preposition: str = "",
    trust: float = 1.0,
) -> Slot | None:
    """The phrase as a slot, when it tells something new and suits the question."""
    if phrase is None or (phrase.head.low in _NOBODY and not phrase.names):
        return None
    if phrase.head.low in _LOOSE and fact.meant(phrase) is phrase:
        return None  # nobody knows who "he" is
    if not is_new(phrase, question, fact, judge):
        return None
    trust *= fits_noun(question, phrase, fact)
    if question.person and not person_like(phrase, fact):
        trust *= 0.4
    if (
        not question.person
        and question.noun is None
        and phrase.head.is_("O")
        and phrase.start not in fact.referents
    ):
        trust *= 0.5
    return Slot(phrase, trust=trust, preposition=preposition) if trust > 0.35 else None


_LOOSE = frozenset(["he", "she", "they", "him", "her", "them", "it"])


_NOBODY = group("slots.nobody")


def first_new(
    phrases: list[Phrase], question: Question, fact: Fact, judge: Judge, *, preposition: str = ""
) -> Slot | None:
    """The first of several phrases that fills the gap."""
    for phrase in phrases:
        if slot := filled(phrase, question, fact, judge, preposition=preposition):
            return slot
        for other in phrase.others:
            if slot := filled(other, question, fact, judge, preposition=preposition):
                return slot
    return None


def is_time(phrase: Phrase) -> bool:
    """Whether a phrase tells a time."""
    lex = lexicon()
    return any(lex.keys(w.low) & lex.times for w in phrase.words) or bool(
        phrase.of is not None and is_time(phrase.of)
    )


def count_word(phrase: Phrase) -> Word | None:
    """The number in a phrase, if there is one."""
    return next((w for w in phrase.words if w.is_("M")), None)


def about_target(question: Question, fact: Fact, judge: Judge) -> list[Phrase]:
    """The fact's phrases that mean the question's target."""
    target = question.target
    if target is None:
        return []
    return [
        part
        for given in fact.clause.phrases()
        for part in given.everyone()
        if judge.same_thing(target, part, fact)
    ]
