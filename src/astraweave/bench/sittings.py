"""Two sittings with Tam the smith, to see whether he remembers yesterday.

In the first sitting the player tells facts of his life among small talk; in the second he asks
about them in other words. The seed draws who, what, where, how many, when, the phrasing, the order
and the questions, so that nothing can be tuned to one scenario. Everything is scored by slot: a
line is right when it names what was asked for and nothing else of its type.
"""

from __future__ import annotations

import random

import msgspec

from astraweave.bench._corpus import Ask, Corpus, Frame, corpus
from astraweave.bench._drawing import Slot, Source, fill
from astraweave.bench._scoring import Verdict, canonical, score_line
from astraweave.core.rng import RandomStreams
from astraweave.errors import InputError

__all__ = ["MIN_TURNS", "Question", "Scenario", "Verdict", "draw", "score"]

MIN_TURNS = 10
"""Every question needs its fact. Below 40 turns there are fewer than 30 distractors."""
_ANSWERABLE, _UNANSWERABLE = 8, 2


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question of the second sitting.

    Attributes
    ----------
    question : str
        As the player asks it.
    kind : str
        ``"who"``, ``"whom"``, ``"whose"``, ``"what"``, ``"which"``, ``"where"``, ``"when"``,
        ``"how many"``, ``"how much"`` or ``"how old"``.
    expected : tuple of str
        Slots that count as the answer, any of them; empty: it cannot be answered.
    forbidden : tuple of str
        Slots of the same type from other facts: naming one is naming the wrong one.
    wrong : tuple of str
        Regular expressions over the canonical line: the same fact with its roles reversed.
    fact : str
        What the player said in the first sitting.
    context : tuple of str
        Slots of the same fact, which an honest "I don't know" may mention.
    """

    question: str
    kind: str
    expected: tuple[str, ...]
    forbidden: tuple[str, ...]
    wrong: tuple[str, ...]
    fact: str
    context: tuple[str, ...]

    @property
    def answerable(self) -> bool:
        """Whether the first sitting holds the answer."""
        return bool(self.expected)


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What the player says in both sittings.

    Attributes
    ----------
    seed : int
        What it was drawn from.
    first : tuple of str
        The player's utterances of the first sitting, in order.
    questions : tuple of Question
        Those of the second: eight that can be answered, two that cannot.
    """

    seed: int
    first: tuple[str, ...]
    questions: tuple[Question, ...]


class _Fact(msgspec.Struct, frozen=True, kw_only=True):
    frame: Frame
    slots: dict[str, Slot]
    said: str

    def filled(self, template: str) -> str:
        return fill(template, self.slots)


def draw(seed: int, *, turns: int = 40) -> Scenario:
    """Draw a scenario; equal seeds and turns give equal scenarios on every machine.

    Parameters
    ----------
    seed : int
        Draws names, objects, places, numbers, relations, phrasing and order.
    turns : int
        Utterances of the first sitting: ten facts that are asked about, the rest distractors
        (small talk, and facts that nobody asks about, some of them of the same sort).

    Raises
    ------
    InputError
        Fewer than `MIN_TURNS` turns.

    Examples
    --------
    >>> scenario = draw(7)
    >>> len(scenario.first), len(scenario.questions)
    (40, 10)
    """
    if turns < MIN_TURNS:
        raise InputError(f"a scenario needs at least {MIN_TURNS} turns, not {turns}", turns=turns)
    rng = RandomStreams(seed)["bench.sittings"]
    words = corpus()
    asked = _ANSWERABLE + _UNANSWERABLE
    frames = rng.sample(words.frames, asked)
    # A third of the distractors are facts too; some repeat the sort of a fact that is asked about.
    extra = min((turns - asked) // 3, 12)
    repeatable = [frame for frame in frames if frame.repeatable]
    again = rng.sample(repeatable, k=min(4, extra, len(repeatable)))
    others = rng.sample([f for f in words.frames if f not in frames], k=extra - len(again))
    source = Source(rng, words)
    facts = [_tell(rng, source, frame) for frame in (*frames, *again, *others)]
    questions = [
        _ask(rng, facts, fact, known=index < _ANSWERABLE)
        for index, fact in enumerate(facts[:asked])
    ]
    first = [fact.said for fact in facts] + _chatter(rng, words, turns - len(facts))
    rng.shuffle(first)
    rng.shuffle(questions)
    return Scenario(seed=seed, first=tuple(first), questions=tuple(questions))


def score(line: str, question: Question) -> Verdict:
    """Whether a line answers the question, by slot.

    An answerable question wants its expected slot and no slot of the same type from another fact,
    no reversal of roles, no negation and no "I don't know". An unanswerable one wants a don't-know
    (`astraweave.bench._scoring.DONT_KNOW`) and no name, number or object that neither the question
    nor its fact holds.

    Examples
    --------
    >>> question = next(q for q in draw(7).questions if q.answerable)
    >>> score(f"That was {question.expected[0]}.", question).correct
    True
    >>> score("I forget.", question).correct
    False
    """
    return score_line(
        line,
        question=question.question,
        expected=question.expected,
        forbidden=question.forbidden,
        wrong=question.wrong,
        context=question.context,
    )


def _tell(rng: random.Random, source: Source, frame: Frame) -> _Fact:
    slots: dict[str, Slot] = {}
    for name, kind in frame.slots.items():
        slots[name] = source.slot(kind, slots)
    return _Fact(frame=frame, slots=slots, said=fill(rng.choice(frame.says), slots))


def _ask(rng: random.Random, facts: list[_Fact], fact: _Fact, *, known: bool) -> Question:
    ask: Ask = rng.choice(fact.frame.asks if known else fact.frame.unknown)
    text = fact.filled(rng.choice(ask.forms))
    asked = canonical(text)
    context = tuple(name for slot in fact.slots.values() for name in slot.answers)
    expected: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    if known:
        target = fact.slots[ask.target]
        expected = target.answers
        forbidden = _forbidden(facts, fact, target, asked)
    wrong: tuple[str, ...] = ()
    if known:
        names = {name: canonical(slot.names[0]) for name, slot in fact.slots.items()}
        wrong = tuple(pattern.format_map(names) for pattern in fact.frame.wrong)
    return Question(
        question=text,
        kind=ask.kind,
        expected=expected,
        forbidden=forbidden,
        wrong=wrong,
        fact=fact.said,
        context=context,
    )


def _forbidden(facts: list[_Fact], fact: _Fact, target: Slot, asked: str) -> tuple[str, ...]:
    """Wrong answers of the right type: those of the other facts and of the target's word list.

    The other slots of the same fact may stand beside the answer; `Frame.wrong` judges them.
    """
    own = {canonical(slot.names[0]) for slot in fact.slots.values()}
    own |= {canonical(answer) for answer in target.answers}
    names = [
        name
        for other in facts
        for slot in other.slots.values()
        if slot.kind == target.kind and (slot is target or other is not fact)
        for name in slot.names
    ]
    names += (name for name in target.rivals if name not in names)
    return tuple(
        name
        for name in names
        if canonical(name) not in own and f" {canonical(name)} " not in f" {asked} "
    )


def _chatter(rng: random.Random, words: Corpus, count: int) -> list[str]:
    lines = words.chatter.lines
    return [
        line
        for start in range(0, count, len(lines))
        for line in rng.sample(lines, min(len(lines), count - start))
    ]
