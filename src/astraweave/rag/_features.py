"""What speaks for a memory as the answer to a question, as numbers: one row a reason.

All is array work over the candidates. A reason is worth nothing by itself; how much it counts
stands in ``reranker.toml``. Searches are in standard deviations above the mean of everything that
the character may draw on. A *sitting* is what was said with no longer gap than
`SITTING_GAP_SECONDS`.

Cost: for 10,000 memories about ten passes over arrays of 40 kB, which stay in the second cache; for
the 150 candidates some 80 calls into NumPy, which cost more by being calls than by their work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from astraweave.rag._columns import Columns
from astraweave.rag._traits import Trait

__all__ = [
    "FEATURES",
    "GROUPS",
    "SITTING_GAP_SECONDS",
    "Asked",
    "Field",
    "Scores",
    "features",
    "fused",
    "sittings",
    "standardised",
]

Floats: TypeAlias = NDArray[np.floating[Any]]
Places: TypeAlias = NDArray[np.integer[Any]]

SITTING_GAP_SECONDS = 900.0
_SPAN_DAYS = (0.25, 31.0)  # of how far from a span is far from it
_LONG_CHARS = 300
_ASKS, _HOLDS_QUESTION, _SPEAKS_OF_SELF, _TELLS_TIME, _COUNTS, _NAMES, _TELLS_PAST, _TELLS_PLANS = (
    np.int16(trait)
    for trait in (
        Trait.ASKS,
        Trait.HOLDS_QUESTION,
        Trait.SPEAKS_OF_SELF,
        Trait.TELLS_TIME,
        Trait.COUNTS,
        Trait.NAMES,
        Trait.TELLS_PAST,
        Trait.TELLS_PLANS,
    )
)
_NO_SPREAD = 1e-5
_OPENING = 2  # lines of a sitting that greet, and say what is new
_SITTING_BAR = 1.0  # standard deviations above which a line speaks for its sitting
# Shares of the scores around a memory that its window counts: a line is understood from those
# before it, and taken up by those after it.
_BEFORE, _BEFORE_2, _AFTER, _AFTER_2 = (np.float32(share) for share in (0.6, 0.3, 0.4, 0.2))

GROUPS: dict[str, tuple[str, ...]] = {
    "words and meaning": ("meaning", "window", "words rank", "sum log rank"),
    "neighbours": ("words 1 before", "words 2 before"),
    "who": ("said", "said asking", "said of self", "told"),
    "question and answer": ("asks", "holds question", "answers meaning"),
    "form": ("counts", "names", "plans", "log length", "opening"),
    "what is asked": (
        "when: time",
        "when: past",
        "how many: counts",
        "who: names",
        "where: names",
    ),
    "sitting": ("sitting best", "sitting sum", "sitting meaning"),
    "when": ("near span", "recent"),
    "links": ("topics", "hop"),
    "weight": ("importance", "superseded"),
}
FEATURES: tuple[str, ...] = tuple(name for group in GROUPS.values() for name in group)


class Field(NamedTuple):
    """Everything that a character may draw on, as arrays of one length."""

    words: Floats
    """BM25; 0 where no word is shared."""
    meaning: Floats
    """Cosine; NaN where there is no vector."""
    columns: Columns


class Asked(NamedTuple):
    """What a question asks for beside words and meaning."""

    said_by: tuple[int, ...] = ()
    """Codes of those who may have said it; empty: nobody is named."""
    when: bool = False
    how_many: bool = False
    who: bool = False
    where: bool = False
    past: bool = False
    """It asks how things were, so what has been superseded may be meant."""
    span: tuple[float, float] | None = None
    """Game time that a time expression points to."""
    now: float = 0.0
    day: float = 86_400.0
    """Length of a day in seconds of game time."""


class Scores(NamedTuple):
    """The two searches over a field, standardised, and all together with the neighbours."""

    words: Floats
    meaning: Floats
    sums: Floats
    window: Floats
    linked: NDArray[np.bool_]
    """Whether a memory belongs to the sitting of the one before it."""


def standardised(scores: Floats) -> Floats:
    """Standard deviations above the mean; 0 where there is no score, or no spread."""
    mean, spread = _mean_and_spread(scores)
    if math.isnan(mean):
        known = scores[~np.isnan(scores)]
        mean, spread = _mean_and_spread(known) if len(known) else (0.0, 0.0)
        scores = np.where(np.isnan(scores), np.float32(mean), scores)
    if spread < _NO_SPREAD:
        return np.zeros(len(scores), np.float32)
    result: Floats = (scores - np.float32(mean)) * np.float32(1.0 / spread)
    return result


def _mean_and_spread(scores: Floats) -> tuple[float, float]:
    """In two passes: `ndarray.std` takes five."""
    mean = float(scores.sum()) / len(scores)
    return mean, math.sqrt(max(0.0, float(scores @ scores) / len(scores) - mean * mean))


def sittings(game_time: Floats, starts: Sequence[int]) -> NDArray[np.bool_]:
    """Whether each memory belongs to the sitting of the one before it."""
    linked = np.empty(len(game_time), np.bool_)
    linked[1:] = np.abs(game_time[1:] - game_time[:-1]) <= SITTING_GAP_SECONDS
    linked[[start for start in starts if start < len(linked)]] = False
    return linked


def fused(field: Field, starts: Sequence[int]) -> Scores:
    """Both searches standardised, summed, and with a share of what stands around each memory.

    Parameters
    ----------
    field : Field
        Everything.
    starts : sequence of int
        Where the memories of each owner begin: no sitting goes on there.
    """
    words, meaning = standardised(field.words), standardised(field.meaning)
    sums = words + meaning
    linked = sittings(field.columns.game_time, starts)
    heard = np.maximum(sums, np.float32(0.0))
    window = sums.copy()
    window[1:] += _BEFORE * heard[:-1] * linked[1:]
    window[:-1] += _AFTER * heard[1:] * linked[1:]
    both = linked[2:] & linked[1:-1]
    window[2:] += _BEFORE_2 * heard[:-2] * both
    window[:-2] += _AFTER_2 * heard[2:] * both
    return Scores(words, meaning, sums, window, linked)


def features(
    field: Field, scores: Scores, asked: Asked, places: Places, topics: Floats, hop: Floats
) -> NDArray[np.float64]:
    """The numbers of some candidates.

    Parameters
    ----------
    field : Field
        Everything.
    scores : Scores
        Of everything (`fused`).
    asked : Asked
        What is asked for.
    places : ndarray of int, shape ``(c,)``
        Which of them are candidates; at least one.
    topics : ndarray, shape ``(c,)``
        Share of the question's entities that each is about.
    hop : ndarray, shape ``(c,)``
        Match with what the best hits are about.

    Returns
    -------
    ndarray, shape ``(len(FEATURES), c)``
        In the order of `FEATURES`.
    """
    columns = field.columns
    words, meaning, sums = scores.words[places], scores.meaning[places], scores.sums[places]
    traits = columns.traits[places]
    asks = (traits & _ASKS) != 0
    counts = (traits & _COUNTS) != 0
    names = (traits & _NAMES) != 0
    said = _among(columns.speaker[places], asked.said_by)
    before = places - 1
    linked = scores.linked[places]
    linked_2 = linked & scores.linked[before]
    starts = np.flatnonzero(~scores.linked)
    sitting = starts.searchsorted(places, side="right") - 1
    best, spoken, best_meaning = _sitting_scores(sitting, sums, meaning)
    answers = linked & ((columns.traits[before] & _HOLDS_QUESTION) != 0)
    rows = (
        meaning,
        scores.window[places],
        1.0 / (1.0 + _ranks(words)),
        np.log1p(_ranks(sums)),
        scores.words[before] * linked,
        scores.words[np.maximum(places - 2, -1)] * linked_2,
        said,
        said * asks,
        said * ((traits & _SPEAKS_OF_SELF) != 0),
        _among(columns.addressee[places], asked.said_by),
        asks,
        (traits & _HOLDS_QUESTION) != 0,
        answers * np.maximum(scores.meaning[before], 0.0),
        counts,
        names,
        (traits & _TELLS_PLANS) != 0,
        np.log1p(np.minimum(columns.length[places], _LONG_CHARS) / 6.0),
        places - starts[sitting] < _OPENING,
        ((traits & _TELLS_TIME) != 0) & asked.when,
        ((traits & _TELLS_PAST) != 0) & asked.when,
        counts & asked.how_many,
        names & asked.who,
        names & asked.where,
        best,
        spoken,
        best_meaning,
        _near_span(columns.game_time[places], asked),
        np.exp2(np.minimum(columns.game_time[places] - asked.now, 0.0) / asked.day),
        topics,
        hop,
        columns.importance[places],
        columns.superseded[places] & (not asked.past),
    )
    table = np.empty((len(FEATURES), len(places)), np.float64)
    for row, values in zip(table, rows, strict=True):
        row[:] = values
    return table


def _ranks(scores: Floats) -> NDArray[np.int64]:
    """How many are higher."""
    fallen = -scores
    return np.sort(fallen).searchsorted(fallen)


def _among(codes: Places, wanted: Sequence[int]) -> Floats:
    """1 where it is one of those who are meant; a half everywhere when nobody is."""
    if not wanted:
        return np.full(len(codes), 0.5)
    found = codes == wanted[0]
    for code in wanted[1:]:
        found |= codes == code
    share: Floats = found.astype(np.float64)
    return share


def _sitting_scores(sitting: Places, sums: Floats, meaning: Floats) -> tuple[Floats, ...]:
    """How well a candidate's sitting does, against the best sitting: 0 for that one.

    By its best line, by all its lines that stand out, and by meaning alone.
    """
    order = sitting.argsort(kind="stable")
    ordered = sitting[order]
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    number = np.empty(len(sitting), np.int64)
    number[order] = np.repeat(np.arange(len(first)), np.diff(first, append=len(sitting)))
    best = np.maximum.reduceat(sums[order], first)
    spoken = np.log1p(np.add.reduceat(np.maximum(sums - _SITTING_BAR, 0.0)[order], first))
    best_meaning = np.maximum.reduceat(meaning[order], first)
    return tuple((one - one.max())[number] for one in (best, spoken, best_meaning))


def _near_span(game_time: Floats, asked: Asked) -> Floats:
    """How near each lies to the span that is asked for: 1 inside, towards 0 away from it."""
    if asked.span is None:
        return np.zeros(len(game_time))
    start, end = asked.span
    shortest, longest = _SPAN_DAYS
    far = min(max(end - start, shortest * asked.day), longest * asked.day)
    away = np.maximum(np.maximum(start - game_time, game_time - end), 0.0)
    near: Floats = 1.0 / (1.0 + away / far)
    return near
