"""What speaks for a memory as the answer to a question, as numbers: one row a reason.

A reason is worth nothing by itself; how much it counts stands in ``reranker.toml``. Searches are in
standard deviations above the mean of everything that the character may draw on. A *sitting* is what
was said with no longer gap than `SITTING_GAP_SECONDS`; of other candidates' sittings only what they
have among the candidates is known.

=================  ================================================================================
meaning            cosine
window             both searches, and a share of what was said just before and after it
words rank         1 / (1 + how many candidates match the words better)
sum log rank       log(1 + how many candidates do better in both searches together)
words 1, 2 before  the words' match of the lines before it in its sitting
said               1: one of those asked about said it; 1/2 for all when nobody is named
said asking        the same where it asks, ``said of self`` where it speaks of "I" or "we"
told               as ``said``, of whom it was said to
asks               it is a question; ``holds question``: a question mark stands in it
answers meaning    how well the question just before it fits
counts             it holds a number; ``names`` a name; ``plans`` what will be
log length         log(1 + characters / 6), of 300 at most
opening            one of the first two lines of its sitting
when: time         it tells a time, and the question asks when; the next four likewise
sitting best       the best line of its sitting, in both searches, against the best of all
sitting sum        the same of all lines of its sitting that stand out, as log(1 + sum)
sitting meaning    the same of the best cosine
near span          1 in the time that is asked for, towards 0 away from it
recent             halves with every day
topics             share of what is asked about that it is about
hop                match with what the best candidates are about (see `_hops`)
importance         as it was written
superseded         a later memory says otherwise, and the question does not ask how it was
in span            1 in the time that is asked for, where the question tells it to the day
event itself       the question measures time by it ('before the fire'), and asks for another
=================  ================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from astraweave.kernels.ranking import fuse
from astraweave.kernels.reasons import reasons
from astraweave.rag._columns import Columns

__all__ = [
    "FEATURES",
    "GROUPS",
    "SITTING_GAP_SECONDS",
    "Asked",
    "Field",
    "Scores",
    "features",
    "fused",
]

SITTING_GAP_SECONDS = 900.0

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
    "by the day": ("in span", "event itself"),
}
FEATURES: tuple[str, ...] = tuple(name for group in GROUPS.values() for name in group)


class Field(NamedTuple):
    """Everything that a character may draw on, as arrays of one length."""

    words: NDArray[np.float32]
    """BM25; 0 where no word is shared."""
    meaning: NDArray[np.float32]
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
    exact: bool = False
    """The expression tells the time to the day, so that what lies outside is hardly meant."""
    event: int = -1
    """Place of the memory that time is measured by; below 0: none."""


class Scores(NamedTuple):
    """The two searches over a field, standardised, and all together with the neighbours."""

    words: NDArray[np.float32]
    meaning: NDArray[np.float32]
    sums: NDArray[np.float32]
    window: NDArray[np.float32]
    begun: NDArray[np.int32]
    """Where the sitting of each memory began."""


def fused(field: Field, starts: Sequence[int]) -> Scores:
    """Both searches standardised, summed, and with a share of what stands around each memory.

    Parameters
    ----------
    field : Field
        Everything.
    starts : sequence of int
        Where the memories of each owner begin: no sitting goes on there.
    """
    times = field.columns.game_time
    return Scores(*fuse(field.words, field.meaning, times, starts, gap=SITTING_GAP_SECONDS))


def features(
    field: Field,
    scores: Scores,
    asked: Asked,
    places: NDArray[np.int64],
    topics: NDArray[np.float32],
    hop: NDArray[np.float32],
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
    places : ndarray of int64, shape ``(c,)``
        Which of them are candidates.
    topics : ndarray, shape ``(c,)``
        Share of the question's entities that each is about.
    hop : ndarray, shape ``(c,)``
        Match with what the best hits are about.

    Returns
    -------
    ndarray, shape ``(len(FEATURES), c)``
        In the order of `FEATURES`.
    """
    wanted = (asked.when, asked.how_many, asked.who, asked.where, asked.past, asked.exact)
    bits = sum(1 << place for place, one in enumerate(wanted) if one)
    table: NDArray[np.float64] = reasons(
        scores,
        field.columns,
        places,
        topics,
        hop,
        asked.said_by,
        bits,
        asked.span,
        asked.now,
        asked.day,
        asked.event,
    )
    return table
