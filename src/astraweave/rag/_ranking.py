"""Which memories answer a question best.

First form: two searches over the owner's own memories, by words (BM25 over stems) and by meaning
(cosine), each as z-scores over all of them, summed (ranks would throw away by how much one is
better); then small steps for who said it, what it is about, what was said just before it, whether
it only asks, how much it matters and how long ago it was. Names of people who speak count as what
they are, who said it; in the question's vector they would find every line that holds the name.

A fitted reranker over the same numbers belongs in the place of `_bonus`.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Collection

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.rag.memory import Memory
from astraweave.rag.salience import is_question
from astraweave.rag.scopes import Readable

__all__ = ["FIRST_PERSON", "Hints", "rank", "search_words", "z_scores"]

_CANDIDATES = 150
_MAX_QUERY_WORDS = 32
# What each step adds, in standard deviations of a search.
_SPEAKER_BONUS = 0.6
_ENTITY_BONUS = 0.8
_QUESTION_MALUS = 1.0
_IMPORTANCE_BONUS = 0.3
_RECENCY_BONUS = 0.05
_HALF_LIFE_SECONDS = 24 * 3600.0
_CONTEXT_SHARE = 0.35  # of the score of the line before it in the same conversation
_SAME_CONVERSATION_SECONDS = 300.0

FIRST_PERSON = frozenset({"i", "me", "my", "mine", "myself", "we", "us", "our"})
_STOP_WORDS = frozenset(
    """
    a about an and are as at be been but by can could did do does for from had has have he her him
    his how i if in into is it its just me my no not of on or our out remember she so some tell than
    that the their them then there these they this to told up us was we were what when where which
    who whom whose why will with would you your
    """.split()
)


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for beside words and meaning."""

    said_by: frozenset[str]
    """Ids of those who may have said it."""
    topics: frozenset[str]
    """Case-folded ids and names that it is about."""
    now: float
    """Game time in seconds."""


def rank(
    known: Readable,
    base: NDArray[np.float64],
    hints: Hints,
    exclude: Collection[int],
) -> list[tuple[float, Memory, int]]:
    """The best candidates of the two searches, with everything else counted in.

    Parameters
    ----------
    known : Readable
        What may be drawn on.
    base : ndarray, shape ``(n,)``
        The scores of all of it in the two searches together.
    hints : Hints
        What else is asked for.
    exclude : collection of int
        Ids that are not wanted.

    Returns
    -------
    list of (score, memory, place in `known`)
        Best first; of equals the latest first.
    """
    wanted = _CANDIDATES + len(exclude)
    places = np.arange(len(known))
    if len(known) > wanted:
        places = np.argpartition(-base, wanted)[:wanted]
    ranked = []
    for place in places.tolist():
        memory = known.memory(place)
        if memory.id in exclude:
            continue
        score = float(base[place]) + _bonus(memory, hints)
        if place and base[place - 1] > 0:  # an answer is understood from its question
            before = known.memory(place - 1)
            gap = memory.game_time - before.game_time
            if abs(gap) <= _SAME_CONVERSATION_SECONDS and before.owner == memory.owner:
                score += _CONTEXT_SHARE * float(base[place - 1])
        ranked.append((score, memory, place))
    ranked.sort(key=lambda one: (-one[0], -one[1].id))
    return ranked


def _bonus(memory: Memory, hints: Hints) -> float:
    bonus = _IMPORTANCE_BONUS * memory.importance
    if memory.speaker in hints.said_by:
        bonus += _SPEAKER_BONUS
    if hints.topics:
        shared = sum(entity.casefold() in hints.topics for entity in memory.entities)
        bonus += _ENTITY_BONUS * shared / len(hints.topics)
    if is_question(memory.text):
        bonus -= _QUESTION_MALUS
    age = max(0.0, hints.now - memory.game_time)
    return bonus + _RECENCY_BONUS * math.exp2(-age / _HALF_LIFE_SECONDS)


def search_words(query: str) -> list[str]:
    """The telling words of a question, each once."""
    folded = unicodedata.normalize("NFC", query.casefold())
    kept = (c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in folded)
    words = dict.fromkeys("".join(kept).split())
    telling = [word for word in words if word not in _STOP_WORDS]
    return telling[:_MAX_QUERY_WORDS]


def z_scores(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from the mean in standard deviations; 0 where there is no score, or no spread."""
    known = scores[~np.isnan(scores)]
    spread = known.std() if len(known) else 0.0
    if spread < 1e-9:
        return np.zeros(len(scores))
    z: NDArray[np.float64] = np.nan_to_num((scores - known.mean()) / spread)
    return z
