"""Signs that a memory answers a question, as numbers: a row a memory, a column a sign.

None decides alone. How much each counts, and together with which others, was fitted
(`astraweave.dialogue.bearing`).

===================  ==============================================================================
score                what retrieval ranked it by; ``score lead``: less the best other's;
                     ``score z``: in standard deviations above the mean; ``rank``: 1 / place
similarity           cosine to the question; ``similarity lead``: less the best other's;
                     ``similarity mean``, ``similarity spread``: of all memories, which also tell
                     hashed words from an embedder
names missing        names of the question that it does not have
people met, missed   people of the question, by name or by what they are to somebody
sort asked           the question asks for a sort of thing: a place, a sum ...; ``sort held``,
                     ``sort missed``: whether it has one
attributes missed    the question asks for an attribute that it does not speak of
things met, missed   things that the question names; ``words met``, ``words missed``: its deeds
                     and other words; ``numbers missed``
side held, missed    the side of life that the question names (a debt, a meal) is its own, or not
overlap              share of the question's words that it has, rare ones counting more;
                     ``overlap lead``: less the best other's; ``rare missing``: words that no
                     memory has
doer same, differs   it tells of the same deed, of the same doer or of another; ``swapped``: the
                     question's doer is in it, but not as the doer
rules                the strict rules take it (`recollect`); ``rules others``: how many others
yes or no            the question is one; ``nothing named``: no word of it needs a match
length               log(1 + words)
===================  ==============================================================================
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from astraweave._native import stem
from astraweave.dialogue.evidence import needs_of, of_that_side, supported
from astraweave.dialogue.facts import Source, facts_of
from astraweave.dialogue.holding import holds, speaks_of
from astraweave.dialogue.language.phrases import Phrase
from astraweave.dialogue.language.questions import Question, read_question
from astraweave.dialogue.memory_words import Text, word_groups
from astraweave.dialogue.sought import Sought

__all__ = ["SIGNS", "Told", "roles_in", "signs"]

SIGNS = (
    "score",
    "score lead",
    "score z",
    "rank",
    "similarity",
    "similarity lead",
    "similarity mean",
    "similarity spread",
    "names missing",
    "people met",
    "people missed",
    "sort asked",
    "sort held",
    "sort missed",
    "attributes missed",
    "things met",
    "things missed",
    "words met",
    "words missed",
    "numbers missed",
    "side held",
    "side missed",
    "overlap",
    "overlap lead",
    "rare missing",
    "doer same",
    "doer differs",
    "swapped",
    "rules",
    "rules others",
    "yes or no",
    "nothing named",
    "length",
)

_NO_SPREAD = 1e-6
_SELF = {"me": "i", "my": "i", "myself": "i", "him": "he", "her": "she", "us": "we"}
_YES_OR_NO = frozenset(
    "is are was were am do does did has have had can could will would shall should".split()
)


@dataclass(slots=True, frozen=True)
class Told:
    """A memory as the signs see it.

    Attributes
    ----------
    text : str
        What was told.
    score, similarity : float
        Of retrieval.
    words : frozenset of str
        Its words, and those that stand for somebody in it.
    met, missed : int
        People of the question that it speaks of, and those that it does not.
    somebody : bool
        It names one of those who talk.
    rules : bool
        The strict rules take it.
    """

    text: str
    score: float
    similarity: float
    words: frozenset[str]
    met: int
    missed: int
    somebody: bool
    rules: bool


def signs(
    question: str, told: Sequence[Told], sought: Sought, people: Collection[str]
) -> NDArray[np.float64]:
    """All signs of all memories.

    Parameters
    ----------
    question : str
        One question.
    told : sequence of Told
        Memories; at least one.
    sought : Sought
        What the question asks for.
    people : collection of str
        Words of the question that stand for somebody.

    Returns
    -------
    ndarray of float64, shape ``(len(told), len(SIGNS))``
    """
    scores = np.array([each.score for each in told])
    similarities = np.array([each.similarity for each in told])
    overlaps, rare = _overlaps(question, told, {*people, *sought.names})
    ranks = (-scores).argsort(kind="stable").argsort()
    taken = sum(each.rules for each in told)
    table = np.empty((len(told), len(SIGNS)))
    of_all = _Asked(question, sought, people)
    read = read_question(question)
    score_mean, score_spread = scores.mean(), scores.std() + _NO_SPREAD
    similarity_mean, similarity_spread = similarities.mean(), similarities.std()
    score_leads, similarity_leads, overlap_leads = map(_leads, (scores, similarities, overlaps))
    for row, each in enumerate(told):
        table[row] = (
            each.score,
            score_leads[row],
            (each.score - score_mean) / score_spread,
            1.0 / (1.0 + ranks[row]),
            each.similarity,
            similarity_leads[row],
            similarity_mean,
            similarity_spread,
            *of_all.signs_of(each),
            overlaps[row],
            overlap_leads[row],
            rare,
            *roles_in(read, each.text),
            each.rules,
            taken - each.rules,
            of_all.yes_or_no,
            not of_all.needs,
            math.log1p(len(Text.of(each.text).low)),
        )
    return table


class _Asked:
    """What a question needs of a memory."""

    def __init__(self, question: str, sought: Sought, people: Collection[str]) -> None:
        self._text, self._sought = question, sought
        self._names = sought.names - set(people)
        self.needs = needs_of(question, sought, people)
        self.yes_or_no = Text.of(question).low[:1] in ([word] for word in _YES_OR_NO)

    def signs_of(self, told: Told) -> tuple[float, ...]:
        text, sought = Text.of(told.text), self._sought
        met = [supported(need, text, self._text, told.text) for need in self.needs]
        of_things = [ok for need, ok in zip(self.needs, met, strict=True) if need.thing]
        of_words = [ok for need, ok in zip(self.needs, met, strict=True) if not need.thing]
        numbers = [ok for need, ok in zip(self.needs, met, strict=True) if need.number is not None]
        sort = sought.kind != "thing"
        side = of_that_side(self._text, told.text)
        held = (sought.kind == "person" and told.somebody) or holds(sought, text)
        return (
            len(self._names - told.words),
            told.met,
            told.missed,
            sort,
            sort and held,
            sort and not held,
            bool(sought.attributes) and not speaks_of(sought, text, told.text),
            sum(of_things),
            len(of_things) - sum(of_things),
            sum(of_words),
            len(of_words) - sum(of_words),
            len(numbers) - sum(numbers),
            side is True,
            side is False,
        )


def _leads(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much each value is above the best of the others; 1 where it is alone."""
    if len(values) < 2:
        return np.ones(len(values))
    second, first = np.sort(values)[-2:]
    others = np.where(np.arange(len(values)) == values.argmax(), second, first)
    leads: NDArray[np.float64] = values - others
    return leads


def _overlaps(
    question: str, told: Sequence[Told], without: Collection[str]
) -> tuple[NDArray[np.float64], int]:
    """The share of a question's words that each memory has, and how many no memory has."""
    groups = word_groups()
    light = groups["common"] | groups["general"]
    asked = {stem(w) for w in Text.of(question).words if w not in light and w not in without}
    stems = [frozenset(map(stem, Text.of(each.text).words)) for each in told]
    holders = {word: sum(word in have for have in stems) for word in asked}
    weights = {word: math.log1p((len(told) + 1) / (0.5 + n)) for word, n in holders.items()}
    total = sum(weights.values()) or 1.0
    shares = [sum(weights[word] for word in asked & have) / total for have in stems]
    return np.array(shares), sum(n == 0 for n in holders.values())


# -- who did it -----------------------------------------------------------------------------------


def roles_in(question: Question | None, memory: str) -> tuple[bool, bool, bool]:
    """Whether a memory tells of the question's deed, and of the same doer.

    Returns
    -------
    tuple of bool
        The same doer; another one; the question's doer is in it, but does not do it ("How much did
        Jonah lend me?" of "I lent Jonah three hundred").

    Examples
    --------
    >>> roles_in(read_question("What did Jonah lend me?"), "I lent Jonah a spade.")
    (False, True, True)
    """
    clause = question.clause if question is not None else None
    if clause is None or clause.subject is None or clause.verb in {"", "be"}:
        return False, False, False
    doer = _called(clause.subject)
    around = [_called(p) for p in (*clause.objects, *(p for _, p in clause.places))]
    same = differs = swapped = False
    for fact in facts_of(Source(memory, "", "")):
        told = fact.clause
        if told.verb != clause.verb or told.subject is None:
            continue
        did = _called(fact.meant(told.subject))
        if did & doer:
            same = True
            continue
        differs = True
        rest = [_called(fact.meant(p)) for p in (*told.objects, *(p for _, p in told.places))]
        swapped |= any(doer & each for each in rest) or any(did & each for each in around)
    return same, differs and not same, swapped and not same


def _called(phrase: Phrase) -> frozenset[str]:
    """What somebody or something is called: by name, or "my aunt" as "my aunt"."""
    if phrase.names:
        return frozenset(name.lower() for name in phrase.names)
    if phrase.owner is not None:
        return frozenset({f"{phrase.owner.head.low} {phrase.head.low}"})
    return frozenset({_SELF.get(phrase.head.low, phrase.head.low)})
