"""When something was told: "yesterday", "in our first talk", "three days ago"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from astraweave.dialogue.language.questions import Question, read_question
from astraweave.dialogue.language.words import NUMBERS, number_value, plainly
from astraweave.rag import GameCalendar

__all__ = ["Period", "Telling", "ago", "asked_period", "asked_telling", "period_of", "sittings_of"]

_PLAIN = GameCalendar()
_APART_S = 3_600.0
"""A silence of so much game time lies between two talks."""

_LAST = r"(?:the )?last time(?: (?:we|i|you)\b[^?]*)?|(?:when|the time) we last [^?]*"
_NTH = (
    r"(?:in|at|during|on) (?:our|the) (?P<nth>first|last|previous)"
    r" (?:talk|meeting|chat|conversation|day|visit|time)"
)
_WHEN = (
    r"(?P<when>yesterday|the day before yesterday|earlier today|today|this morning"
    rf"|{_LAST}|(?:a|last) week(?: ago)?|(?P<count>[\w-]+) (?P<unit>day|week)s? ago|{_NTH}"
    r"|(?:when we|the) first (?:met|meeting|talked|spoke|time)\b[^?]*|first (?:of all|ever)?)"
)
_WHAT = (
    r"(?:what (?:did|have) (?:i|we) (?:tell|told|say|said|talk|talked|speak|spoken|spoke|mention|"
    r"mentioned|discuss|discussed)(?: to)?(?: you)?(?: about)?)"
)
_PERIOD = re.compile(
    rf"^(?:\w+, )?(?:(?:and|so|do you remember|remember|tell me)[, ]+)*(?:{_WHAT}\s+{_WHEN}"
    rf"|{_WHEN.replace('<', '<x')}[, ]+(?:i told you something\W+what was (?:it|that)|{_WHAT})"
    r"|what was the (?P<opening>first|last) thing (?:that )?i (?:ever )?(?:told|said to) you)\W*$",
    re.IGNORECASE,
)
_TOLD = r"(?:tell|told|say|said|mention|mentioned|hear|heard|learn|learned|learnt|know|find out)"
_ASKS_WHEN = (
    r"(?P<when>when|how long ago|on (?:what|which) (?:occasion|day)|since when)"
    rf" (?:did|have|do|was it) (?:that )?(?:i|you)(?: first| ever)? {_TOLD}"
    r"(?: it)?(?: to)?(?: you| me)?(?: about it)?"
)
_ASKS_WHO = (
    r"(?P<who>(?:who|from whom|whom|by whom|who was it)(?: was it)?)(?: that)?"
    rf"(?: did| do| have| has| were)?(?: you| was it)*(?: that)? {_TOLD}"
    r"(?: it)?(?: you| to you| from)?"
)
_TELLING = re.compile(
    r"^(?:(?:and|so|do you remember|remember|tell me)[, ]+)*"
    rf"(?:{_ASKS_WHEN}|{_ASKS_WHO})"
    r" (?:that|how) (?P<claim>[^?]+?)(?:, (?:was it|is it) [^?]+)?\W*$",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z](?!hat was (?:it|that)))")


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of game time that a question means.

    `days_ago` counts from today, the nearest and the farthest day; `sitting` counts talks: 0 is the
    first, -1 the last.
    """

    days_ago: tuple[int, int] | None = None
    sitting: int | None = None


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """A question about when, or by whom, something was told."""

    asks: Literal["when", "who"]
    claim: str

    def question(self) -> Question | None:
        """Whether the claim is so."""
        return read_question(f"Do you remember that {self.claim}?")


def asked_period(utterance: str) -> Period | None:
    """The time of which an utterance asks what was told then; None when it asks something else.

    Examples
    --------
    >>> asked_period("What did I tell you yesterday?").days_ago
    (1, 1)
    >>> asked_period("What did we talk about in our first talk?").sitting
    0
    """
    for sentence in reversed(_SENTENCE.split(plainly(utterance.strip()))):
        found = _PERIOD.match(sentence)
        if found is None:
            continue
        if found["opening"]:
            return Period(sitting=0 if found["opening"].lower() == "first" else -1)
        when = (found["when"] or found["xwhen"]).lower()
        count, unit = (found["count"] or found["xcount"]), (found["unit"] or found["xunit"])
        if count and unit:
            number = 1.0 if count.lower() in {"a", "one"} else number_value(count.lower())
            if number is None:
                return None
            days = int(number) * (7 if unit.lower() == "week" else 1)
            return Period(days_ago=(days, days))
        if "first" in when:
            return Period(sitting=0)
        if "day before" in when:
            return Period(days_ago=(2, 2))
        if "yesterday" in when:
            return Period(days_ago=(1, 1))
        if "today" in when or "morning" in when:
            return Period(days_ago=(0, 0))
        if "week" in when:
            return Period(days_ago=(5, 9))
        return Period(sitting=-1)
    return None


def asked_telling(utterance: str) -> Telling | None:
    """As in "When did I tell you that Mira lives in Harrow?", "Who told you that ...?".

    Examples
    --------
    >>> asked_telling("How long ago did I tell you that my horse is lame?").claim
    'my horse is lame'
    """
    found = _TELLING.match(plainly(utterance.strip()))
    if found is None:
        return None
    return Telling(asks="when" if found["when"] else "who", claim=found["claim"])


def sittings_of(times: Iterable[float]) -> list[tuple[float, float]]:
    """Talks: stretches of game time with no long silence in them, oldest first."""
    found: list[tuple[float, float]] = []
    for time in sorted(times):
        if found and time - found[-1][1] <= _APART_S:
            found[-1] = found[-1][0], time
        else:
            found.append((time, time))
    return found


def period_of(
    period: Period, times: Sequence[float], now: float, calendar: GameCalendar = _PLAIN
) -> tuple[float, float] | None:
    """From when to when a period reaches, in seconds of game time.

    Parameters
    ----------
    period : Period
        What was asked.
    times : sequence of float
        When the speaker said something.
    now : float
        Game time.
    calendar : GameCalendar
        How long a day is.
    """
    if period.days_ago is not None:
        today = calendar.day_of(now)
        return calendar.days(today - max(period.days_ago), today - min(period.days_ago) + 1)
    earlier = sittings_of(times)
    if earlier and now - earlier[-1][1] <= _APART_S and len(earlier) > 1:
        earlier = earlier[:-1]  # the talk that goes on now is no earlier one
    return earlier[period.sitting or 0] if earlier else None


def ago(then: float, now: float, calendar: GameCalendar = _PLAIN) -> str:
    """How long ago something was, in words.

    Examples
    --------
    >>> ago(0.0, 3 * 86_400.0)
    'three days ago'
    """
    days = calendar.day_of(now) - calendar.day_of(then)
    if days <= 0:
        return "today" if now - then > _APART_S else "just now"
    if days == 1:
        return "yesterday"
    return f"{_spelt(days)} days ago"


def _spelt(number: int) -> str:
    for name, value in NUMBERS.items():
        if value == number and name != "dozen" and name != "score":
            return name
    tens, ones = number // 10 * 10, number % 10
    if 20 < number < 100:
        return f"{_spelt(tens)}-{_spelt(ones)}"
    return str(number)
