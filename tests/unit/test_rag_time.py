"""Time expressions against the game clock."""

from __future__ import annotations

import datetime as dt
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.errors import ConfigError
from astraweave.rag import GameCalendar
from astraweave.rag._time import (
    _EXACT_WORDS,
    _may_tell_day,
    anchor_in,
    exact_in,
    first_met_in,
    span_in,
    without_time,
)

DAY = 86_400.0
CALENDAR = GameCalendar(epoch="2031-01-01")
NOW = 100 * DAY + 3600.0  # 11 April 2031, a Friday, one in the morning


def days(question, now=NOW, calendar=CALENDAR):
    span = span_in(question, now, calendar)
    return None if span is None else (span.start / DAY, span.end / DAY)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What did I buy yesterday?", (99, 100)),
        ("Who came the day before yesterday?", (98, 99)),
        ("What happened today?", (100, 101)),
        ("What did I say this morning?", (100, 100.5)),
        ("Who called this afternoon?", (100.5, 100.75)),
        ("Whom did you meet three days ago?", (97, 98)),
        ("What did she say two weeks ago?", (83, 90)),
        ("What did I tell you last week?", (86, 100)),
        ("What happened in March?", (59, 90)),
        ("What happened in May?", (-245, -214)),  # of the year before: this May is still to come
        ("Where were we in March 2031?", (59, 90)),
        ("What broke on 3 April 2031?", (92, 93)),
        ("What broke on April 3rd, 2031?", (92, 93)),
        ("What did he promise on Wednesday?", (98, 99)),
        ("What did he promise last Friday?", (93, 94)),
        ("What happened in 2030?", (-365, 0)),
        ("What have I told you in the last 3 days?", (100 + 1 / 24 - 3, 100 + 1 / 24)),
        ("Where is the ring?", None),
        ("May I come in?", None),
        ("What will happen next week?", None),
    ],
)
def test_expressions(question, expected):
    assert days(question) == (None if expected is None else pytest.approx(expected))


def test_a_day_may_be_short():
    calendar = GameCalendar(day_seconds=1200.0)
    span = span_in("What did I say yesterday?", 10 * 1200.0 + 5.0, calendar)
    assert span == (9 * 1200.0, 10 * 1200.0)


def test_without_a_date_for_second_0_months_say_nothing():
    assert days("What happened in May?", calendar=GameCalendar()) is None
    assert days("What happened yesterday?", calendar=GameCalendar()) == (99, 100)


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_a_day_has_a_length(wrong):
    with pytest.raises(ConfigError):
        GameCalendar(day_seconds=wrong)


def test_an_epoch_is_a_date():
    with pytest.raises(ConfigError, match="2031-03-01"):
        GameCalendar(epoch="first of May")


def test_events_and_meetings():
    anchor = anchor_in("Where did you live before the great fire?")
    assert (anchor.relation, anchor.event) == ("before", "the great fire")
    assert anchor.span(50.0, DAY) == (-math.inf, 50.0)
    assert anchor_in("after my brother came home, what then?").event == "my brother came home"
    assert anchor_in("What happened?") is None
    assert first_met_in("What did I wear when we first met?")
    assert not first_met_in("Who met the smith?")
    assert first_met_in("What was the first thing I ever said?")
    assert not first_met_in("What was the first thing I told you about the well?")


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What did you see the day before the flood?", (1, 2)),
        ("What did you see on the day of the flood?", (2, 3)),
        ("What did you see on the day that the flood came?", (2, 3)),
        ("What did you see the day after the flood?", (3, 4)),
    ],
)
def test_days_by_an_event(question, expected):
    anchor = anchor_in(question)
    assert anchor.exact
    assert anchor.span(2.6 * DAY, DAY) == (expected[0] * DAY, expected[1] * DAY)
    assert anchor.aside == (expected != (2, 3))


@pytest.mark.parametrize(
    ("question", "left"),
    [
        ("What did Bo sell two days ago?", "What did Bo sell?"),
        ("This morning, what broke?", "what broke?"),
        ("What did I wear when we first met?", "What did I wear?"),
        ("Yesterday?", "Yesterday?"),
        ("What did Bo sell in May?", "What did Bo sell in May?"),
    ],
)
def test_words_that_tell_a_day_are_left_out(question, left):
    assert without_time(question) == left
    assert exact_in(question) == ("May" not in question)


PIECES = st.sampled_from(
    ["yesterday", "last", "week", "3", "days ago", "in", "May", "31", "February", "2031", "before",
     "the fire", "on", "monday", "a few", "years ago", "this", "weekend", "0", "9999", "0001",
     "winter"]
)  # fmt: skip


@given(
    question=st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=8).map(" ".join)),
    now=st.floats(allow_nan=True, allow_infinity=True),
    day=st.floats(1.0, 1e6),
    epoch=st.one_of(st.just(""), st.dates().map(dt.date.isoformat)),
)
def test_any_question_at_any_time(question, now, day, epoch):
    span = span_in(question, now, GameCalendar(day_seconds=day, epoch=epoch))
    if span is not None:
        assert span.start <= span.end
        assert math.isfinite(span.start)
        assert math.isfinite(span.end)
    anchor_in(question)
    left = without_time(question)
    assert len(left) <= len(question)


@given(date=st.dates(dt.date(1, 1, 2), dt.date(9990, 1, 1)), ago=st.integers(0, 5000))
def test_a_date_is_its_day(date, ago):
    calendar = GameCalendar(epoch=date.isoformat())
    day = calendar.date_of(ago)
    told = f"What did I say on {day.day} {day:%B}, {day.year:04d}?"
    assert span_in(told, (ago + 7.5) * DAY, calendar) == (ago * DAY, (ago + 1) * DAY)
    assert span_in("What was it yesterday?", (ago + 0.5) * DAY, calendar) == (
        (ago - 1) * DAY,
        ago * DAY,
    )


_DAY_WORDS = (
    "yesterday", "today", "tonight", "this", "morning", "evening", "last", "night", "three", "two",
    "days", "ago", "earlier", "back", "when", "we", "you", "and", "i", "first", "met", "meet",
    "our", "meeting", "the", "day", "before", "words", "said", "saw", "here", "fırst", "thıs",
)  # fmt: skip


@given(st.lists(st.sampled_from(_DAY_WORDS), max_size=7).map(" ".join))
def test_no_way_to_tell_a_day_lacks_its_hint(text):
    if text.isascii() and any(pattern.search(text) for pattern in _EXACT_WORDS):
        assert _may_tell_day(text)
    left = text
    for pattern in _EXACT_WORDS:
        left = pattern.sub("", left)
    assert without_time(text).split() == (left if left.strip() else text).split()
