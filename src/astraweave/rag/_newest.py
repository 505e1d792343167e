"""What somebody said last comes first, where a question asks how things are.

Two ways lead to it. What has superseded a memory takes over what speaks for that memory: "the price
is five now" shares no word with "What does a loaf cost?", but what it has replaced does. And where
somebody has told two things that are alike, and both answer about as well, the later one is meant:
not everything that changes is noticed when it is written. A question for how things were turns the
first way round, and is left alone by the second.

The bounds were chosen on the questions about changed facts of the game set, by their figures alone,
and held against all others: at these, none of the 417 others there lost its first answer, nor did
any of the 619 that the weights were fitted on, and 4 of LoCoMo's 1,018.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from astraweave.rag._features import SITTING_GAP_SECONDS
from astraweave.rag._question import Kinds
from astraweave.rag._traits import Trait
from astraweave.rag.memory import Memory
from astraweave.rag.scopes import Readable
from astraweave.rag.writing_statements import read_statement
from astraweave.rag.writing_words import stem

__all__ = ["lifted", "with_newest"]

_LONGEST_CHAIN = 32
_QUESTION = Trait.ASKS | Trait.HOLDS_QUESTION
_FIRST = 5
"""So many of the best are compared."""
_ABOVE = 1e-6
_NEAR_BY, _ALIKE = 3.0, 0.5
_NEAR_BY_NOW, _ALIKE_NOW = 5.0, 0.3
"""The same where the question says "now"."""


def with_newest(
    places: NDArray[np.int64], known: Readable, exclude: Collection[int]
) -> NDArray[np.int64]:
    """Candidates, and after them what holds today in place of those that are superseded.

    None of the ids in `exclude` is among them.
    """
    old = places[known.columns.superseded[places]]
    if not len(old):
        return places
    heads = dict.fromkeys(_newest(int(place), known) for place in old.tolist())
    missing = [
        head
        for head in heads
        if head >= 0 and head not in places and int(known.ids[head]) not in exclude
    ]
    return np.append(places, np.array(missing, np.int64)) if missing else places


def lifted(
    places: NDArray[np.int64],
    scores: NDArray[np.float64],
    penalties: NDArray[np.float64],
    known: Readable,
    kinds: Kinds,
) -> NDArray[np.float64]:
    """What is added to the score of each candidate.

    Parameters
    ----------
    places : ndarray of int64, shape ``(c,)``
        The candidates, of `with_newest`.
    scores, penalties : ndarray of float64, shape ``(c,)``
        Their scores, and what of these is for being superseded (below 0).
    known : Readable
        Has their vectors.
    kinds : Kinds
        What the question asks for.
    """
    lift = np.zeros(len(places))
    for at in np.flatnonzero(known.columns.superseded[places]).tolist():
        head = np.flatnonzero(places == _newest(int(places[at]), known))
        if not len(head):
            continue
        new = int(head[0])
        low, high = (new, at) if kinds.former else (at, new)
        reached = scores[low] - penalties[low] + _ABOVE
        lift[high] = max(lift[high], reached - scores[high])
    if (kinds.now or kinds.present) and len(places) > 1:
        _lift_latest(places, scores + lift, known, kinds, lift)
    return lift


def _newest(place: int, known: Readable) -> int:
    """Where the newest of what has superseded a memory stands; -1: out of reach."""
    for _ in range(_LONGEST_CHAIN):
        after = known.memory(place).superseded_by
        if not after:
            return place
        following = known.place(after)
        if following is None:
            return -1
        place = following
    return -1


def _lift_latest(
    places: NDArray[np.int64],
    scores: NDArray[np.float64],
    known: Readable,
    kinds: Kinds,
    lift: NDArray[np.float64],
) -> None:
    """Lift what the one who tells the best candidate has said later about the same."""
    columns, best = known.columns, int(scores.argmax())
    said = columns.game_time[places]
    near_by, alike = (_NEAR_BY_NOW, _ALIKE_NOW) if kinds.now else (_NEAR_BY, _ALIKE)
    later = (scores >= scores[best] - near_by) & (said > said[best] + SITTING_GAP_SECONDS)
    if not later.any():
        return
    first = np.argsort(-scores, kind="stable")[:_FIRST]
    rows = places[first]
    later = (
        later[first]
        & (columns.speaker[rows] == columns.speaker[rows[0]])
        & ((columns.traits[rows] & _QUESTION) == 0)
    )
    if not later.any():
        return
    vectors = known.vectors(rows).astype(np.float32)
    later &= vectors @ vectors[0] >= alike  # NaN, where one has no vector, is not
    for at in np.argsort(-columns.game_time[rows], kind="stable").tolist():
        if later[at] and (kinds.now or _renews(known.memory(int(rows[at])), known, int(rows[0]))):
            lift[first[at]] += scores[first[0]] - scores[first[at]] + _ABOVE
            return


def _renews(memory: Memory, known: Readable, place: int) -> bool:
    """Whether a memory tells news of what an older one tells, by its words or its numbers."""
    new, old = (
        read_statement(each.text, speaker=each.speaker, addressee=each.addressee)
        for each in (memory, known.memory(place))
    )
    people = {stem(name.casefold()) for name in (memory.speaker, memory.addressee)}
    if new.content & old.content <= people:
        return False
    other_number = bool(new.numbers and old.numbers) and new.numbers != old.numbers
    return new.tells_news or other_number
