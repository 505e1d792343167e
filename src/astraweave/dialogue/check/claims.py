"""Whether anything known supports what a clause says."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from itertools import pairwise

from astraweave.dialogue.check.knowledge import Knowledge, Known
from astraweave.dialogue.language.clauses import Clause, read
from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.words import Word, number_value, sentences, words

__all__ = ["faults_of_claims", "flavour"]


@functools.cache
def flavour() -> frozenset[str]:
    """Words that a line may use freely."""
    text = (
        resources.files("astraweave.dialogue")
        .joinpath("vocabulary.toml")
        .read_text(encoding="utf-8")
    )
    return frozenset(tomllib.loads(text)["flavour"].split())


def faults_of_claims(text: str, knowledge: Knowledge) -> list[str]:
    """What a text claims that nothing known supports.

    ``"name"``, ``"number"``, ``"claim"``: a fact is stated; ``"loose"``: it speaks of things that
    nobody has spoken of, and states no fact about anybody ("A smith needs two good hands").
    """
    reasons: list[str] = []
    for sentence in sentences(text):
        found = words(sentence)
        reasons += _names_and_numbers(found, knowledge)
        if not sentence.rstrip().endswith("?"):
            for clause in read(sentence):
                if (reason := _clause_claim(clause, found, knowledge)) is not None:
                    reasons.append(reason)
        elif _presumes(found, knowledge):
            reasons.append("loose")
    return reasons


def _names_and_numbers(found: list[Word], knowledge: Knowledge) -> list[str]:
    reasons = []
    for word in found:
        if (
            word.is_("E")
            and word.low not in knowledge.names
            and not knowledge.keys & lexicon().keys(word.low)
        ):
            first = word is found[0]
            if not (first and lexicon().keys(word.low) & flavour()) and word.low not in {
                "god",
                "gods",
                "aye",
                "nay",
                "hm",
                "heh",
                "ha",
                "mm",
                "lord",
                "heaven",
            }:
                reasons.append("name")
        if (
            word.is_("M")
            and word.low not in {"one", "once"}
            and (number_value(word.low) or 0.0) not in knowledge.numbers
        ):
            reasons.append("number")
    return reasons


def _content(span: list[Word]) -> list[Word]:
    lex = lexicon()
    shades = lex.colours | lex.materials
    return [
        w for w in span if (w.is_("NEVM") and not w.is_("AOSD")) or (w.is_("J") and w.low in shades)
    ]


def _clause_claim(clause: Clause, found: list[Word], knowledge: Knowledge) -> str | None:
    span = found[clause.start : clause.end] or found
    content = [w for w in _content(span) if w.low not in _INTERJECTIONS]
    strange = [w for w in content if not _free(w)]
    happened = _asserts_past(clause) or _holds(clause)
    kind = "claim" if _firm(clause, span, knowledge, happened=happened) else "loose"
    if not all(_known_anywhere(w, knowledge) for w in strange):
        return kind
    if any(w.low in _WHEN and w.low not in knowledge.keys for w in span):
        return kind
    if not (strange or happened or _whose(span)):
        return None
    needed = [w for w in content if not _light(w)] if happened or _whose(span) else strange
    if strange:  # "the soup was warm" when it was cold
        needed = needed + [
            w for w in span if w.is_("J") and w.low not in _PRAISE and w not in needed
        ]
    first_person = any(w.low in {"i", "my", "we", "our"} for w in span)
    about_player = any(w.low in {"you", "your"} for w in span)
    pools = [*knowledge.sources, *knowledge.own]
    if first_person and not about_player:
        pools = knowledge.own
    names = [w.low for w in needed if w.is_("E")]
    for known in pools:
        agrees = known.negated == clause.negated and known.in_order(names)
        if needed and agrees and all(_in(w, known) for w in needed):
            return None
    return kind


def _firm(clause: Clause, span: list[Word], known: Knowledge, *, happened: bool) -> bool:
    """Whether a fact about somebody is stated, and no mere opinion, wish or saying."""
    lex = lexicon()
    for word, after in pairwise(span):
        if word.low in {"your", "my", "our", "his", "her"} and lex.keys(after.low) & lex.persons:
            return not lex.keys(after.low) & _ADDRESSED
    subject = clause.subject
    if subject is None or clause.link in {"if", "when", "unless"}:
        return False
    low = subject.head.low
    person = (subject.head.is_("E") and (subject.head.start > 0 or low in known.names)) or bool(
        lex.keys(low) & lex.persons
    )
    general = subject.words[0].low in {"a", "an", "any", "every", "no", "some"} or low == "people"
    if low in {"he", "she"} or (person and not general):
        return True
    return happened and low in {"i", "you", "we"} and clause.verb not in _FELT


_ADDRESSED = frozenset(["friend", "guest", "customer", "man", "lad", "lass", "lord", "lady"])
_FELT = frozenset(
    "be like love enjoy hate feel think know see hear learn have long miss lose spend".split()
)
"""What somebody says to have done without telling anything that could be untrue."""

_PRAISE = group("check.praise")
_INTERJECTIONS = group("check.interjections")


_WHEN = frozenset(
    ["tomorrow", "tonight", "yesterday", "monday", "tuesday", "wednesday", "thursday", "friday"]
)


def _known_anywhere(word: Word, knowledge: Knowledge) -> bool:
    if word.is_("E"):
        return word.low in knowledge.names
    if word.is_("M"):
        return (number_value(word.low) or 0.0) in knowledge.numbers
    return bool(knowledge.keys & lexicon().keys(word.low))


def _holds(clause: Clause) -> bool:
    """Whether something lasting is said of the player: "you have", "you live"."""
    subject = clause.subject
    return (
        subject is not None
        and subject.head.low == "you"
        and clause.verb in {"have", "own", "live", "keep", "owe", "possess", "belong"}
        and clause.link not in {"if", "when"}
    )


def _free(word: Word) -> bool:
    if word.is_("M"):
        return word.low == "one"
    return word.low in flavour() or bool(lexicon().keys(word.low) & flavour())


def _light(word: Word) -> bool:
    return not word.is_("E") and bool(lexicon().keys(word.low) & _LIGHT)


_LIGHT = group("check.light")


def _in(word: Word, known: Known) -> bool:
    if word.is_("E"):
        return word.low in known.names
    if word.is_("M"):
        return (number_value(word.low) or 0.0) in known.numbers
    return bool(lexicon().keys(word.low) & known.keys)


def _whose(span: list[Word]) -> bool:
    """Whether something is said of a thing of the player's, or of a person of the character's."""
    lex = lexicon()
    for index, word in enumerate(span[:-1]):
        after = span[index + 1]
        if (
            word.low in {"your", "my", "our"}
            and lex.keys(after.low) & lex.persons
            and not lex.keys(after.low) & {"friend", "guest", "customer", "man", "lad", "lass"}
        ):
            return True
        if (
            word.low == "your"
            and after.is_("N")
            and not lex.keys(after.low)
            & {
                "way",
                "word",
                "mind",
                "time",
                "hand",
                "hands",
                "face",
                "heart",
                "luck",
                "company",
                "foot",
                "feet",
                "day",
                "health",
                "story",
                "question",
                "seat",
                "self",
                "back",
                "coat",
                "eye",
                "road",
                "journey",
                "work",
                "trouble",
                "memory",
                "name",
                "step",
                "patience",
                "tongue",
                "ear",
                "life",
            }
        ):
            return True
    return False


def _asserts_past(clause: Clause) -> bool:
    """Whether something is said to have happened."""
    subject = clause.subject
    if subject is None or clause.link in {"if", "when", "unless"}:
        return False
    somebody = subject.head.is_("OE") or bool(lexicon().keys(subject.head.low) & lexicon().persons)
    if not somebody or subject.head.low in {"it", "that", "this", "nobody", "everybody"}:
        return False
    main = clause.verbs[0] if clause.verbs else None
    if main is not None and main.lemma in {"hope", "wish", "wonder", "guess", "suppose", "doubt"}:
        return False
    told = (
        main is not None
        and "past" in main.forms
        and not clause.auxiliaries
        and main.low
        not in {
            "put",
            "cut",
            "hit",
            "let",
            "set",
            "shut",
            "cost",
            "read",
            "beat",
            "hurt",
            "come",
            "become",
            "run",
        }
    )
    perfect = any(a.lemma == "have" for a in clause.auxiliaries) and main is not None
    was = any(a.low in {"was", "were", "did", "had"} for a in clause.auxiliaries)
    if not (told or perfect or was):
        return False
    if subject.head.low in {"that", "it", "this", "there"} and not (
        clause.places or clause.objects
    ):
        return False
    return not (
        main is not None
        and main.lemma in {"think", "wonder", "hear", "hope", "say", "know", "mean", "guess"}
        and not clause.objects
        and not clause.places
    )


def _presumes(found: list[Word], knowledge: Knowledge) -> bool:
    """Whether a question takes for granted what nobody said: "how is your wife?"."""
    strange = [w for w in _content(found) if not _free(w) and not w.is_("E")]
    for word in strange:
        if not knowledge.keys & lexicon().keys(word.low):
            return True
    for index, word in enumerate(found[:-1]):
        after = found[index + 1]
        if (
            word.low == "your"
            and after.is_("N")
            and lexicon().keys(after.low) & lexicon().persons
            and not knowledge.keys & lexicon().keys(after.low)
        ):
            return True
    return False
