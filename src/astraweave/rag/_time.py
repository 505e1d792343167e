"""Which stretch of game time a question points to: 'yesterday', 'in May', 'before the fire'."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from astraweave.errors import ConfigError

__all__ = [
    "DAY_S",
    "Anchor",
    "GameCalendar",
    "Span",
    "anchor_in",
    "exact_in",
    "first_met_in",
    "span_in",
    "without_event",
    "without_time",
]

_MONTHS = (
    "january february march april may june july august september october november december".split()
)
_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_NUMBERS = {
    word: n
    for n, word in enumerate("a two three four five six seven eight nine ten".split(), start=1)
} | {"an": 1, "one": 1, "couple of": 2, "few": 3, "several": 4}
_UNIT_DAYS = {"day": 1.0, "night": 1.0, "week": 7.0, "month": 30.0, "year": 365.0}
_MAX_DAYS = 4_000_000.0
_MONTH = "|".join(_MONTHS)
_COUNT = (
    r"(\d{1,4}|(?:a )?(?:couple of|few)|several|an?|one|two|three|four|five|six|seven|eight|nine"
    r"|ten)"
)
_AGO = re.compile(rf"\b{_COUNT} (day|night|week|month|year)s? (?:ago|back|earlier)\b")
_PAST = re.compile(
    rf"\b(?:in|over|within|during) the (?:last|past) (?:{_COUNT} )?(day|night|week|month|year)s?\b"
)
_LAST = re.compile(
    r"\b(last|this|next) (night|week|weekend|month|year|spring|summer|autumn|winter)\b"
)
_DAY = re.compile(
    r"\b(the day before yesterday|yesterday|today|tonight"
    r"|this (?:morning|noon|afternoon|evening))\b"
)
_ON_WEEKDAY = re.compile(rf"\b(?:last|on|this) ({'|'.join(_WEEKDAYS)})\b")
_DATE = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})(?:,? (\d{{3,4}}))?\b")
_DATE_US = re.compile(rf"\b({_MONTH}) (\d{{1,2}})(?:st|nd|rd|th)?\b(?:,? (\d{{3,4}})\b)?")
_MONTH_YEAR = re.compile(
    r"\b(?:in|during|since|until|by|of|around|early|late|mid)[ -](?:(?:early|late|mid)[ -])?"
    rf"({_MONTH})(?:,? (\d{{3,4}}))?\b"
    rf"|\b({_MONTH}),? (\d{{4}})\b"
)
_YEAR = re.compile(r"\b(?:in|during|of) (\d{4})\b")
_RECENTLY = re.compile(r"\b(?:recently|lately|just now|these days)\b")
_OF_DAY = {"morning": (0.0, 0.5), "noon": (0.45, 0.6), "afternoon": (0.5, 0.75)}
_WE = r"(?:we|you and i|i and you|i|you)"
_MET = r"(?:met|meet|saw|spoke|talked|came|arrived|walked in|turned up)"
_WHEN = r"(?:(?:on|at|from) )?(?:when |the (?:very )?(?:day|night|evening|moment)(?: that| when)? )"
_FIRST_MET = re.compile(
    rf"\b{_WHEN}?{_WE} (?:very )?first (?:ever )?{_MET}\b(?: (?:you|me|each other|here)\b)?"
    rf"|\b(?:at |on )?(?:the |that )?(?:very )?first time (?:that )?{_WE} (?:ever )?{_MET}\b"
    r"(?: (?:you|me|each other|here)\b)?"
    rf"|\b{_WHEN}(?:we|you and i|i and you) met\b"
    r"|\b(?:at |in |on |during )?our (?:very )?first (?:meeting|talk|conversation|encounter|day)\b"
    r"|\bfirst (?:met|meet)\b"
    rf"|\bfirst (?:thing|words?) (?:that )?{_WE} (?:ever )?(?:said|told|asked)\b(?!.{{0,60}} about)"
)
_ANCHOR = re.compile(
    r"\b(?:(?:on )?the (?P<day>day|night|evening|morning) )?"
    r"(?P<relation>before|after|since|during|of|that|when)\s+"
    r"(?P<event>(?:the|my|your|our|his|her|their)\s+[^?.!,;]{3,60})",
    re.IGNORECASE,
)
_DAYS_AGO = re.compile(
    r"\b(?:\d{1,4}|an?|one|two|three|four|five|six|seven|eight|nine|ten) (?:day|night)s? "
    r"(?:ago|back|earlier)\b"
)
_LAST_NIGHT = re.compile(r"\blast night\b")
_EXACT_WORDS = tuple(
    re.compile(pattern.pattern, re.IGNORECASE)
    for pattern in (_FIRST_MET, _DAY, _DAYS_AGO, _LAST_NIGHT)
)
_HINTS_OF_DAYS = ("day", "night", "this ", "ago", "back", "earlier", "met", "meet", "first")
"""One of these stands in whatever `_EXACT_WORDS` find; to ask for them costs little."""
_LOOSE_SPACE = re.compile(r"\s+(?=[\s?.!,;])|^\s+")
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "winter": 12}


DAY_S = 86_400.0
"""Seconds of a day, where a game says nothing else."""


_DAY_RELATIONS = {"day before": -1, "day of": 0, "day after": 1}


class Span(NamedTuple):
    """A stretch of game time in seconds; `start` <= `end`."""

    start: float
    end: float


class Anchor(NamedTuple):
    """An event that a question measures time by."""

    relation: str
    """``"before"``, ``"after"``, ``"since"`` or ``"during"``; ``"day before"``, ``"day of"`` and
    ``"day after"`` tell it to the day."""
    event: str
    """Its words: 'the fire'."""

    @property
    def exact(self) -> bool:
        """Whether it tells the time to the day."""
        return self.relation in _DAY_RELATIONS

    @property
    def aside(self) -> bool:
        """Whether something else than the event is asked for."""
        return self.relation not in ("during", "day of")

    def span(self, when: float, day_seconds: float) -> Span:
        """What is meant, where the event was at `when`."""
        if self.exact:
            day = math.floor(when / day_seconds) + _DAY_RELATIONS[self.relation]
            return Span(day * day_seconds, (day + 1) * day_seconds)
        if self.relation == "before":
            return Span(-math.inf, when)
        if self.relation == "during":
            return Span(when - day_seconds, when + day_seconds)
        return Span(when, math.inf)


class GameCalendar(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a game's seconds are told as days and months.

    Attributes
    ----------
    day_seconds : float
        Length of a day in seconds of game time.
    epoch : str
        Date (``"YYYY-MM-DD"``) on which second 0 lies, where the game counts months and weekdays
        as we do; empty: questions about dates are answered by words and meaning alone.

    Examples
    --------
    >>> calendar = GameCalendar(epoch="2031-03-01")
    >>> span_in("What did I buy yesterday?", 10.5 * 86400.0, calendar)
    Span(start=777600.0, end=864000.0)
    >>> span_in("Whom did we meet in April?", 90 * 86400.0, calendar).start / 86400.0
    31.0
    """

    day_seconds: float = DAY_S
    epoch: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.day_seconds) and self.day_seconds > 0.0):
            raise ConfigError(f"a day lasts more than 0 seconds, not {self.day_seconds}")
        if self.epoch:
            self._first_day()

    def day_of(self, seconds: float) -> int:
        """Number of the day that a moment belongs to; day 0 begins at second 0."""
        return math.floor(seconds / self.day_seconds)

    def days(self, first: float, end: float) -> Span:
        """From the beginning of one day to that of a later one."""
        return Span(first * self.day_seconds, end * self.day_seconds)

    def plain(self, seconds: float) -> float:
        """A stretch of game time as if days had 24 hours; 0 for one that has not begun."""
        return max(0.0, seconds) * (DAY_S / self.day_seconds)

    def game(self, seconds: float) -> float:
        """Game time for a stretch of days of 24 hours: the other way than `plain`."""
        return seconds * (self.day_seconds / DAY_S)

    def date_of(self, day: int) -> dt.date | None:
        """The date of a day; None without `epoch`, or where our calendar ends."""
        if not self.epoch:
            return None
        try:
            return dt.date.fromordinal(self._first_day() + day)
        except (ValueError, OverflowError):
            return None

    def day_at(self, year: int, month: int, day: int) -> int | None:
        """Number of the day with a date; None without `epoch`, or where there is no such date."""
        if not self.epoch:
            return None
        try:
            return dt.date(year, month, day).toordinal() - self._first_day()
        except (ValueError, OverflowError):
            return None

    def _first_day(self) -> int:
        try:
            return dt.date.fromisoformat(self.epoch).toordinal()
        except ValueError as error:
            raise ConfigError(f"epoch must be a date as 2031-03-01, not {self.epoch!r}") from error


def span_in(question: str, now: float, calendar: GameCalendar) -> Span | None:
    """The time that a question names, or None; the most exact expression wins.

    Parameters
    ----------
    question : str
        Any text; English expressions are read.
    now : float
        Game time in seconds.
    calendar : GameCalendar
        How long a day is, and which date it is.
    """
    text = question.casefold()
    if not math.isfinite(now) or abs(now) > _MAX_DAYS * calendar.day_seconds:
        return None
    for read in _READERS:
        span = read(text, now, calendar)
        if span is not None:
            return span
    return None


def anchor_in(question: str) -> Anchor | None:
    """The event that a question measures time by ('before the fire'), or None."""
    for match in _ANCHOR.finditer(question.casefold()):
        relation = match["relation"]
        if match["day"] is not None:
            relation = f"day {relation}" if relation in ("before", "after") else "day of"
        elif relation in ("of", "that", "when"):
            continue
        return Anchor(relation, match["event"].strip())
    return None


def exact_in(question: str) -> bool:
    """Whether a question tells its time to the day ('yesterday', 'three days ago')."""
    text = question.casefold()
    return _may_tell_day(text) and any(
        pattern.search(text) is not None for pattern in (_DAY, _DAYS_AGO, _LAST_NIGHT, _FIRST_MET)
    )


def without_time(question: str) -> str:
    """A question without the words that tell its time to the day: they are looked up, not for.

    Examples
    --------
    >>> without_time("What did I buy for you yesterday?")
    'What did I buy for you?'
    """
    left = question
    if _may_tell_day(question.casefold()) or not question.isascii():
        for pattern in _EXACT_WORDS:
            left = pattern.sub("", left)
    left = _LOOSE_SPACE.sub("", left).strip(" ,")
    return left if any(map(str.isalpha, left)) else question


def without_event(question: str) -> str:
    """A question without the event that it measures time by: that is looked up, not for.

    Nothing is left off where too little would be left.

    Examples
    --------
    >>> without_event("Where did I hide the ring before the fire?")
    'Where did I hide the ring?'
    """
    for match in _ANCHOR.finditer(question):
        if match["day"] is None and match["relation"].casefold() in ("before", "after", "since"):
            left = question[: match.start()] + question[match.end() :]
            return _LOOSE_SPACE.sub("", left).strip(" ,")
    return question


def first_met_in(question: str) -> bool:
    """Whether a question asks for the beginning of the acquaintance."""
    text = question.casefold()
    return _may_tell_day(text) and _FIRST_MET.search(text) is not None


def _may_tell_day(text: str) -> bool:
    return any(map(text.__contains__, _HINTS_OF_DAYS))


def _date(text: str, now: float, calendar: GameCalendar) -> Span | None:
    for pattern, order in ((_DATE, (1, 2, 3)), (_DATE_US, (2, 1, 3))):
        if match := pattern.search(text):
            day, month, year = (match[group] for group in order)
            return _dated(calendar, now, _MONTHS.index(month) + 1, year, int(day))
    return None


def _month(text: str, now: float, calendar: GameCalendar) -> Span | None:
    if match := _MONTH_YEAR.search(text):
        month, year = match[1] or match[3], match[2] or match[4]
        return _dated(calendar, now, _MONTHS.index(month) + 1, year)
    if match := _YEAR.search(text):
        first = calendar.day_at(int(match[1]), 1, 1)
        return None if first is None else calendar.days(first, first + 365)
    return None


def _dated(
    calendar: GameCalendar, now: float, month: int, year: str | None, day: int | None = None
) -> Span | None:
    """A day or a month; without a year, the last one that has begun."""
    today = calendar.date_of(calendar.day_of(now))
    if today is None:
        return None
    if year is not None:
        number = int(year)
    else:
        number = today.year - ((month, day or 1) > (today.month, today.day))
    first = calendar.day_at(number, month, day or 1)
    if first is None:
        return None
    if day is not None:
        return calendar.days(first, first + 1)
    following = calendar.day_at(number + month // 12, month % 12 + 1, 1)
    return calendar.days(first, first + 31 if following is None else following)


def _day(text: str, now: float, calendar: GameCalendar) -> Span | None:
    match = _DAY.search(text)
    if not match:
        return None
    back = {"the day before yesterday": 2, "yesterday": 1}.get(match[1], 0)
    day = calendar.day_of(now) - back
    first, end = _OF_DAY.get(match[1].removeprefix("this "), (0.0, 1.0))
    return calendar.days(day + first, day + end)


def _ago(text: str, now: float, calendar: GameCalendar) -> Span | None:
    if match := _AGO.search(text):
        unit = _UNIT_DAYS[match[2]]
        middle = calendar.day_of(now) + 0.5 - _number(match[1]) * unit
        slack = max(0.5, unit / 2.0)
        return calendar.days(middle - slack, middle + slack)
    if match := _PAST.search(text):
        length = (_number(match[1]) if match[1] else 1) * _UNIT_DAYS[match[2]]
        return Span(now - min(length, _MAX_DAYS) * calendar.day_seconds, now)
    return None


def _last(text: str, now: float, calendar: GameCalendar) -> Span | None:
    match = _LAST.search(text)
    if not match or match[1] == "next":
        return None
    today, unit = calendar.day_of(now), match[2]
    back = match[1] == "last"
    if unit in _SEASONS:
        date = calendar.date_of(today)
        if date is None:
            return None
        year = date.year - ((_SEASONS[unit], 1) > (date.month, date.day))
        first = calendar.day_at(year, _SEASONS[unit], 1)
        return None if first is None else calendar.days(first, first + 92)
    if unit == "night":
        return calendar.days(today - 0.5, today + 0.3) if back else calendar.days(today, today + 1)
    length = 7.0 if unit == "weekend" else _UNIT_DAYS[unit]
    return calendar.days(
        today - length * (2 if back and unit != "weekend" else 1), today + 1.0 * (not back)
    )


def _weekday(text: str, now: float, calendar: GameCalendar) -> Span | None:
    match = _ON_WEEKDAY.search(text)
    today = calendar.day_of(now)
    date = calendar.date_of(today)
    if not match or date is None:
        return None
    back = (date.weekday() - _WEEKDAYS.index(match[1]) - 1) % 7 + 1
    return calendar.days(today - back, today - back + 1)


def _recently(text: str, now: float, calendar: GameCalendar) -> Span | None:
    return Span(now - 14 * calendar.day_seconds, now) if _RECENTLY.search(text) else None


def _number(word: str) -> int:
    word = word.removeprefix("a ") if word.startswith(("a couple", "a few")) else word
    return int(word) if word.isdigit() else _NUMBERS[word]


_READERS: tuple[Callable[[str, float, GameCalendar], Span | None], ...] = (
    _date,
    _day,
    _ago,
    _weekday,
    _last,
    _month,
    _recently,
)
