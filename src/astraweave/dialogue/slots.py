"""What fills the gap of a question, found in a fact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from astraweave.dialogue.facts import Fact, roles_of
from astraweave.dialogue.language.clauses import Clause, Phrase
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.questions import GIVING, Question
from astraweave.dialogue.language.words import Word, number_value

__all__ = ["Slot", "find_slot"]

_NOT_PLACE = frozenset(
    [
        "with",
        "without",
        "for",
        "of",
        "about",
        "as",
        "by",
        "than",
        "like",
        "during",
        "per",
        "despite",
        "except",
        "because_of",
        "due_to",
        "instead_of",
        "on_account_of",
    ]
)
_PREPOSITIONS = [
    frozenset(group.split())
    for group in (
        "in at inside within into on near by", "under beneath underneath below", "from out_of off", "to toward towards into onto",  # noqa: E501
        "with alongside beside", "on upon onto on_top_of atop", "behind past", "for", "of", "about", "as", "against with", "over above across",  # noqa: E501
        "by with", "near by beside next_to close_to", "from of", "at to", "of about from",
    )
]  # fmt: skip
_WORLDLY = frozenset(["inherit", "come", "hail", "originate", "bear", "grow"])


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


def find_slot(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """What fills the question's gap in this fact; None when nothing does."""
    finder = _FINDERS[question.gap]
    return finder(question, fact, judge)


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


def _asked_phrases(question: Question) -> list[Phrase]:
    return [p for given in question.clause.phrases() for p in given.everyone()]


def _new(phrase: Phrase, question: Question, fact: Fact, judge: Judge) -> bool:
    """Whether a filler tells more than the question itself did."""
    return not any(judge.same_thing(asked, phrase, fact) for asked in _asked_phrases(question))


def _fits_noun(question: Question, phrase: Phrase, fact: Fact) -> float:
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
        known = any(lex.known_member(c) for c in contents)
        return 0.0 if known else 0.75
    if phrase.names and not contents:
        return 0.7
    return 0.5


def _filled(
    phrase: Phrase | None,
    question: Question,
    fact: Fact,
    judge: Judge,
    *,
    preposition: str = "",
    trust: float = 1.0,
) -> Slot | None:
    if phrase is None or phrase.head.low in _NOBODY:
        return None
    if phrase.head.low in _LOOSE and fact.meant(phrase) is phrase:
        return None  # nobody knows who "he" is
    if not _new(phrase, question, fact, judge):
        return None
    trust *= _fits_noun(question, phrase, fact)
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


def _subject(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    clause, told = question.clause, fact.clause
    roles = roles_of(told)
    swap = judge.converse(clause, told)
    if clause.passive and clause.objects and clause.verb in GIVING:
        return _first(roles.core().get("recipient", []), question, fact, judge)
    if clause.passive and told.verbs:
        phrases = roles.theme
        return _first(phrases, question, fact, judge)
    if clause.verb in _FRIGHTENING and told.verb not in _FRIGHTENING:
        behind = [p for prep, p in told.places if prep in {"of", "by", "at"}]
        return _first([*behind, *roles.theme], question, fact, judge)
    if clause.verb == "be" or not told.verbs:
        return _complement(question, fact, judge)
    role = swap.get("agent", "agent")
    core = roles.core()
    if found := core.get(role):
        return _first(found, question, fact, judge)
    if told.passive and not roles.agent and told.relative:
        return None
    return None


_LOOSE = frozenset(["he", "she", "they", "him", "her", "them", "it"])
_NOBODY = frozenset(
    [
        "someone",
        "somebody",
        "something",
        "anyone",
        "anybody",
        "anything",
        "nobody",
        "nothing",
        "everyone",
        "everything",
    ]
)
_FRIGHTENING = frozenset(["scare", "frighten", "terrify", "worry"])


def _first(
    phrases: list[Phrase], question: Question, fact: Fact, judge: Judge, *, preposition: str = ""
) -> Slot | None:
    for phrase in phrases:
        if slot := _filled(phrase, question, fact, judge, preposition=preposition):
            return slot
        for other in phrase.others:
            if slot := _filled(other, question, fact, judge, preposition=preposition):
                return slot
    return None


def _object(question: Question, fact: Fact, judge: Judge) -> Slot | None:  # noqa: C901
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
        return _first(found, question, fact, judge)
    found = core.get(role, [])
    behind = [p for prep, p in told.places if prep == "for"]
    if clause.verb == "buy" and told.verb == "pay":
        return _first(behind, question, fact, judge)
    given = [p for prep, p in clause.places if prep == "for"]
    if given and told.verb in {"trade", "swap", "exchange", "sell", "barter", "give"}:  # noqa: SIM102
        if any(judge.same_thing(given[0], p, fact) for p in roles.theme):
            return _first(behind, question, fact, judge)
    if swap and len(told.verbs) > 1 and told.verbs[0].lemma in {"learn", "teach"}:
        return Slot(whole=True, trust=0.8)
    if slot := _first(found, question, fact, judge):
        return slot
    if slot := _first(roles.complement, question, fact, judge):
        return slot
    if (
        clause.verb in {"marry", "meet", "see", "visit", "fight", "love", "hate"}
        and question.person
    ):
        for prep, phrase in told.places:
            if prep in {"to", "with", "by"} and (
                slot := _filled(phrase, question, fact, judge, trust=0.9)
            ):
                return slot
        if (
            roles.agent
            and (slot := _filled(roles.agent, question, fact, judge, trust=0.8))
            and clause.verb in {"marry", "meet", "fight"}
        ):
            return slot
    # "What do I fear?" - "I'm afraid of geese."; "What do I collect?" - "a collection of shells"
    for prep, phrase in told.places:
        if (
            prep in {"of", "for", "to", "about", "at", "with"}
            and (not told.objects)
            and (slot := _filled(phrase, question, fact, judge, trust=0.8))
        ):
            return slot
    if question.noun is not None:
        for prep, phrase in told.places:
            if (
                prep != "@time"
                and _fits_noun(question, phrase, fact) >= 1.0
                and (slot := _filled(phrase, question, fact, judge, trust=0.8))
            ):
                return slot
    return None


def _recipient(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    told = fact.clause
    roles = roles_of(told)
    swap = judge.converse(question.clause, told)
    role = swap.get("recipient", "recipient")
    if found := roles.core().get(role):
        return _first(found, question, fact, judge)
    for prep, phrase in told.places:
        if prep in {"to", "for", "with"} and (
            slot := _filled(phrase, question, fact, judge, trust=0.9 if prep == "to" else 0.6)
        ):
            return slot
    if question.clause.verb == "marry":
        return _object(question, fact, judge)
    return None


def _behind(question: Question, fact: Fact, judge: Judge) -> Slot | None:  # noqa: C901
    asked, told = question.preposition, fact.clause
    if "place" in question.hints:
        return _place(question, fact, judge)
    for prep, phrase in told.places:
        if prep == asked and (slot := _filled(phrase, question, fact, judge, preposition=prep)):
            return slot
    roles, swap = roles_of(told), judge.converse(question.clause, told)
    if asked == "from" and swap.get("origin") and (found := roles.core().get(swap["origin"])):
        return _first(found, question, fact, judge)
    if asked == "by" and question.clause.passive:
        return _filled(roles.agent, question, fact, judge)
    if asked == "to" and (found := roles.core().get(swap.get("recipient", "recipient"))):  # noqa: SIM102
        if question.clause.verbs:
            return _first(found, question, fact, judge)
    for prep, phrase in told.places:
        if prep == "@time" or (prep in {"for"} and asked not in {"for"}):
            continue
        if any(prep in group and asked in group for group in _PREPOSITIONS):  # noqa: SIM102
            if slot := _filled(phrase, question, fact, judge, preposition=prep, trust=0.85):
                return slot
    if asked in {"of", "to", "from", "about", "at", "with"} and not question.clause.verbs:
        if told.verb in {"scare", "frighten", "terrify", "make", "give", "bother"}:
            return _filled(roles.agent, question, fact, judge, trust=0.9)
        return _first(roles.theme, question, fact, judge)
    if asked == "with" and question.person:
        return _first(
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
        return _first(roles.theme, question, fact, judge)
    return None


def is_time(phrase: Phrase) -> bool:
    """Whether a phrase tells a time."""
    lex = lexicon()
    return any(lex.keys(w.low) & lex.times for w in phrase.words) or bool(
        phrase.of is not None and is_time(phrase.of)
    )


def _place(question: Question, fact: Fact, judge: Judge) -> Slot | None:  # noqa: C901
    told = fact.clause
    lex = lexicon()
    away = {w.lemma for w in question.clause.verbs} & {"come", "hail", "bear", "grow", "originate"}
    best: Slot | None = None
    parts: list[str] = []
    first: Phrase | None = None
    for prep, phrase in told.places:
        if prep == "@time" or (prep in _NOT_PLACE and prep != "by") or is_time(phrase):
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
        if prep == "in" and phrase.head.low in {
            "spring",
            "winter",
            "trouble",
            "love",
            "fact",
            "secret",
        }:
            continue
        if not _new(phrase, question, fact, judge):
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
            "there",
        }:
            return Slot(text=word.low, trust=0.9)
    if told.verb in {"visit", "reach", "leave", "enter", "call"} | _MOTION:
        for phrase in told.objects:
            if (phrase.names or lex.keys(phrase.head.low) & lex.places) and (
                slot := _filled(phrase, question, fact, judge, trust=0.9)
            ):
                return slot
    if told.verb == "be" or told.verb in {"call"}:
        # "My home town is Dunmere."
        subject = told.subject
        if subject is not None and lex.keys(subject.head.low) & (
            lex.places | {"birthplace", "hometown"}
        ):
            return _first(told.objects, question, fact, judge)
    return None


_MOTION = frozenset(
    [
        "go",
        "leave",
        "depart",
        "head",
        "travel",
        "sail",
        "ride",
        "walk",
        "move",
        "run",
        "return",
        "come",
        "take",
        "send",
        "bring",
        "carry",
        "march",
        "journey",
        "set",
        "flee",
        "journey",
        "ship",
        "drive",
        "lead",
        "get",
        "fly",
        "row",
        "float",
        "wander",
        "follow",
        "post",
        "deliver",
    ]
)


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


def _time(question: Question, fact: Fact, judge: Judge) -> Slot | None:
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
        if is_time(phrase) and _new(phrase, question, fact, judge):
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
        and _new(told.subject, question, fact, judge)
    ):
        return Slot(told.subject, trust=0.8)
    if told.verb == "be" and any(
        (number_value(w.low) or 0) > 31 for p in told.objects for w in p.words
    ):
        return _first(told.objects, question, fact, judge)
    return None


def _counted(phrase: Phrase) -> Word | None:
    return next((w for w in phrase.words if w.is_("M")), None)


def _number(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    lex = lexicon()
    noun = question.noun
    asked = noun.head.low if noun is not None else ""
    for given in fact.clause.phrases():
        for part in given.everyone():
            counted = _counted(part)
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


def _amount(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    lex = lexicon()
    noun = question.noun
    parts = [part for given in fact.clause.phrases() for part in given.everyone()]
    for part in parts:
        if noun is not None and part.of is not None:  # noqa: SIM102
            if any(lex.same(noun.head.low, w.low) for w in part.of.content()):
                return Slot(part)
    for part in parts:
        if _counted(part) is None or is_time(part):
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


def _measure(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    lex = lexicon()
    for given in fact.clause.phrases():
        for part in given.everyone():
            if _counted(part) is not None and any(lex.keys(w.low) & lex.units for w in part.words):
                timely = any(lex.keys(w.low) & lex.times for w in part.words)
                if timely and not question.hints & {"long", "far"}:
                    continue
                return Slot(part)
    for prep, phrase in fact.clause.places:
        if prep in {"for", "since"} and "long" in question.hints:
            return Slot(phrase, preposition=prep, trust=0.9)
    return None


def _reason(question: Question, fact: Fact, judge: Judge) -> Slot | None:
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


def _owner(question: Question, fact: Fact, judge: Judge) -> Slot | None:
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


def _complement(question: Question, fact: Fact, judge: Judge) -> Slot | None:
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
                    return _first(told.objects, question, fact, judge)
                if told.extras and not target.head.is_("O"):
                    return (
                        Slot(text=" ".join(w.text for w in told.extras if w.is_("J")), trust=0.8)
                        if any(w.is_("J") for w in told.extras)
                        else None
                    )
                return None
            if any(judge.same_thing(target, p, fact) for p in told.objects):
                return _filled(subject, question, fact, judge)
        if (
            target is None
            and (question.clause.places or question.clause.objects)
            and subject is not None
            and (places or told.objects)
        ):
            return _filled(subject, question, fact, judge)
        return None
    if target is None:
        return _first(
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
            ) and (slot := _filled(phrase, question, fact, judge)):
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
                            return _first(list(fact.clause.objects), question, fact, judge)
                        if fact.clause.subject is not None and part in fact.clause.objects:
                            subject = fact.clause.subject
                            if subject.head.low == "name" and (
                                whose := subject.owner or subject.of
                            ):
                                return Slot(whose)
                            return Slot(subject)
        return None
    named = _name(question, fact, judge)
    if named is not None:
        return named
    if fact.clause.verb == "be":
        told = fact.clause
        if told.subject is not None and judge.same_thing(target, told.subject, fact):
            return _first(told.objects, question, fact, judge)
        if (
            any(judge.same_thing(target, p, fact) for p in told.objects)
            and told.subject is not None
        ):
            return _filled(told.subject, question, fact, judge)
    return None


def _name(question: Question, fact: Fact, judge: Judge) -> Slot | None:  # noqa: C901
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
                if part.names and person_like(part, fact) and _new(part, question, fact, judge):
                    return Slot(text=" ".join(part.names), trust=0.7)
    return None


def _about_target(question: Question, fact: Fact, judge: Judge) -> list[Phrase]:
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


def _age(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    told = fact.clause
    matches = _about_target(question, fact, judge)
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
    spot = [p for p in told.objects if _counted(p) is not None]
    spot += [p for prep, p in told.places if prep in {"of", "at"} and _counted(p) is not None]
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


def _colour(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    lex = lexicon()
    matches = _about_target(question, fact, judge)
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


def _material(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    lex = lexicon()
    for part in _about_target(question, fact, judge):
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


def _job(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    told = fact.clause
    lex = lexicon()
    matches = _about_target(question, fact, judge)
    if not matches:
        return None
    subject = told.subject
    if subject is None or subject not in matches:
        if subject is None or not (
            subject.owner is not None
            and subject.head.low in {"trade", "job", "profession", "work", "occupation"}
        ):
            return None
        return _first(told.objects, question, fact, judge)
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


_NO_JOB = frozenset(
    [
        "man",
        "woman",
        "boy",
        "girl",
        "child",
        "person",
        "friend",
        "enemy",
        "stranger",
        "neighbour",
        "neighbor",
        "mother",
        "father",
        "brother",
        "sister",
        "son",
        "daughter",
        "twin",
        "wife",
        "husband",
        "uncle",
        "aunt",
        "cousin",
        "lad",
        "lass",
        "baby",
        "orphan",
        "widow",
        "widower",
        "nephew",
        "niece",
        "fellow",
        "guest",
        "sibling",
        "relative",
    ]
)
_STATES = frozenset(
    [
        "have",
        "own",
        "live",
        "like",
        "love",
        "hate",
        "fear",
        "want",
        "need",
        "know",
        "owe",
        "see",
        "hear",
        "think",
        "believe",
        "hope",
        "wear",
        "sleep",
    ]
)


def _manner(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    told = fact.clause
    if any(w.forms & {"ing"} for w in told.extras) or any(
        v.forms <= {"ing"} for v in told.verbs[1:] if v.forms
    ):
        return Slot(whole=True, trust=0.8)
    for prep, phrase in told.places:
        if (
            prep in {"by", "with", "through", "on", "in", "from"}
            and not is_time(phrase)
            and _new(phrase, question, fact, judge)
        ):
            return Slot(whole=True, trust=0.6)
    if any(c.link in {"when", "because", "by"} for c in fact.siblings):
        return Slot(whole=True, trust=0.7)
    return None


_FINDERS = {
    "subject": _subject, "object": _object, "recipient": _recipient, "behind": _behind, "place": _place, "time": _time,  # noqa: E501
    "number": _number, "amount": _amount, "measure": _measure, "reason": _reason, "owner": _owner, "complement": _complement,  # noqa: E501
    "name": _name, "age": _age, "colour": _colour, "material": _material, "job": _job, "manner": _manner,  # noqa: E501
    "kind": _object,
}  # fmt: skip
