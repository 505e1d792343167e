"""The game time that a question points to, where events that it names are looked up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from astraweave.rag._question import search_words
from astraweave.rag._time import (
    Anchor,
    GameCalendar,
    Span,
    anchor_in,
    exact_in,
    first_met_in,
    span_in,
    without_event,
)
from astraweave.rag.scopes import Readable

__all__ = ["Moment", "beside", "looked_for", "moment_of"]

_SIDES = {"before": -1, "after": 1, "since": 1}
_SIDE_WORDS = re.compile(r"(?i)before|after|since")
_MOST_TRIED, _AS_GOOD = 8, 0.6
_ON_THAT_SIDE = 2.0
_NEAR_IT = 3.0
_NEAR_DAYS = 7.0


class Moment(NamedTuple):
    """The game time that a question points to."""

    span: Span | None = None
    exact: bool = False
    """It is told to the day."""
    event: int = -1
    """Place of the memory that time is measured by, where something else is asked for."""
    side: int = 0
    """-1: before that event, 1: after it, where it was seen; 0: neither."""


def moment_of(
    question: str, known: Readable, now: float, calendar: GameCalendar, met_by: Sequence[int]
) -> Moment:
    """When what is asked for was.

    Parameters
    ----------
    question : str
        In its own words.
    known : Readable
        Where events are looked up; not empty.
    now : float
        Game time.
    calendar : GameCalendar
        What a day is.
    met_by : sequence of int
        Codes of those whom a "first met" may mean.
    """
    span = span_in(question, now, calendar)
    if span is not None:
        return Moment(span, exact_in(question))
    columns = known.columns
    if first_met_in(question):
        theirs = np.isin(columns.speaker, met_by) | np.isin(columns.addressee, met_by)
        times = columns.game_time[theirs]
        first = float((times if len(times) else columns.game_time).min())
        return Moment(Span(first, first + calendar.day_seconds / 4.0), True)
    found = _event_in(question, known)
    if found is None:
        return Moment()
    anchor, place, seen = found
    span = anchor.span(float(columns.game_time[place]), calendar.day_seconds)
    side = _SIDES.get(anchor.relation, 0) if seen else 0
    return Moment(span, anchor.exact, place if anchor.aside else -1, side)


def looked_for(question: str, known: Readable) -> str:
    """A question without the event that it measures time by, where that was seen.

    Of what was only spoken of nobody knows when it was; then its words may lead to the answer.
    """
    if not _SIDE_WORDS.search(question):
        return question
    left = without_event(question)
    if left == question or not search_words(left):
        return question
    found = _event_in(question, known)
    return left if found is not None and found[2] else question


def _event_in(question: str, known: Readable) -> tuple[Anchor, int, bool] | None:
    """The event that time is measured by, the place of its memory, and whether it was seen.

    A memory of something seen is as old as that; a line that speaks of it may be older or younger.
    """
    anchor = anchor_in(question)
    if anchor is None or not len(known):
        return None
    scores = known.word_scores([(word, 1.0) for word in search_words(anchor.event)])
    best = int(scores.argmax())
    if scores[best] <= 0.0:
        return None
    near = np.argsort(-scores, kind="stable")[:_MOST_TRIED]
    for place in near[scores[near] >= _AS_GOOD * scores[best]].tolist():
        if not known.memory(place).speaker:
            return anchor, place, True
    return anchor, best, False


def beside(
    moment: Moment, game_time: NDArray[np.float64], day_seconds: float
) -> NDArray[np.float32] | None:
    """What speaks for each memory by the side of an event that it lies on; None: none is meant.

    A span without an end tells nearly nothing of what is near: so what is on that side counts, and
    the more, the nearer it is to the event.
    """
    if not moment.side or moment.span is None:
        return None
    start, end = moment.span
    event = end if moment.side < 0 else start
    days = np.abs(game_time - event) / (_NEAR_DAYS * day_seconds)
    inside = (game_time >= start) & (game_time <= end)
    found: NDArray[np.float32] = np.where(
        inside, _ON_THAT_SIDE + _NEAR_IT * np.exp2(-days), 0.0
    ).astype(np.float32)
    return found
