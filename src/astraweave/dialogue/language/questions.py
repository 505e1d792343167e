"""What a question asks for: a clause with a gap in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from astraweave.dialogue.language.clauses import Clause, Phrase, Reader
from astraweave.dialogue.language.groups import group
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.words import Word, plainly, words
from astraweave.dialogue.language.wrapping import FORGOT, unwrap

__all__ = ["Gap", "Question", "read_question"]

Gap = Literal[
    "subject", "object", "recipient", "behind", "place", "time", "number", "amount", "reason",
    "owner", "complement", "name", "age", "colour", "job", "kind", "material", "manner", "yesno", "about", "measure",  # noqa: E501
]  # fmt: skip


@dataclass(slots=True)
class Question:
    """A question, read.

    `clause` is what is given, `gap` what is missing from it, `noun` the word that says what sort of
    thing fits ("which town"), `preposition` what stands before the gap when `gap` is "behind".
    """

    gap: Gap
    clause: Clause
    text: str
    person: bool = False
    noun: Phrase | None = None
    preposition: str = ""
    target: Phrase | None = None
    """Whose name, age, colour or trade is asked."""
    hints: set[str] = field(default_factory=set)


_WH = group("questions.wh")
_JOB = group("questions.job")
_MEASURES = {
    "old": "age", "long": "measure", "far": "measure", "tall": "measure", "big": "measure", "heavy": "measure",  # noqa: E501
    "deep": "measure", "wide": "measure", "high": "measure", "often": "time", "late": "time", "early": "time", "large": "measure", "soon": "time",  # noqa: E501
}  # fmt: skip


_EXCLAIMS = re.compile(
    r"(?:oh |ah )?(?:what an? [^?]*|how (?!many\b|much\b|old\b|are\b|is\b|do\b|did\b)[^?]*!)$",
    re.IGNORECASE,
)
"""As in "What a glorious morning!", "How the fire dances!"."""


def read_question(text: str, *, listener: str = "") -> Question | None:
    """Read one sentence as a question; None when it is none.

    Parameters
    ----------
    text : str
        One sentence.
    listener : str
        Name of the one who is asked, so that "Tam, where ..." is understood.

    Examples
    --------
    >>> read_question("Where did my sister hide the ring?").gap
    'place'
    >>> read_question("Remind me who stole the boat.").gap
    'subject'
    """
    text = plainly(text)
    if _EXCLAIMS.match(text):
        return None
    if (topic := _topic_of(text)) is not None:
        return topic
    bare, embedded = unwrap(text, listener)
    if not bare:
        return None
    found = words(bare)
    if not found:
        return None
    index = 1 if len(found) > 1 and found[0].is_("P") and found[1].low in _WH else 0
    lead = found[0].low if index else ""
    first = found[index]
    if (first.low in _WH and first.is_("W")) or first.low in _WH:
        return _wh(bare, found, index, lead)
    if (name := _name_of(found)) is not None and (embedded or text.rstrip().endswith("?")):
        return Question("name", Clause(), bare, target=name)
    if embedded and FORGOT.match(text) and not text.rstrip().endswith("?"):
        return None
    if embedded:
        return _embedded_rest(bare, found)
    if text.rstrip().endswith("?") and found[0].is_("A"):
        return Question("yesno", _clause(_uninvert(found)), bare)
    if text.rstrip().endswith("?"):
        for place, word in enumerate(found):
            if (
                word.low in _WH and place >= len(found) - 3 and place > 0
            ):  # "My horse is called what?"
                return _trailing(bare, found, place)
        return Question("yesno", _clause(found), bare)
    return None


_ABOUT = re.compile(
    r"\b(?:(?:did|have) i (?:ever |already )?(?:tell|told|mention|mentioned|speak|spoken|talk)(?: to)?(?: you)?"  # noqa: E501
    r"(?: anything)?(?: about| of)?|what (?:do|else do|can|did|have) (?:you|i|we) (?:know|tell|told|say|said|"  # noqa: E501
    r"remember|recall|mention)(?: to)?(?: me| you)? (?:about|of)|(?:do|can) you (?:know|remember|recall|tell me) "  # noqa: E501
    r"(?:anything|something|what i (?:said|told you)) (?:about|of)|tell me (?:more |something |all )?about)\s+"  # noqa: E501
    r"(?P<topic>(?!that\b|you\b|how\b|what\b|where\b|who\b|when\b|why\b|it\b)[^?.!,]+)",
    re.IGNORECASE,
)


def _topic_of(text: str) -> Question | None:
    """As in "What do you know about Mira?": anything that is known of somebody or something."""
    found = _ABOUT.search(text.replace("’", "'"))
    if found is None:
        return None
    reader = Reader(words(found["topic"].strip()))
    phrase = reader.phrase()
    rest = reader.peek()
    if phrase is None or phrase.head.low in {"me", "i", "myself"} or (rest and not rest.is_("R.")):
        return None
    return Question("about", Clause(), text, target=phrase)


def _clause(found: list[Word]) -> Clause:
    made = Reader([w for w in found if w.low not in {"?", "."}]).clauses()
    if not made:
        return Clause()
    mains = [c for c in made if not c.relative] or made
    main = mains[0]
    main.subs.extend(c for c in made if c is not main)
    return main


def _uninvert(found: list[Word]) -> list[Word]:
    """Drop the auxiliary that only asks; "is" and "was" stay, for the reader knows them."""
    if found and found[0].is_("A") and found[0].lemma != "be":
        rest = found[1:]
        if found[0].lemma == "have" and not any(w.is_("V") for w in rest):
            return found
        if rest and rest[0].is_("G"):
            rest = rest[1:]
        return rest
    return found


def _name_of(found: list[Word]) -> Phrase | None:
    """As in "the name of my horse", "my horse's name": whose name."""
    phrase = Reader(found).phrase()
    if phrase is None or phrase.head.low not in {"name", "names"}:
        return None
    return phrase.of or phrase.owner


def _embedded_rest(bare: str, found: list[Word]) -> Question:
    if found[0].low in {"if", "whether", "that"}:
        return Question("yesno", _clause(found[1:]), bare)
    if found[0].low in {"about", "of"}:
        found = found[1:]
    reader = Reader(found)
    phrase = reader.phrase()
    if phrase is not None and reader.peek() is None:
        return Question("about", Clause(), bare, target=phrase)
    clause = _clause(found)
    if clause.verbs or clause.auxiliaries:
        return Question("yesno", clause, bare)
    return Question("about", clause, bare, target=phrase)


def _trailing(bare: str, found: list[Word], place: int) -> Question:
    clause = _clause(found[:place])
    low = found[place].low
    gap: Gap = {"where": "place", "when": "time", "why": "reason", "who": "object"}.get(
        low, "object"
    )  # type: ignore[assignment]
    if clause.verb in {"call", "name"} and low == "what":
        return Question("name", Clause(), bare, target=clause.subject)
    if clause.verb == "be" and low in {"what", "who"}:
        return _copula(bare, clause, person=low == "who")
    return Question(gap, clause, bare, person=low == "who")


def _wh(bare: str, found: list[Word], index: int, lead: str) -> Question | None:
    word = found[index]
    rest = found[index + 1 :]
    low = word.low
    after = rest[0] if rest else None
    if low == "how" and after is not None:
        return _how(bare, rest, after, lead)
    if low == "why":
        return Question("reason", _clause(_uninvert(rest)), bare)
    if low in {"where", "when"}:
        clause = _clause(_uninvert(rest))
        gap: Gap = "place" if low == "where" else "time"
        if clause.stranded == "from" and low == "where":
            return Question("behind", clause, bare, preposition="from", hints={"place"})
        return Question(gap, clause, bare)
    noun = None
    if low == "which" and after is not None and after.low == "of" and len(rest) > 1:
        rest = rest[1:]
        reader = Reader(rest)
        noun = reader.phrase(subject=True)
        rest = rest[reader.at :]
    elif low in {"what", "which"} and after is not None and _verb_at_once(rest):
        after.can = {"V"}
        after.forms = after.forms or {"s"}
    elif (
        low in {"what", "which", "whose"}
        and after is not None
        and after.is_("NJM")
        and not (after.is_("A") and not after.is_("N"))
    ):
        reader = Reader(rest)
        noun = reader.phrase(subject=True)
        rest = rest[reader.at :]
    if low == "whose":
        clause = _clause(_uninvert(rest))
        return Question("owner", clause, bare, person=True, noun=noun)
    if noun is not None and (asked := _asked_attribute(bare, noun, rest)) is not None:
        return asked
    return _participant(bare, rest, noun, lead, person=low in {"who", "whom"})


def _asked_attribute(bare: str, noun: Phrase, rest: list[Word]) -> Question | None:
    head = noun.head.low
    clause = _clause(_uninvert(rest))
    target = clause.subject or (clause.objects[0] if clause.objects else None)
    if head in {"colour", "color"} or head in {"hue", "shade"}:
        return Question("colour", clause, bare, target=target)
    if head == "age":
        return Question("age", clause, bare, target=target)
    if head == "name" and clause.verb in {"give", "have", "bear", "call", "choose", "use", "go"}:
        target = (
            clause.objects[0]
            if clause.verb in {"give", "choose"} and clause.objects
            else clause.subject
        )
        if clause.verb == "give" and not clause.objects and clause.places:
            target = clause.places[0][1]
        return Question("name", clause, bare, target=target)
    if head in {"time", "day", "month", "season", "year", "date", "hour", "week"}:
        return Question("time", clause, bare, noun=noun)
    if head in {"kind", "sort", "type", "breed"}:
        noun = noun.of or noun
        return _participant(bare, rest, noun, "", person=False)
    if head in {"reason"}:
        return Question("reason", clause, bare)
    if head in {"material", "metal", "wood"} and clause.verb == "make":
        return Question("material", clause, bare, target=target)
    return None


def _how(bare: str, rest: list[Word], after: Word, lead: str) -> Question:
    if after.low in {"many", "much"}:
        reader = Reader(rest[1:])
        noun = reader.phrase(subject=True)
        if noun is not None and (
            noun.head.is_("O") or noun.owner is not None or noun.words[0].low in {"the", "a"}
        ):
            noun, reader.at = None, 0  # "how much I owe": the phrase is the subject
        tail = rest[1 + reader.at :]
        if noun is not None and not tail and after.low == "much":
            noun, tail = None, rest[1:]
        clause = _clause(_uninvert(tail))
        if tail and tail[0].low == "older":
            return Question("number", clause, bare)
        counted = noun is not None and after.low == "many"
        if noun is not None and lexicon().keys(noun.head.low) & {"money", "gold", "silver", "coin"}:
            noun = noun if counted else None
        gap: Gap = "number" if counted else "amount"
        return Question(gap, clause, bare, noun=noun, preposition=lead)
    if after.low in _MEASURES:
        clause = _clause(_uninvert(rest[1:]))
        gap = _MEASURES[after.low]  # type: ignore[assignment]
        return Question(gap, clause, bare, target=clause.subject, hints={after.low})
    clause = _clause(_uninvert(rest))
    return Question("manner", clause, bare)


def _participant(  # noqa: C901
    bare: str, rest: list[Word], noun: Phrase | None, lead: str, *, person: bool
) -> Question:
    inverted = bool(rest) and rest[0].is_("A")
    if person and _verb_at_once(rest):
        rest[0].can = {"V"}
        rest[0].forms = rest[0].forms or {"s"}
    if rest and rest[0].low in {"'s", "s"}:
        inverted = True
    subject_gap = bool(rest) and (
        (rest[0].is_("V") and not inverted)
        or (rest[0].is_("RG") and not rest[0].is_("N"))
        or (inverted and len(rest) > 1 and not _phrase_after(rest))
        or (rest[0].low in {"have", "has", "had"} and not _phrase_after(rest))
        or (rest[0].low in {"has", "had", "have"} and not any(w.is_("V") for w in rest[1:]))
    )
    if subject_gap and not lead:
        clause = _clause(rest)
        if clause.verb in {"happen", "become"} and clause.places and not person:
            return Question("about", Clause(), bare, target=clause.places[0][1], hints={"event"})
        if clause.verb == "be" and not clause.verbs and clause.subject is not None:
            clause.objects.insert(0, clause.subject)
            clause.subject = None
        if clause.subject is not None and clause.verbs:
            clause.objects.insert(0, clause.subject)
            clause.subject = None
        if clause.passive and clause.verb in {"call", "name"} and clause.objects and not person:
            return Question("complement", clause, bare, noun=noun)
        return Question("subject", clause, bare, person=person, noun=noun)
    clause = _clause(_uninvert(rest))
    if clause.verb == "be" and not clause.verbs and clause.stranded == "" and not lead:
        return _copula(bare, clause, person=person, noun=noun)
    if clause.verb in {"call", "name"} and not person:
        target = (
            clause.subject if clause.passive else (clause.objects[0] if clause.objects else None)
        )
        if target is not None:
            return Question("name", clause, bare, target=target)
    wants = {w.low for w in clause.particles}
    if len(clause.verbs) > 1 and clause.verb == "do" and clause.verbs[0].low != "do":
        clause.verbs.pop()
        return Question("object", clause, bare, person=person, noun=noun, hints={"action"})
    if (
        clause.verb == "do"
        and not clause.objects
        and noun is None
        and not wants - {"for"}
        and clause.subject is not None
        and not person
    ):
        return Question("job", clause, bare, target=clause.subject)
    preposition = lead or clause.stranded
    living = [p for p in clause.places if p[0] == "for" and p[1].head.low in _JOB]
    if clause.verb == "do" and living:
        return Question("job", clause, bare, target=clause.subject)
    if clause.verb in {"look", "go"} and preposition == "like":
        return Question("about", clause, bare, target=clause.subject)
    if preposition == "from" and clause.verb in {"come", "hail", "originate", "be"}:
        return Question("behind", clause, bare, noun=noun, preposition="from", hints={"place"})
    if (
        preposition in {"", "to"}
        and person
        and not preposition
        and clause.verb in GIVING
        and len(clause.objects) == 1
    ) and not (clause.objects[0].names or clause.objects[0].head.is_("O")):
        return Question("recipient", clause, bare, person=True, noun=noun)
    if preposition == "to" and clause.verb in GIVING:
        return Question("recipient", clause, bare, person=person, noun=noun, preposition="to")
    if preposition == "of" and clause.verb == "make":
        return Question("material", clause, bare, target=clause.subject)
    if preposition:
        return Question("behind", clause, bare, person=person, noun=noun, preposition=preposition)
    return Question("object", clause, bare, person=person, noun=noun)


def _verb_at_once(rest: list[Word]) -> bool:
    """Whether the word behind "who" or "what" is a verb although it looks like a noun."""
    if len(rest) < 2 or rest[0].is_("AE") or not rest[0].is_("NV"):
        return False
    known = bool(rest[0].forms & {"past", "s"})
    unknown = not rest[0].forms and rest[0].low.endswith("s") and not rest[0].low.endswith("ss")
    return (
        (known or unknown)
        and (rest[1].is_("DSOE") or (rest[1].is_("M") and known))
        and not rest[1].is_("P")
    )


def _phrase_after(rest: list[Word]) -> bool:
    """Whether a subject follows the auxiliary: "did my sister ..." and not "was stolen"."""
    for word in rest[1:3]:
        if word.is_("RG") and not word.is_("N"):
            continue
        if word.is_("J") and not word.is_("NV"):
            return False
        if word.is_("V") and word.forms & {"ing"}:
            return False
        return word.is_("DSOENM") and not (word.is_("V") and not word.is_("N"))
    return False


GIVING = group("questions.giving")


def _copula(bare: str, clause: Clause, *, person: bool, noun: Phrase | None = None) -> Question:
    subject = clause.subject or (clause.objects[0] if clause.objects else None)
    if subject is None:
        return Question("complement", clause, bare, person=person, noun=noun)
    head = subject.head.low
    whose = subject.of or subject.owner
    if head in {"name", "names", "title", "nickname", "surname"} and whose is not None:
        return Question("name", clause, bare, target=whose, hints={head})
    if (
        head in {"colour", "color"}
        and whose is not None
        and not any(w.is_("J") and w.low.startswith("favo") for w in subject.words)
    ):
        return Question("colour", clause, bare, target=whose)
    if head == "age" and whose is not None:
        return Question("age", clause, bare, target=whose)
    if head in _JOB and whose is not None:
        return Question("job", clause, bare, target=whose)
    return Question("complement", clause, bare, person=person, noun=noun, target=subject)
