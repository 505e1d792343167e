"""Twenty sittings with a companion, drawn by seed: who tells what, when, and who asks about it."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from astraweave.bench._cast import BREN, NAMES, PLAYER, Cast, Fact
from astraweave.bench._companion_corpus import Telling, companion_corpus
from astraweave.bench._corpus import Ask, corpus
from astraweave.bench._drawing import Slot, fill
from astraweave.bench._scoring import canonical, number_words
from astraweave.core.rng import RandomStreams

__all__ = ["COMPANION", "ELSEWHERE", "Item", "Saga", "Sitting", "Step", "draw_saga"]

COMPANION, ELSEWHERE = "tam", "oskar"
_SITTINGS, _PER_SITTING = 20, 6
_FACTS_AT_MOST = 5
_QUESTIONS_AT_MOST = 6
_LATEST_FACT = 17
_GAPS = (1, 1, 1, 2, 3, 7)
_FIRST_PERSON = re.compile(r"\b(?:I|me|my|mine)\b")
_BY_YOU = (
    "you told",
    "you said",
    "you mentioned",
    "yourself",
    "from you",
    "you did",
    "your own mouth",
)

ASKED = {
    "told": 16, "seen": 4, "changed": 4, "told by another": 4, "asked by another": 3,
    "two steps": 3, "yes or no": 4, "when told": 2, "what was told when": 2, "who told": 2,
    "own": 2, "never told": 4, "told of somebody else": 4, "told to somebody else": 2,
    "told after the save": 2, "not the asker's": 1, "own, never told": 1,
}  # fmt: skip
"""Sixty questions by sort; from "never told" on, nothing is known."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One question and what counts as its answer.

    Attributes
    ----------
    sort : str
        What makes it hard: a key of `ASKED`.
    kind : str
        ``"who"``, ``"where"``, ``"how many"`` ...
    expected, forbidden, wrong, context : tuple of str
        See `astraweave.bench.sittings.Question`.
    holds : bool or None
        For a question of yes or no: the right answer.
    held_out : bool
        Its frame is one that nobody tunes to.
    fact : str
        What was told.
    """

    question: str
    sort: str
    kind: str
    expected: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    holds: bool | None = None
    held_out: bool = False
    fact: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Something said to a character, or (``seen``) something that it saw."""

    text: str
    speaker: str = PLAYER
    to: str = COMPANION
    seen: bool = False
    item: Item | None = None


class Sitting(msgspec.Struct, frozen=True, kw_only=True):
    """One sitting; how it ends.

    ``"save"``: it is saved. ``"lost"``: the game ends without a save. ``"rewound"``: it is saved,
    but the save from before it is loaded instead.
    """

    day: int
    steps: tuple[Step, ...]
    end: Literal["save", "lost", "rewound"] = "save"


class Saga(msgspec.Struct, frozen=True, kw_only=True):
    """All sittings, and what the companion knows of himself."""

    seed: int
    facts: tuple[str, ...]
    sittings: tuple[Sitting, ...]

    @property
    def items(self) -> list[Item]:
        """Every question in order."""
        return [s.item for sitting in self.sittings for s in sitting.steps if s.item is not None]


def draw_saga(seed: int) -> Saga:
    """Draw one; equal seeds give equal sittings on every machine.

    Examples
    --------
    >>> saga = draw_saga(3)
    >>> len(saga.sittings), len(saga.items)
    (20, 60)
    """
    return _Drawer(seed).draw()


class _Drawer:
    """Plans facts, tells them in the order of the sittings, then asks."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng: random.Random = RandomStreams(seed)["bench.companion"]
        words = companion_corpus()
        self.frames = [(f, False) for f in words.frames] + [(f, True) for f in words.held_out]
        self.cast = Cast(self.rng, corpus(), words)
        first = self.rng.randrange(4, 9)
        self.lost = {first: "lost", first + self.rng.randrange(3, 7): "rewound"}
        self.days = [0]
        for _ in range(_SITTINGS - 1):
            self.days.append(self.days[-1] + self.rng.choice(_GAPS))
        self.used: Counter[str] = Counter()
        self.told: list[list[Fact]] = [[] for _ in range(_SITTINGS)]
        self.steps: list[list[Step]] = [[] for _ in range(_SITTINGS)]
        self.questions: list[list[Step]] = [[] for _ in range(_SITTINGS)]
        self.open = [n for n in range(_LATEST_FACT) if n not in self.lost]

    def draw(self) -> Saga:
        facts = self._plan()
        self._tell()
        own = [(own, self.cast.slots_of(own.slots, None)) for own in companion_corpus().own]
        self.own = own
        for sort, count in ASKED.items():
            ask: Callable[[str, Fact | None], None] = getattr(self, _ASKING[sort])
            planned = facts.get(sort, [])
            for index in range(count):
                ask(sort, planned[index] if index < len(planned) else None)
        sittings = []
        for number in range(_SITTINGS):
            steps = self.steps[number]
            for step in self.questions[number]:
                late = step.item is not None and step.item.fact in {s.text for s in steps}
                steps.insert(len(steps) if late else self.rng.randint(1, len(steps)), step)
            end = self.lost.get(number, "save")
            sittings.append(Sitting(day=self.days[number], steps=tuple(steps), end=end))  # type: ignore[arg-type]
        texts = tuple(fill(o.fact, slots) for o, slots in own)
        return Saga(seed=self.seed, facts=texts, sittings=tuple(sittings))

    # -- what is told ------------------------------------------------------------------------------

    def _plan(self) -> dict[str, list[Fact]]:
        """Facts by the sort of question that they are for; each in its sitting."""
        plan: dict[str, list[Fact]] = {}
        mine = {"them", "me", "world"}
        wanted: list[tuple[str, int, Callable[[Telling], bool], str]] = [
            ("changed", 4, lambda f: bool(f.changing), PLAYER),
            ("yes or no", 4, lambda f: bool(f.claim), PLAYER),
            ("seen", 4, lambda f: f.about == "seen", ""),
            ("told by another", 4, _for_others, BREN),
            ("asked by another", 3, _for_others, PLAYER),
            ("when told", 2, lambda f: bool(f.clause), PLAYER),
            ("who told", 1, lambda f: bool(f.clause), PLAYER),
            ("who told", 1, lambda f: not _FIRST_PERSON.search(f.clause or "I"), BREN),
            ("two steps", 3, lambda f: f.about == "them" and not f.wrong, PLAYER),
            ("told to somebody else", 2, lambda f: f.about in mine, PLAYER),
            ("told after the save", 2, lambda f: f.about in mine, PLAYER),
            ("told", 16, lambda f: f.about in mine, PLAYER),
            ("unasked", 7, lambda f: f.about in mine, PLAYER),
        ]
        for sort, count, fits, teller in wanted:
            for number in range(count):
                fact = self._fact(fits, teller, sort)
                plan.setdefault(sort, []).append(self._place(fact, sort, number))
        return plan

    def _fact(self, fits: Callable[[Telling], bool], teller: str, sort: str) -> Fact:
        """A fact of a frame that was used least."""
        usable = [
            (frame, held_out)
            for frame, held_out in self.frames
            if fits(frame)
            and (frame.about == "seen") == (sort == "seen")
            and not (frame.once and self.used[f"{teller}.{frame.name}"])
        ]
        self.rng.shuffle(usable)
        frame, held_out = min(usable, key=lambda pair: self.used[pair[0].name])
        self.used[frame.name] += 1
        self.used[f"{teller}.{frame.name}"] += 1
        person = None
        if "p" in frame.slots:
            apart = sort in {"told to somebody else", "told after the save"}
            person = self.cast.person(teller, frame.name, apart=apart, linked=sort == "two steps")
        slots = self.cast.slots_of(frame.slots, person)
        return Fact(frame=frame, held_out=held_out, teller=teller, person=person, slots=slots)

    def _place(self, fact: Fact, sort: str, number: int) -> Fact:
        """Put a fact into a sitting; returns the one that is asked about."""

        def free(after: int = -1, before: int = _SITTINGS) -> int:
            open_ = [n for n in self.open if after < n < before]
            usable = [n for n in open_ if len(self.told[n]) < _FACTS_AT_MOST]
            return self.rng.choice(usable or open_)

        if sort == "told after the save":
            at = sorted(self.lost)[number % 2]
        elif sort == "changed":
            at = free(before=self.open[-3])
            self.told[at].append(fact)
            fact, at = fact.changed(self.cast), free(after=at)
        elif sort == "two steps":
            at = free(after=self.open[2])
            link = Fact(
                frame=None, held_out=False, teller=PLAYER, person=fact.person, slots={}, link=True
            )
            self.told[free(before=at)].append(link)
        else:
            at = free()
        fact.elsewhere = sort == "told to somebody else"
        self.told[at].append(fact)
        return fact

    def _tell(self) -> None:
        """Say everything in the order of the sittings, among small talk."""
        chatter = corpus().chatter.lines
        small = self.rng.sample(chatter, len(chatter))
        for number, facts in enumerate(self.told):
            self.rng.shuffle(facts)
            steps = self.steps[number]
            for fact in facts:
                self.cast.say(fact)
                fact.sitting = number
                steps.append(
                    Step(
                        text=fact.said,
                        speaker=fact.teller,
                        to=ELSEWHERE if fact.elsewhere else COMPANION,
                        seen=not fact.teller,
                    )
                )
            while len(steps) < _PER_SITTING:
                line = small.pop() if small else self.rng.choice(chatter)
                steps.insert(self.rng.randint(0, len(steps)), Step(text=line))

    # -- what is asked -----------------------------------------------------------------------------

    def _add(self, item: Item, asker: str, after: int, *, at: int | None = None) -> None:
        """Ask in a later sitting, now and then in the same one."""
        if at is None:
            same = after >= 0 and after not in self.lost and self.rng.random() < 0.1
            later = [n for n in range(max(1, after + 1), _SITTINGS) if n not in self.lost]
            usable = [n for n in later if len(self.questions[n]) < _QUESTIONS_AT_MOST] or later
            at = after if same else self.rng.choice(usable)
        self.questions[at].append(Step(text=item.question, speaker=asker, item=item))

    def _ask_fact(self, sort: str, fact: Fact | None) -> None:
        """A slot of a fact, by the teller or by somebody else."""
        assert fact is not None
        assert fact.frame is not None
        frame = fact.frame
        asker = BREN if sort == "asked by another" else PLAYER
        if sort == "seen" and frame.asked_of and self.rng.random() < 0.25:
            asker = BREN
        unknown = sort in {"told to somebody else", "told after the save"}
        target, kind, form = self._form(fact, asker, sort)
        slots = self.cast.asked(fact, asker, linked=sort == "two steps")
        answers = self.cast.answers(fact, target, asker)
        question = fill(form, slots)
        slot = fact.slots.get(target)
        item = Item(
            question=question,
            sort=sort,
            kind=kind,
            expected=() if unknown else answers,
            forbidden=() if unknown or slot is None else self._forbidden(fact, slot, question),
            wrong=()
            if unknown
            else tuple(
                w.format_map({n: canonical(s.names[0]) for n, s in fact.slots.items()})
                for w in frame.wrong
            ),
            held_out=fact.held_out,
            fact=fact.said,
        )
        self._add(item, asker, fact.sitting)

    def _form(self, fact: Fact, asker: str, sort: str) -> tuple[str, str, str]:
        """Target, kind and form of a question that can mean this fact only."""
        frame = fact.frame
        assert frame is not None
        if asker != fact.teller and fact.teller and frame.about == "me":
            ask = self.rng.choice(frame.asked_of)
            return ask.target, ask.kind, self.rng.choice(ask.forms)
        if sort == "seen" and asker == BREN:
            ask = self.rng.choice(frame.asked_of)
            return ask.target, ask.kind, self.rng.choice(ask.forms)
        mine = asker == fact.teller or not fact.teller
        targets = [frame.changing] if sort == "changed" else list(frame.slots)
        if sort == "two steps":
            targets = [t for t in targets if t != "p"]
        options = [
            (target, ask.kind, form)
            for target in targets
            for ask in frame.asks
            if ask.target == target
            for form in frame.forms(target, mine=mine) + (list(ask.forms) if frame.once else [])
            if form in ask.forms
            and (sort != "two steps" or "{p" in form.lower())
            and (sort != "changed" or not _names_changed(form, frame))
        ]
        return self.rng.choice(options)

    def _ask_claim(self, sort: str, fact: Fact | None) -> None:
        """Whether something is so; every other time it is not."""
        assert fact is not None
        assert fact.frame is not None
        frame = fact.frame
        target = re.findall(r"\{(\w+)\}", frame.claim)[-1]
        holds = self.rng.random() < 0.5
        slots = dict(self.cast.asked(fact, PLAYER))
        if not holds:
            beside = {n: s for n, s in fact.slots.items() if n != target}
            slots[target] = self.cast.slots_of({target: frame.slots[target]}, None, beside)[target]
        question = fill(frame.claim, slots)
        true = fact.slots[target]
        item = Item(
            question=question,
            sort=sort,
            kind="yes-no",
            expected=true.answers,
            forbidden=self._forbidden(fact, true, question),
            holds=holds,
            held_out=fact.held_out,
            fact=fact.said,
        )
        self._add(item, PLAYER, fact.sitting)

    def _ask_when(self, sort: str, fact: Fact | None) -> None:
        """How long ago something was told."""
        assert fact is not None
        assert fact.frame is not None
        form = self.rng.choice(companion_corpus().times.when)
        clause = fill(fact.frame.clause, self.cast.asked(fact, PLAYER))
        later = [n for n in range(fact.sitting + 1, _SITTINGS) if n not in self.lost]
        at = self.rng.choice(later[:4])
        days = self.days[at] - self.days[fact.sitting]
        expected = [f"{days} days", f"{number_words(days)} days"] if days < 100 else []
        if days == 1:
            expected += ["yesterday", "1 day", "one day"]
        if days % 7 == 0:
            expected += ["a week", "last week"] if days == 7 else [f"{days // 7} weeks"]
        if at == later[0]:
            expected += ["last time", "the last time"]
        if fact.sitting == 0:
            expected += ["first"]
        wrong = [r"\d+ days?"] if days > 1 else []
        forbidden = ["today"] + (["yesterday"] if days != 1 else [])
        named = form.format(clause=clause)
        item = Item(
            question=named,
            sort=sort,
            kind="when",
            expected=tuple(expected),
            forbidden=tuple(f for f in forbidden if f not in named),
            wrong=tuple(rf"(?!{days}\b){w}" for w in wrong),
            held_out=fact.held_out,
            fact=fact.said,
        )
        self._add(item, PLAYER, fact.sitting, at=at)

    def _ask_who(self, sort: str, fact: Fact | None) -> None:
        """From whom something is known."""
        assert fact is not None
        assert fact.frame is not None
        form = self.rng.choice(companion_corpus().times.who)
        clause = fill(fact.frame.clause, self.cast.asked(fact, PLAYER))
        teller = fact.teller
        item = Item(
            question=form.format(clause=clause),
            sort=sort,
            kind="who",
            expected=_BY_YOU if teller == PLAYER else (NAMES[teller],),
            forbidden=(NAMES[BREN],) if teller == PLAYER else ("you told", "you said"),
            held_out=fact.held_out,
            fact=fact.said,
        )
        self._add(item, PLAYER, fact.sitting)

    def _ask_period(self, sort: str, _: Fact | None) -> None:
        """What was told yesterday, last time, or in the first talk."""
        times = companion_corpus().times
        kept = [n for n in range(_SITTINGS) if n not in self.lost]

        def facts(number: int) -> list[Fact]:
            return [f for f in self.told[number] if f.teller == PLAYER and not f.elsewhere]

        options: list[tuple[int, int, Sequence[str]]] = []
        for before, at in itertools.pairwise(kept):
            if facts(before) and at == before + 1:
                options.append((before, at, times.last))
                if self.days[at] - self.days[before] == 1:
                    options += [(before, at, times.yesterday)] * 2
        if facts(0):
            options += [(0, self.rng.choice(kept[2:]), times.first)] * 4
        number, at, forms = self.rng.choice(options)
        told = facts(number)
        own = {canonical(a) for f in told for s in f.slots.values() for a in (*s.answers, *s.names)}
        own |= {canonical(w) for f in told for w in re.findall(r"[\w-]+", f.said)}
        others = [
            name
            for other in self._all()
            if other not in told
            for slot in other.slots.values()
            if slot.kind not in {"number", "day"}
            for name in slot.names[:1]
            if canonical(name) not in own
        ]
        expected = [a for f in told for s in f.slots.values() for a in s.answers]
        expected += [f.person.name for f in told if f.link and f.person is not None]
        item = Item(
            question=self.rng.choice(forms),
            sort=sort,
            kind="what",
            expected=tuple(dict.fromkeys(expected)),
            forbidden=tuple(dict.fromkeys(others)),
            fact=" / ".join(f.said for f in told),
        )
        self._add(item, PLAYER, number, at=at)

    def _ask_never(self, sort: str, _: Fact | None) -> None:
        """Something of a fact that was never told."""
        fact = self.rng.choice([f for f in self._all() if f.frame and f.teller == PLAYER])
        assert fact.frame is not None
        ask = self.rng.choice(fact.frame.unknown)
        question = fill(self.rng.choice(ask.forms), self.cast.asked(fact, PLAYER))
        self._unknown(sort, ask.kind, question, fact, PLAYER)

    def _ask_other(self, sort: str, _: Fact | None) -> None:
        """What is known of one person, asked of another one."""
        asker = BREN if sort == "not the asker's" else PLAYER
        options = [
            (fact, ask, form)
            for fact in self._all()
            if fact.frame and fact.person and fact.teller == PLAYER and fact.frame.about == "them"
            for ask in fact.frame.asks
            if ask.target != "p"
            for form in fact.frame.forms(ask.target, mine=asker == PLAYER, only=frozenset("p"))
            if form in ask.forms and "{p" in form.lower()
        ]
        self.rng.shuffle(options)
        for fact, ask, form in options:
            assert fact.frame is not None
            other = self.cast.stand_in(fact, asker)
            if other is not None:
                question = fill(form, {"p": other})
                self._unknown(sort, ask.kind, question, fact, asker, told=False)
                return
        raise AssertionError("there is always somebody of whom it was not told")

    def _unknown(
        self, sort: str, kind: str, question: str, fact: Fact, asker: str, *, told: bool = True
    ) -> None:
        context = [a for s in fact.slots.values() for a in s.answers] if told else []
        item = Item(
            question=question,
            sort=sort,
            kind=kind,
            context=(*context, *NAMES.values(), *(w for w in fact.said.split() if told)),
            held_out=fact.held_out,
            fact=fact.said,
        )
        self._add(item, asker, fact.sitting)

    def _ask_own(self, sort: str, _: Fact | None) -> None:
        """What the companion knows of himself, or never thought about."""
        words = companion_corpus()
        if sort != "own":
            question = self.rng.choice(words.own_unknown.forms)
            facts = tuple(w for o, slots in self.own for w in fill(o.fact, slots).split())
            item = Item(question=question, sort=sort, kind=words.own_unknown.kind, context=facts)
            self._add(item, PLAYER, -1)
            return
        own, slots = self.rng.choice(self.own)
        ask: Ask = self.rng.choice(own.asks)
        question = fill(self.rng.choice(ask.forms), slots)
        fact = Fact(frame=None, held_out=False, teller=COMPANION, person=None, slots=slots)
        item = Item(
            question=question,
            sort=sort,
            kind=ask.kind,
            expected=slots[ask.target].answers,
            forbidden=self._forbidden(fact, slots[ask.target], question),
            fact=fill(own.fact, slots),
        )
        self._add(item, PLAYER, -1)

    # -- what would be wrong -----------------------------------------------------------------------

    def _all(self) -> list[Fact]:
        return [
            f
            for number, facts in enumerate(self.told)
            for f in facts
            if number not in self.lost and not f.elsewhere
        ]

    def _forbidden(self, fact: Fact, target: Slot, question: str) -> tuple[str, ...]:
        """Other values of the slot's type, unless they stand in the fact or in the question."""
        said = canonical(f"{fact.said} {question}")
        own = {canonical(a) for s in fact.slots.values() for a in (*s.answers, s.names[0])}
        own |= {canonical(fact.person.name)} if fact.person else set()
        others: Iterable[str] = (
            name
            for facts in self.told
            for other in facts
            for slot in other.slots.values()
            if slot.kind == target.kind and other is not fact
            for name in slot.names
        )
        names = dict.fromkeys((*others, *target.names[1:], *target.rivals))
        return tuple(
            name
            for name in names
            if canonical(name) not in own and f" {canonical(name)} " not in f" {said} "
        )


def _for_others(frame: Telling) -> bool:
    """Whether somebody else than the teller can ask about such a fact."""
    if frame.about == "me":
        return bool(frame.asked_of)
    forms = (form for slot in frame.slots for form in frame.forms(slot, mine=False))
    return frame.about == "them" and any(forms)


def _names_changed(form: str, frame: Telling) -> bool:
    """Whether a question names the value that has changed."""
    return f"{{{frame.changing}}}" in form


_ASKING = {
    **dict.fromkeys(
        [
            "told", "seen", "changed", "told by another", "asked by another", "two steps",
            "told to somebody else", "told after the save",
        ],
        "_ask_fact",
    ),
    "yes or no": "_ask_claim", "when told": "_ask_when", "what was told when": "_ask_period",
    "who told": "_ask_who", "own": "_ask_own", "own, never told": "_ask_own",
    "never told": "_ask_never", "told of somebody else": "_ask_other",
    "not the asker's": "_ask_other",
}  # fmt: skip
