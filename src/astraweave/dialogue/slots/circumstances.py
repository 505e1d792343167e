"""Where, when, how many, how much, how long, why and how."""

from __future__ import annotations

from astraweave.dialogue.facts import Fact, roles_of
from astraweave.dialogue.language.clauses import Phrase
from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.questions import Question
from astraweave.dialogue.language.words import number_value
from astraweave.dialogue.slots.base import (
    Judge,
    Slot,
    count_word,
    filled,
    first_new,
    is_new,
    is_time,
)

__all__ = [
    "find_amount",
    "find_manner",
    "find_measure",
    "find_number",
    "find_place",
    "find_reason",
    "find_time",
]


_NOT_PLACE = group("slots.not_place")


def find_place(question: Question, fact: Fact, judge: Judge) -> Slot | None:  # noqa: C901
    """Where."""
    told = fact.clause
    lex = lexicon()
    away = {w.lemma for w in question.clause.verbs} & {"come", "hail", "bear", "grow", "originate"}
    # "Where is she off to?" is not answered by where she is.
    going = question.clause.stranded == "to" or bool(
        {w.lemma for w in question.clause.verbs} & {"go", "travel", "head", "leave"}
        and not question.clause.passive
    )
    best: Slot | None = None
    parts: list[str] = []
    first: Phrase | None = None
    for prep, phrase in told.places:
        bound = prep == "for" and told.verb in {"leave", "head", "depart", "sail", "set", "start"}
        if prep == "@time" or is_time(phrase):
            continue
        if prep in _NOT_PLACE and prep != "by" and not bound:
            continue
        if (prep == "by" and told.passive) or (prep == "to" and roles_of(told).recipient is phrase):
            continue
        if (
            prep == "from"
            and not away
            and question.preposition != "from"
            and told.verb not in {"come", "hail"}
        ):
            continue
        if phrase.head.is_("O") and phrase.start not in fact.referents:
            continue
        if away and prep in {"to", "for", "into"}:
            continue
        if going and prep in {"in", "at", "near", "by", "under", "behind", "from"}:
            continue
        if prep == "in" and phrase.head.low in {
            "spring",
            "winter",
            "trouble",
            "love",
            "fact",
            "secret",
        }:
            continue
        if not is_new(phrase, question, fact, judge):
            continue
        trust = 1.0
        if not phrase.names and not lex.keys(phrase.head.low) & lex.places:
            trust = 0.8
        if prep == "to" and not any(v.lemma in _MOTION for v in told.verbs):
            trust *= 0.4
        if trust <= 0.35:
            continue
        parts.append(prep)
        if best is None:
            best = Slot(phrase, trust=trust, preposition=prep)
            first = phrase
        elif first is not None and phrase.start <= first.end + 1 and prep not in {"to", "from"}:
            best.phrase = _joined(best.phrase, phrase)
            first = phrase
            best.trust = max(best.trust, trust)
    if best is not None:
        return best
    for word in told.extras:
        if word.low == "there" and word is fact.words[told.start]:
            continue  # "There will be a wedding" says nothing of where
        if word.low in {
            "home",
            "abroad",
            "upstairs",
            "downstairs",
            "outside",
            "nearby",
            "upstream",
            "downstream",
            "here",
        }:
            return Slot(text=word.low, trust=0.9)
    if going and told.verb == "leave":
        return None  # where somebody leaves is not where they go
    if told.verb in {"visit", "reach", "leave", "enter", "call"} | _MOTION:
        for phrase in told.objects:
            if (phrase.names or lex.keys(phrase.head.low) & lex.places) and (
                slot := filled(phrase, question, fact, judge, trust=0.9)
            ):
                return slot
    if told.verb == "be" or told.verb in {"call"}:
        # "My home town is Dunmere."
        subject = told.subject
        if subject is not None and lex.keys(subject.head.low) & (
            lex.places | {"birthplace", "hometown"}
        ):
            return first_new(told.objects, question, fact, judge)
    return None


_MOTION = group("slots.motion")


def _joined(left: Phrase | None, right: Phrase) -> Phrase | None:
    """As in "in the river" + "near Harrow" as one stretch of words."""
    if left is None:
        return right
    return Phrase(
        [*left.words, *right.words],
        left.start,
        right.end,
        left.head,
        left.names + right.names,
        left.owner,
    )


def find_time(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """When."""
    told = fact.clause
    for prep, phrase in told.places:
        if prep == "@time" or (
            is_time(phrase)
            and prep
            in {
                "in",
                "at",
                "on",
                "before",
                "after",
                "since",
                "until",
                "during",
                "by",
                "for",
                "within",
                "till",
                "around",
                "about",
                "past",
            }
        ):
            return Slot(phrase, preposition="" if prep == "@time" else prep)
    for prep, phrase in told.places:
        if prep in {"after", "before", "during", "since", "until"}:
            return Slot(phrase, preposition=prep, trust=0.8)
    for phrase in told.objects:
        if is_time(phrase) and is_new(phrase, question, fact, judge):
            return Slot(phrase, trust=0.9)
    for word in told.extras:
        if word.low in {
            "yesterday",
            "today",
            "tomorrow",
            "tonight",
            "daily",
            "weekly",
            "nightly",
            "recently",
            "once",
            "twice",
            "always",
            "often",
            "never",
        }:
            return Slot(text=word.low, trust=0.8)
    for clause in fact.siblings:
        if (
            clause.link in {"when", "before", "after", "while", "since", "until"}
            and clause.start >= told.start
            and clause.start - told.end <= 2
        ):
            return Slot(whole=True, trust=0.85)
    if (
        told.subject is not None
        and is_time(told.subject)
        and told.verb == "be"
        and is_new(told.subject, question, fact, judge)
    ):
        return Slot(told.subject, trust=0.8)
    if told.verb == "be" and any(
        (number_value(w.low) or 0) > 31 for p in told.objects for w in p.words
    ):
        return first_new(told.objects, question, fact, judge)
    return None


def find_number(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """How many."""
    lex = lexicon()
    noun = question.noun
    asked = noun.head.low if noun is not None else ""
    for given in fact.clause.phrases():
        for part in given.everyone():
            counted = count_word(part)
            if counted is None:
                continue
            heads = [part.head.low, *(w.low for w in part.words if w.is_("N"))]
            if part.of is not None:
                heads += [w.low for w in part.of.content()]
            if not asked:
                return Slot(part, trust=0.7)
            if any(lex.same(asked, h) or lex.is_kind(asked, h) for h in heads):
                return Slot(part)
            if part.head is counted and any(
                lex.same(asked, w.low) for w in fact.bag() if not w.is_("M")
            ):
                return Slot(part, trust=0.8)
    if asked and lex.keys(asked) & {"time"}:
        for word in (*fact.clause.extras, *fact.bag()):
            if word.low in {"once", "twice", "thrice"}:
                return Slot(text=word.low)
    for word in fact.bag():
        if word.low in {"couple", "pair"} and asked:
            return Slot(whole=True, trust=0.8)
    return None


def find_amount(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """How much."""
    lex = lexicon()
    noun = question.noun
    parts = [part for given in fact.clause.phrases() for part in given.everyone()]
    for part in parts:
        if noun is not None and part.of is not None:  # noqa: SIM102
            if any(lex.same(noun.head.low, w.low) for w in part.of.content()):
                return Slot(part)
    for part in parts:
        if count_word(part) is None or is_time(part):
            continue
        if part.of is not None or any(lex.keys(w.low) & lex.units for w in part.words):
            return Slot(part)
        if part.head.is_("M") and question.clause.verb in {
            "pay",
            "cost",
            "owe",
            "be",
            "buy",
            "sell",
        }:
            return Slot(part, trust=0.8)
    return None


def find_measure(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """How long, far or tall."""
    lex = lexicon()
    for given in fact.clause.phrases():
        for part in given.everyone():
            if count_word(part) is not None and any(
                lex.keys(w.low) & lex.units for w in part.words
            ):
                timely = any(lex.keys(w.low) & lex.times for w in part.words)
                if timely and not question.hints & {"long", "far"}:
                    continue
                return Slot(part)
    for prep, phrase in fact.clause.places:
        if prep in {"for", "since", "until", "till"} and "long" in question.hints:
            return Slot(phrase, preposition=prep, trust=0.9)
    return None


def find_reason(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """Why."""
    told = fact.clause
    if any(c.subject is not None and c.subject.head.low == "reason" for c in fact.siblings):
        return Slot(whole=True)
    for clause in fact.siblings:
        if (
            clause.link in {"because", "since", "so_that", "so", "as"}
            and clause.start >= told.start
            and clause is not told
        ):
            return Slot(whole=True)
    for prep, _ in told.places:
        if prep in {"because_of", "due_to", "on_account_of", "for"}:
            return Slot(whole=True, trust=0.9 if prep != "for" else 0.6)
    if len(told.verbs) > 1 or told.subs:
        asked = {w.lemma for w in question.clause.verbs}
        if any(v.lemma not in asked for v in told.verbs[1:]) or told.subs:
            return Slot(whole=True, trust=0.8)
    return None


def find_manner(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """How."""
    told = fact.clause
    if any(w.forms & {"ing"} for w in told.extras) or any(
        v.forms <= {"ing"} for v in told.verbs[1:] if v.forms
    ):
        return Slot(whole=True, trust=0.8)
    for prep, phrase in told.places:
        if (
            prep in {"by", "with", "through", "on", "in", "from"}
            and not is_time(phrase)
            and is_new(phrase, question, fact, judge)
        ):
            return Slot(whole=True, trust=0.6)
    if any(c.link in {"when", "because", "by"} for c in fact.siblings):
        return Slot(whole=True, trust=0.7)
    return None
