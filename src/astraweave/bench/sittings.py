"""Two sittings with Tam the smith, to see whether he remembers yesterday.

In the first sitting the player tells facts of his life among small talk; in the second he asks
about them in other words. The seed draws who, what, where, how many, when, the phrasing, the order
and the questions, so that nothing can be tuned to one scenario. Everything is scored by slot: a
line is right when it names what was asked for and nothing else of its type.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import msgspec

from astraweave.bench._corpus import Ask, Corpus, Frame, corpus
from astraweave.bench._scoring import Verdict, canonical, number_words, score_line
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


class _Slot(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    texts: dict[str, str]
    """Suffix of the placeholder ("", "_my", "_a" ...) to its text."""
    answers: tuple[str, ...]
    names: tuple[str, ...]
    """What stands for this slot and for no other one; the first is the slot itself."""
    rivals: tuple[str, ...] = ()
    """Other values of a short list, told in this scenario or not."""


class _Fact(msgspec.Struct, frozen=True, kw_only=True):
    frame: Frame
    slots: dict[str, _Slot]
    said: str

    def fill(self, template: str) -> str:
        return _fill(template, self.slots)


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
    source = _Source(rng, words)
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


class _Source:
    """Hands out every word at most once, so that a slot belongs to one fact."""

    def __init__(self, rng: random.Random, words: Corpus) -> None:
        self._rng = rng
        self._words = words
        self._left: dict[str, list[str]] = {}

    def slot(self, kind: str, beside: Mapping[str, _Slot]) -> _Slot:
        """A slot of this type; `beside` holds those of the same fact that stand already."""
        if kind in {"person", "suitor"}:
            return self._person(kind, beside)
        if kind == "thing":
            return self._thing()
        if kind == "number":
            return self._number()
        values = self._words.words.of_type(kind)
        value, *others = self._take(kind, values).split("|")
        texts, answers = {"": value}, (value, *others)
        if kind == "spot":
            texts, answers = {"": f"the {value}"}, (value, value.split()[-1])
        place = "place" if kind in {"spot", "town"} else kind
        rivals = () if place == "place" else tuple(other.split("|")[0] for other in values)
        return _Slot(kind=place, texts=texts, answers=answers, names=(value,), rivals=rivals)

    def _take(self, pool: str, values: tuple[str, ...]) -> str:
        left = self._left.get(pool)
        if left is None:
            left = self._left[pool] = self._rng.sample(values, len(values))
        return left.pop()

    def _person(self, kind: str, beside: Mapping[str, _Slot]) -> _Slot:
        """The first person of a fact is the player's kin; others go by their names alone."""
        words = self._words.words
        relation = ""
        if kind == "suitor":
            woman = beside["p"].texts["_he"] == "he"
        elif any(slot.kind == "person" for slot in beside.values()):
            woman = self._rng.random() < 0.5
        else:
            relation = self._take("kin", words.kinswomen + words.kinsmen)
            woman = relation in words.kinswomen
        name = self._take("women", words.women) if woman else self._take("men", words.men)
        he, him, his = ("she", "her", "her") if woman else ("he", "him", "his")
        texts = {"": name, "_he": he, "_him": him, "_his": his}
        answers: tuple[str, ...] = (name,)
        if relation:
            texts |= {"_my": f"my {relation} {name}", "_My": f"My {relation} {name}"}
            answers = (name, f"your {relation}")
        return _Slot(kind="person", texts=texts, answers=answers, names=(name,))

    def _thing(self) -> _Slot:
        groups = self._words.words.things
        head = self._take("thing", tuple(head for group in groups for head in group.heads))
        group = next(group for group in groups if head in group.heads)
        name = f"{self._rng.choice(group.adjectives)} {head}"
        article = "an" if name[0] in "aeiou" else "a"
        texts = {"": name, "_a": f"{article} {name}", "_A": f"{article.capitalize()} {name}"}
        # "The ring" will do, "the golden ring" for a silver one will not.
        others = tuple(f"{adjective} {head}" for adjective in group.adjectives)
        return _Slot(kind="thing", texts=texts, answers=(name, head), names=(name, *others))

    def _number(self) -> _Slot:
        numbers = tuple(str(number) for number in self._words.words.numbers)
        value = self._take("number", numbers)
        text = number_words(int(value)) if self._rng.random() < 0.7 else value
        return _Slot(
            kind="number",
            texts={"": text, "_Up": text.capitalize()},
            answers=(value, number_words(int(value))),
            names=(value,),
            rivals=numbers,
        )


def _tell(rng: random.Random, source: _Source, frame: Frame) -> _Fact:
    slots: dict[str, _Slot] = {}
    for name, kind in frame.slots.items():
        slots[name] = source.slot(kind, slots)
    return _Fact(frame=frame, slots=slots, said=_fill(rng.choice(frame.says), slots))


def _fill(template: str, slots: Mapping[str, _Slot]) -> str:
    values = {
        f"{name}{suffix}": text
        for name, slot in slots.items()
        for suffix, text in slot.texts.items()
    }
    return template.format_map(values)


def _ask(rng: random.Random, facts: list[_Fact], fact: _Fact, *, known: bool) -> Question:
    ask: Ask = rng.choice(fact.frame.asks if known else fact.frame.unknown)
    text = fact.fill(rng.choice(ask.forms))
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


def _forbidden(facts: list[_Fact], fact: _Fact, target: _Slot, asked: str) -> tuple[str, ...]:
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
