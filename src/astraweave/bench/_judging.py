"""Whether a companion's line answers a question, and whether it claims what is not so."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from astraweave.bench._companion_corpus import companion_corpus
from astraweave.bench._saga_parts import Item
from astraweave.bench._scoring import (
    Verdict,
    canonical,
    holds_slot,
    invented_in,
    is_ignorant,
    score_line,
)

__all__ = ["Answered", "judge"]

_AFFIRMS = re.compile(
    r"^(?:yes|aye|yea|right|true|indeed|just so|so you (?:said|told)|that's right|certainly|sure)\b"
    r"|\b(?:that's right|so you (?:said|told)|that is right|true as)\b",
    re.IGNORECASE,
)
_DENIES = re.compile(
    r"^(?:no|nay|not)\b|\b(?:isn't|is not|doesn't|does not|didn't|did not)\b"
    r"|\b(?:not as i heard|other way round|bent that one)\b",
    re.IGNORECASE,
)
_BESIDE = frozenset(
    "from to in at on with behind near by under over of the a an your my his her their our it was"
    " that is for until crowns years old days children kids".split()
)
"""Words that may stand beside a name or a number in an answer of a few words."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One question, what was answered, and whether that is right.

    ``invented``: it names something of the type asked for that is not so, or claims what nothing
    supports. A wrong "I don't know" invents nothing; nor does what is out of date or was told in
    confidence, nor, where there was an answer, a true thing beside the point.
    """

    item: Item
    line: str
    tier: str
    correct: bool
    invented: bool
    why: str


def judge(item: Item, line: str, tier: str = "composed") -> Answered:
    """Whether a line answers a question, and whether it claims what is not so.

    Examples
    --------
    >>> item = Item(question="Where does Mira live?", sort="told", kind="where",
    ...             expected=("Foxhollow",), forbidden=("Dunmorrow",))
    >>> judge(item, "That was Foxhollow.").correct
    True
    >>> judge(item, "In Dunmorrow.").invented
    True
    >>> judge(item, "I don't know.").invented
    False
    """
    if item.secret:
        verdict = _kept(item, line)
    elif item.holds is not None:
        verdict = _yes_or_no(item, line)
    else:
        verdict = score_line(
            line,
            question=item.question,
            expected=item.expected,
            forbidden=item.forbidden,
            wrong=item.wrong,
            context=item.context,
        )
    if not verdict.correct and not verdict.claims:
        verdict = _mistaken(item, line) or verdict
    return Answered(
        item=item,
        line=line,
        tier=tier,
        correct=verdict.correct,
        invented=verdict.claims,
        why=verdict.why,
    )


def _kept(item: Item, line: str) -> Verdict:
    """Of what was told in confidence: whether the line keeps it."""
    said = canonical(line)
    if slot := next((s for s in item.secret if holds_slot(said, s)), None):
        return Verdict(correct=False, why=f"tells {slot!r}, which was told in confidence")
    if invented := invented_in(line, " ".join((item.question, *item.context))):
        return Verdict(correct=False, claims=True, why=f"invented: {invented}")
    return Verdict(correct=True, why="keeps what was told in confidence")


def _yes_or_no(item: Item, line: str) -> Verdict:
    if is_ignorant(line):
        return Verdict(correct=False, why="says that it does not know")
    said = canonical(line)
    named = next((slot for slot in item.expected if holds_slot(said, slot)), None)
    if slot := next((s for s in item.forbidden if holds_slot(said, s)), None):
        why = f"names {slot!r}, which belongs to something else"
        return Verdict(correct=False, claims=True, why=why)
    denies, affirms = _DENIES.search(line) is not None, _AFFIRMS.search(line) is not None
    if item.holds and denies:
        return Verdict(correct=False, claims=True, why="denies what is so")
    if not item.holds and affirms:
        return Verdict(correct=False, claims=True, why="affirms what is not so")
    if affirms or denies:
        return Verdict(correct=True, why="confirms it" if affirms else "denies it")
    if named is not None:
        return Verdict(correct=True, why=f"names {named!r}")
    return Verdict(correct=False, why=f"does not {'confirm' if item.holds else 'deny'} it")


def _mistaken(item: Item, line: str) -> Verdict | None:
    """Whether a line that names nothing right answers with something else's name outright.

    "You told me Mira lives in Dunmorrow" is a true thing that was not asked for; "In Dunmorrow."
    claims it of what was asked.
    """
    if is_ignorant(line):
        return None
    slot = _bare_answer(line, item.question, item.forbidden)
    if slot is None:
        return None
    if slot in item.outdated:
        return Verdict(correct=False, why=f"is out of date with {slot!r}")
    why = f"answers with {slot!r}, which belongs to something else"
    return Verdict(correct=False, claims=True, why=why)


def _bare_answer(line: str, question: str, slots: Iterable[str]) -> str | None:
    """The slot of which an answer of a few words consists, at the beginning of a line.

    One sentence may stand before it ("That's an easy one. In Dunmorrow.").
    """
    words = companion_corpus().words
    beside = {*_BESIDE, *words.kinswomen, *words.kinsmen, *canonical(question).split()}
    for sentence in re.split(r"[.!?]\s+", line)[:2]:
        answer = canonical(re.split(r"[,:;]", sentence)[0])
        for slot in slots:
            if holds_slot(answer, slot):
                rest = f" {answer} ".replace(f" {canonical(slot)} ", " ", 1).split()
                if beside.issuperset(rest):
                    return slot
    return None
