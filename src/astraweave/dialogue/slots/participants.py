"""Who and what: subject, object, recipient, what stands behind a preposition, whose, and what something is."""  # noqa: E501

from __future__ import annotations

from astraweave.dialogue.facts import Fact, roles_of
from astraweave.dialogue.language.clauses import Phrase
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.questions import GIVING, Question
from astraweave.dialogue.slots.attributes import find_name
from astraweave.dialogue.slots.base import Judge, Slot, filled, first_new, fits_noun
from astraweave.dialogue.slots.circumstances import _NOT_PLACE, find_place

__all__ = [
    "find_behind",
    "find_complement",
    "find_object",
    "find_owner",
    "find_recipient",
    "find_subject",
]


_PREPOSITIONS = [
    frozenset(group.split())
    for group in (
        "in at inside within into on near by", "under beneath underneath below", "from out_of off", "to toward towards into onto",  # noqa: E501
        "with alongside beside", "on upon onto on_top_of atop", "behind past", "for", "of", "about", "as", "against with", "over above across",  # noqa: E501
        "by with", "near by beside next_to close_to", "from of", "at to", "of about from",
    )
]  # fmt: skip


_WORLDLY = frozenset(["inherit", "come", "hail", "originate", "bear", "grow"])


def find_subject(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """Who did it, or what it was done to."""
    clause, told = question.clause, fact.clause
    roles = roles_of(told)
    swap = judge.converse(clause, told)
    if clause.passive and clause.objects and clause.verb in GIVING:
        return first_new(roles.core().get("recipient", []), question, fact, judge)
    if clause.passive and told.verbs:
        phrases = roles.theme
        return first_new(phrases, question, fact, judge)
    if clause.verb in _FRIGHTENING and told.verb not in _FRIGHTENING:
        behind = [p for prep, p in told.places if prep in {"of", "by", "at"}]
        return first_new([*behind, *roles.theme], question, fact, judge)
    if clause.verb == "be" or not told.verbs:
        return find_complement(question, fact, judge)
    role = swap.get("agent", "agent")
    core = roles.core()
    if found := core.get(role):
        return first_new(found, question, fact, judge)
    if told.passive and not roles.agent and told.relative:
        return None
    return None


_FRIGHTENING = frozenset(["scare", "frighten", "terrify", "worry"])


def find_object(question: Question, fact: Fact, judge: Judge) -> Slot | None:  # noqa: C901
    """What or whom it was done to."""
    clause, told = question.clause, fact.clause
    if "action" in question.hints:
        return (
            Slot(whole=True, trust=0.9)
            if len(told.verbs) > 1 or any(a.lemma == "would" for a in told.auxiliaries)
            else None
        )
    roles = roles_of(told)
    swap = judge.converse(clause, told)
    asked = roles_of(clause, "object")
    role = swap.get("theme", "theme")
    core = roles.core()
    if clause.passive and clause.subject is not None and asked.recipient is None and told.verbs:
        found = roles.complement or roles.theme
        return first_new(found, question, fact, judge)
    found = core.get(role, [])
    behind = [p for prep, p in told.places if prep == "for"]
    if clause.verb == "buy" and told.verb == "pay":
        return first_new(behind, question, fact, judge)
    given = [p for prep, p in clause.places if prep == "for"]
    if given and told.verb in {"trade", "swap", "exchange", "sell", "barter", "give"}:  # noqa: SIM102
        if any(judge.same_thing(given[0], p, fact) for p in roles.theme):
            return first_new(behind, question, fact, judge)
    if swap and len(told.verbs) > 1 and told.verbs[0].lemma in {"learn", "teach"}:
        return Slot(whole=True, trust=0.8)
    if slot := first_new(found, question, fact, judge):
        return slot
    if slot := first_new(roles.complement, question, fact, judge):
        return slot
    if (
        clause.verb in {"marry", "meet", "see", "visit", "fight", "love", "hate"}
        and question.person
    ):
        for prep, phrase in told.places:
            if prep in {"to", "with", "by"} and (
                slot := filled(phrase, question, fact, judge, trust=0.9)
            ):
                return slot
        if (
            roles.agent
            and (slot := filled(roles.agent, question, fact, judge, trust=0.8))
            and clause.verb in {"marry", "meet", "fight"}
        ):
            return slot
    # "What do I fear?" - "I'm afraid of geese."; "What do I collect?" - "a collection of shells"
    for prep, phrase in told.places:
        if (
            prep in {"of", "for", "to", "about", "at", "with"}
            and (not told.objects)
            and (slot := filled(phrase, question, fact, judge, trust=0.8))
        ):
            return slot
    if question.noun is not None:
        for prep, phrase in told.places:
            if (
                prep != "@time"
                and fits_noun(question, phrase, fact) >= 1.0
                and (slot := filled(phrase, question, fact, judge, trust=0.8))
            ):
                return slot
    return None


def find_recipient(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """Who got it."""
    told = fact.clause
    roles = roles_of(told)
    swap = judge.converse(question.clause, told)
    role = swap.get("recipient", "recipient")
    if found := roles.core().get(role):
        return first_new(found, question, fact, judge)
    for prep, phrase in told.places:
        if prep in {"to", "for", "with"} and (
            slot := filled(phrase, question, fact, judge, trust=0.9 if prep == "to" else 0.6)
        ):
            return slot
    if question.clause.verb == "marry":
        return find_object(question, fact, judge)
    return None


def find_behind(question: Question, fact: Fact, judge: Judge) -> Slot | None:  # noqa: C901
    """What stands behind the asked preposition."""
    asked, told = question.preposition, fact.clause
    if "place" in question.hints:
        slot = find_place(question, fact, judge)
        native = told.verb in {"come", "hail", "bear", "grow", "originate", "live"}
        from_it = told.verb in {"be", ""} and slot is not None and slot.preposition in {"", "from"}
        away = slot is not None and slot.preposition in {"to", "into", "for"}
        return slot if slot and not away and (native or from_it) else None
    for prep, phrase in told.places:
        if prep == asked and (slot := filled(phrase, question, fact, judge, preposition=prep)):
            return slot
    roles, swap = roles_of(told), judge.converse(question.clause, told)
    if asked == "from" and swap.get("origin") and (found := roles.core().get(swap["origin"])):
        return first_new(found, question, fact, judge)
    if asked == "by" and question.clause.passive:
        return filled(roles.agent, question, fact, judge)
    if asked == "to" and (found := roles.core().get(swap.get("recipient", "recipient"))):  # noqa: SIM102
        if question.clause.verbs:
            return first_new(found, question, fact, judge)
    for prep, phrase in told.places:
        if prep == "@time" or (prep in {"for"} and asked not in {"for"}):
            continue
        if any(prep in group and asked in group for group in _PREPOSITIONS):  # noqa: SIM102
            if slot := filled(phrase, question, fact, judge, preposition=prep, trust=0.85):
                return slot
    if asked in {"of", "to", "from", "about", "at", "with"} and not question.clause.verbs:
        if told.verb in {"scare", "frighten", "terrify", "make", "give", "bother"}:
            return filled(roles.agent, question, fact, judge, trust=0.9)
        return first_new(roles.theme, question, fact, judge)
    if asked == "with" and question.person:
        return first_new(
            [p for p in (roles.agent, *roles.theme) if p is not None], question, fact, judge
        )
    if asked == "for" and len(told.verbs) > 1:
        return Slot(whole=True, trust=0.8)
    if asked == "for" and question.clause.verb in {
        "look",
        "search",
        "work",
        "pay",
        "wait",
        "hope",
        "wish",
        "ask",
    }:
        return first_new(roles.theme, question, fact, judge)
    return None


def find_owner(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """Whose it is."""
    lex = lexicon()
    asked = question.noun.head.low if question.noun is not None else ""
    for given in fact.clause.phrases():
        for part in given.everyone():
            if asked and not lex.same(asked, part.head.low):
                continue
            whose = part.owner or part.of
            if whose is not None and not (
                whose.head.low in {"his", "her", "their", "its"}
                and whose.start not in fact.referents
            ):
                return Slot(whose, trust=1.0)
            if "belong" in {v.lemma for v in fact.clause.verbs}:
                return next((Slot(p) for prep, p in fact.clause.places if prep == "to"), None)
            if (
                fact.clause.verb in {"own", "have"}
                and part in fact.clause.objects
                and fact.clause.subject is not None
            ):
                return Slot(fact.clause.subject, trust=0.8)
    return None


def find_complement(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """What something is."""
    told, target = fact.clause, question.target
    lex = lexicon()
    if target is not None and question.person:
        return _who_is(question, fact, judge, target)
    if told.verb in {"be", "call", "become", "name"}:
        subject = told.subject
        places = [p for prep, p in told.places if prep not in _NOT_PLACE and prep != "@time"]
        if target is not None and subject is not None:
            if judge.same_thing(target, subject, fact):
                if told.objects:
                    return first_new(told.objects, question, fact, judge)
                if told.extras and not target.head.is_("O"):
                    return (
                        Slot(text=" ".join(w.text for w in told.extras if w.is_("J")), trust=0.8)
                        if any(w.is_("J") for w in told.extras)
                        else None
                    )
                return None
            if any(judge.same_thing(target, p, fact) for p in told.objects):
                return filled(subject, question, fact, judge)
        if (
            target is None
            and (question.clause.places or question.clause.objects)
            and subject is not None
            and (places or told.objects)
        ):
            return filled(subject, question, fact, judge)
        return None
    if target is None:
        return first_new(
            [*told.objects, *([told.subject] if told.subject else [])], question, fact, judge
        )
    liked = any(w.low.startswith("favo") or w.low == "best" for w in target.words)
    if liked and told.verb in {"love", "like", "prefer", "enjoy", "adore", "favour"}:
        for phrase in told.objects:
            kind = [
                w for w in target.content() if not (w.low.startswith("favo") or w.low == "best")
            ]
            if all(
                lex.is_kind(k.low, phrase.head.low) or lex.same(k.low, phrase.head.low)
                for k in kind
            ) and (slot := filled(phrase, question, fact, judge)):
                return slot
    return None


def _who_is(question: Question, fact: Fact, judge: Judge, target: Phrase) -> Slot | None:
    if target.names and target.head.is_("E"):
        for given in fact.clause.phrases():
            for part in given.everyone():
                if {n.casefold() for n in part.names} & {n.casefold() for n in target.names}:
                    if not part.head.is_("E"):
                        return Slot(part)
                    if fact.clause.verb in {"be", "call", "name"}:
                        if part is fact.clause.subject:
                            return first_new(list(fact.clause.objects), question, fact, judge)
                        if fact.clause.subject is not None and part in fact.clause.objects:
                            subject = fact.clause.subject
                            if subject.head.low == "name" and (
                                whose := subject.owner or subject.of
                            ):
                                return Slot(whose)
                            return Slot(subject)
        return None
    named = find_name(question, fact, judge)
    if named is not None:
        return named
    if fact.clause.verb == "be":
        told = fact.clause
        if told.subject is not None and judge.same_thing(target, told.subject, fact):
            return first_new(told.objects, question, fact, judge)
        if (
            any(judge.same_thing(target, p, fact) for p in told.objects)
            and told.subject is not None
        ):
            return filled(told.subject, question, fact, judge)
    return None
