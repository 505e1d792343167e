"""Name, age, colour, material and trade."""

from __future__ import annotations

from astraweave.dialogue.facts import Fact
from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.questions import Question
from astraweave.dialogue.language.words import number_value
from astraweave.dialogue.slots.base import (
    Judge,
    Slot,
    about_target,
    count_word,
    first_new,
    is_new,
    person_like,
)

__all__ = ["find_age", "find_colour", "find_job", "find_material", "find_name"]


def find_name(question: Question, fact: Fact, judge: Judge) -> Slot | None:  # noqa: C901
    """What somebody or something is called."""
    target, told = question.target, fact.clause
    if target is None:
        return None
    if told.verb in {"call", "name"} or (told.verb == "be" and told.subject is not None):
        subject = told.subject
        named = [p for p in told.objects if p.names or p.words[0].text[:1].isupper()]
        if named and subject is not None:
            if told.passive or told.verb == "be":
                whose = subject
                if subject.head.low in {"name", "surname", "nickname"}:
                    whose = subject.owner or subject.of or subject
                if judge.same_thing(target, whose, fact) and (
                    told.verb != "be"
                    or subject.head.low == "name"
                    or not whose.head.is_("O")
                    or target.head.is_("O")
                ):
                    return Slot(named[0])
            elif len(told.objects) >= 2 and judge.same_thing(target, told.objects[0], fact):
                return Slot(told.objects[-1])
        if (
            subject is not None
            and subject.names
            and any(judge.same_thing(target, p, fact) for p in told.objects)
            and told.verb == "be"
        ):
            return Slot(text=" ".join(subject.names))
    lex = lexicon()
    for given in told.phrases():
        for part in judge.nested(given, fact):
            if (
                part.names
                and not part.head.is_("E")
                and (
                    lex.same(target.head.low, part.head.low)
                    or lex.is_kind(target.head.low, part.head.low)
                )
            ):
                if (
                    target.owner is not None
                    and part.owner is not None
                    and not judge.same_owner(target.owner, part.owner, fact)
                ):
                    continue
                return Slot(text=" ".join(part.names))
    # "the man who sold me the mule": a named one in the same role
    if question.clause.subs or target.about:
        for given in told.phrases():
            for part in given.everyone():
                if part.names and person_like(part, fact) and is_new(part, question, fact, judge):
                    return Slot(text=" ".join(part.names), trust=0.7)
    return None


def find_age(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """How old."""
    told = fact.clause
    matches = about_target(question, fact, judge)
    if not matches:
        return None
    for part in matches:
        for word in part.words:
            head = word.low.partition("-")[0]
            if "-" in word.low and word.low.endswith("old") and number_value(head) is not None:
                return Slot(text=head)
    if told.subject is None or told.subject not in matches:  # noqa: SIM102
        if not any(w.low == "aged" for w in fact.words):
            return None
    spot = [p for p in told.objects if count_word(p) is not None]
    spot += [p for prep, p in told.places if prep in {"of", "at"} and count_word(p) is not None]
    for phrase in spot:
        years = any(
            w.low in {"year", "years", "winters", "summers"} for w in phrase.words
        ) or phrase.head.is_("M")
        if years and (
            told.verb in {"be", "turn", "age", "have", "become"}
            or any(w.low == "old" for w in told.extras)
        ):
            return Slot(phrase)
    return None


def find_colour(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """Of what colour."""
    lex = lexicon()
    matches = about_target(question, fact, judge)
    if question.target is None or (
        question.target.head.low not in {m.head.low for m in matches} and not matches
    ):
        return None
    for part in matches:
        for word in part.words:
            if word.low in lex.colours and word is not part.head:
                return Slot(text=word.low)
    told = fact.clause
    if (
        told.subject is not None
        and told.subject in matches
        and told.verb in {"be", "have", "paint", "dye", "colour", "turn"}
    ):
        for word in (*told.extras, *(w for p in told.objects for w in p.words)):
            if word.low in lex.colours:
                return Slot(text=word.low)
    if told.verb in {"paint", "dye"}:
        for word in fact.words[told.start : told.end]:
            if word.low in lex.colours:
                return Slot(text=word.low)
    return None


def find_material(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """Of what it is made."""
    lex = lexicon()
    for part in about_target(question, fact, judge):
        for word in part.words:
            if word.low in lex.materials and word is not part.head:
                return Slot(text=word.low)
    for prep, phrase in fact.clause.places:
        if prep in {"of", "from", "out_of"} and fact.clause.verb in {
            "make",
            "carve",
            "forge",
            "build",
            "cast",
            "cut",
            "craft",
        }:
            return Slot(phrase)
    return None


def find_job(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """What somebody does for a living."""
    told = fact.clause
    lex = lexicon()
    matches = about_target(question, fact, judge)
    if not matches:
        return None
    subject = told.subject
    if subject is None or subject not in matches:
        if subject is None or not (
            subject.owner is not None
            and subject.head.low in {"trade", "job", "profession", "work", "occupation"}
        ):
            return None
        return first_new(told.objects, question, fact, judge)
    for prep, phrase in told.places:
        if prep == "as" and told.verb in {"work", "serve", "earn", "live", "make", "train"}:
            return Slot(phrase)
    if told.verb in {"be", "become"}:
        for phrase in told.objects:
            if (
                lex.keys(phrase.head.low) & lex.persons and not lex.keys(phrase.head.low) & _NO_JOB
            ) or phrase.head.low.endswith(("smith", "er", "wright", "monger")):
                return Slot(phrase)
        return None
    if told.verb in {
        "work",
        "serve",
        "apprentice",
        "run",
        "own",
        "trade",
        "sell",
        "teach",
        "mend",
        "make",
    } and (told.places or told.objects):
        if (
            told.verbs
            and told.verbs[-1].forms & {"past"}
            and not told.verbs[-1].forms & {"s", "base"}
            and told.verb not in {"work", "serve", "run"}
        ):
            return None
        return Slot(whole=True, trust=0.75)
    if (
        told.verbs
        and told.verbs[-1].forms & {"s"}
        and told.objects
        and subject.head.low not in {"it"}
        and told.verb not in _STATES
    ):
        return Slot(whole=True, trust=0.6)
    return None


_NO_JOB = group("slots.no_job")


_STATES = group("slots.states")
