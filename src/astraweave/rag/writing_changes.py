"""Which older statement no longer holds, now that a newer one is made.

Precision comes first: what is superseded is all but hidden, and to hide what is true is worse than
to keep two things side by side. So something has to stay the same (who or what it is about, and
which side of it), and something has to be another that can only be one: a claim (`writing_claims`),
a number, a day, or what is said to be so no longer. What several people say are claims of several
people: nobody's word overrules what somebody says of themselves, or what was seen.
"""

from __future__ import annotations

from astraweave.rag.writing_claims import PLACES, shut_out
from astraweave.rag.writing_statements import Clause, Statement
from astraweave.rag.writing_words import is_number, lexicon, stem

__all__ = ["contradicts", "raises_a_price"]

_LEADS_ON = (PLACES | {"from", "as", "for", "with", "to"}) - {"by"}
_HAS = frozenset({"has", "have", "own"})
_BEINGS = frozenset({"is", "ar", "are", "am"})
_STARTS = frozenset({"is", "are", "begin", "start", "held"})
_SERVES = frozenset({"work", "serv", "fight", "play", "sail", "rid", "sing", "cook", "bak"})
"""One does it for somebody; one looks for many things."""


def contradicts(new: Statement, old: Statement, *, owner: str) -> bool:
    """Whether the old statement cannot hold any longer, now that the new one does.

    Parameters
    ----------
    new, old : Statement
        As they were made, the old one earlier.
    owner : str
        Who remembers both.
    """
    if not new.changing and new.negative == old.negative:
        return False
    if new.question or old.question or new.content.isdisjoint(old.content):
        return False
    if not _may_overrule(new, old, owner):
        return False
    most = len(old.content)
    for other in old.clauses:
        # What a memory says beside would be hidden as well.
        if 2 * len(other.content) < most and len(old.clauses) > 1:
            continue
        if any(_outdates(one, other) for one in new.changing):
            return True
    return _denies(new, old)


def raises_a_price(new: Statement, old: Statement) -> bool:
    """Whether a price is raised without saying of what, and the old statement told one.

    "I have to raise the price to five": of what, only the one who has just asked knows.
    """
    return old.speaker == new.speaker and any(
        one.raised
        and one.frame - {new.speaker} == {"price"}
        and any(map(is_number, one.values))
        and any(
            "price" in other.frame and other.standing and _numbers(other) - _numbers(one)
            for other in old.clauses
        )
        for one in new.clauses
    )


def _may_overrule(new: Statement, old: Statement, owner: str) -> bool:
    """Whether who says the new one knows as much of it as who said the old one."""
    if new.speaker == old.speaker or not new.speaker:
        return True
    first_hand = (
        not old.speaker or old.speaker == stem(owner.casefold()) or old.speaker in old.content
    )
    return not first_hand


def _outdates(new: Clause, old: Clause) -> bool:
    if new.content.isdisjoint(old.content):
        return False
    if any(shut_out(one, other) for one in new.claims for other in old.claims):
        return True
    if old.over or old.negative:
        return False
    if new.over:
        return _ends(new, old)
    if new.negative:
        return False
    if new.replaced and new.replaced <= old.content:
        rest = new.content - new.replaced
        return len(rest & old.content) >= 2 or (bool(rest & old.frame) and new.standing)
    return _other_number(new, old) or _other_end(new, old) or _other_trade(new, old)


def _ends(new: Clause, old: Clause) -> bool:
    """Whether the newer clause says that what the older one says is over."""
    if len(new.over) < 2 or not new.over <= old.content or 2 * len(new.over) < len(old.content):
        return False
    if new.left:
        return not set(old.order).isdisjoint((PLACES | {"to", "for", "with", "as"}) - {"by"})
    return old.standing or bool(old.claims)


def _other_number(new: Clause, old: Clause) -> bool:
    """Whether both count the same, and come to different numbers; or name another time."""
    numbers, others = _numbers(new), _numbers(old)
    if numbers and others:
        if numbers == others or (numbers & others and len(numbers) == len(others)):
            return False
        announced = new.news or new.raised
    elif (numbers or new.values) and (others or old.values) and new.values != old.values:
        # Another time of the day: of what comes every day, there may be several.
        once = not _STARTS.isdisjoint(old.order) and not _STARTS.isdisjoint(new.order)
        announced = new.news or new.raised
        if not (announced or once):
            return False
    else:
        return False
    if not old.standing or not (new.standing or new.raised):
        return False
    said, known = new.frame, old.frame
    if said == known:
        return len(said) >= 2 or (bool(said) and announced)
    if not announced:
        return False
    if new.raised and new.speaker not in known:
        said = said - {new.speaker}  # who raises a price is not what it is of
    if said <= known:
        return len(said) >= 2
    return len(known) >= 2 and known < said and len(said - known) <= 2


def _numbers(clause: Clause) -> frozenset[str]:
    return frozenset(each for each in clause.values if is_number(each) or each == "once")


def _other_end(new: Clause, old: Clause) -> bool:
    """Whether a clause with news begins as the older one, and goes on to somewhere else."""
    if not (new.news and new.standing and old.standing):
        return False
    same = 0
    for one, other in zip(new.order, old.order, strict=False):
        if one != other:
            break
        same += 1
    begun = new.order[:same]
    if same < 2 or (begun[-1] == "for" and begun[-2] not in _SERVES):
        return False
    if begun[-1] not in _LEADS_ON or len(new.content.intersection(begun)) < 2:
        return False
    end = new.frame.difference(begun)
    other_end = old.frame.difference(begun)
    return bool(end and other_end) and not (end <= other_end or other_end <= end)


def _other_trade(new: Clause, old: Clause) -> bool:
    """Whether somebody is now of another trade: "I am a carter now"."""
    trades = lexicon().trades
    if not (new.news and new.content & trades and old.content & trades):
        return False
    if new.content & trades & old.content or len(new.frame) > 2 or new.frame - trades == set():
        return False
    return new.frame - trades <= old.frame and not _BEINGS.isdisjoint(new.order)


def _denies(new: Statement, old: Statement) -> bool:
    """Whether one line denies what the other says in the same words."""
    if not (new.present and old.present) or new.negative == old.negative:
        return False
    if new.opinion and new.speaker != old.speaker:
        return False
    shared = len(new.content & old.content)
    return shared >= 3 and shared >= 0.85 * len(new.content | old.content)
