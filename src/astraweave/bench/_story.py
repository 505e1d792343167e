"""What is told in twenty sittings: which facts, by whom, in which sitting, and in what words."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable

from astraweave.bench._cast import BREN, PLAYER, Cast, Fact
from astraweave.bench._companion_corpus import Telling, companion_corpus
from astraweave.bench._corpus import corpus
from astraweave.bench._saga_parts import COMPANION, ELSEWHERE, Step
from astraweave.core.rng import RandomStreams

__all__ = ["SITTINGS", "Story"]

SITTINGS = 20
_PER_SITTING = 6
_FACTS_AT_MOST = 5
_LATEST_FACT = 17
_GAPS = (1, 1, 1, 2, 3, 7)
_FIRST_PERSON = re.compile(r"\b(?:I|me|my|mine)\b")


class Story:
    """Plans facts, and tells them in the order of the sittings.

    Attributes
    ----------
    rng : random.Random
        Draws everything.
    cast : Cast
        The people.
    days : list of int
        The day of each sitting.
    lost : dict of int to str
        Sittings of which nothing remains, and how they end.
    told : list of list of Fact
        What is told in each sitting.
    steps : list of list of Step
        The same in words, among small talk.
    """

    def __init__(self, seed: int) -> None:
        self.rng: random.Random = RandomStreams(seed)["bench.companion"]
        words = companion_corpus()
        self._frames = [(f, False) for f in words.frames] + [(f, True) for f in words.held_out]
        self.cast = Cast(self.rng, corpus(), words)
        first = self.rng.randrange(4, 9)
        self.lost = {first: "lost", first + self.rng.randrange(3, 7): "rewound"}
        self.days = [0]
        for _ in range(SITTINGS - 1):
            self.days.append(self.days[-1] + self.rng.choice(_GAPS))
        self._used: Counter[str] = Counter()
        self.told: list[list[Fact]] = [[] for _ in range(SITTINGS)]
        self.steps: list[list[Step]] = [[] for _ in range(SITTINGS)]
        self._open = [n for n in range(_LATEST_FACT) if n not in self.lost]

    @property
    def kept(self) -> list[int]:
        """The sittings that are not lost."""
        return [n for n in range(SITTINGS) if n not in self.lost]

    @property
    def known(self) -> list[Fact]:
        """All that the companion was told or saw, and that was not lost."""
        return [f for n in self.kept for f in self.told[n] if not f.elsewhere]

    def plan(self) -> dict[str, list[Fact]]:
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
            for frame, held_out in self._frames
            if fits(frame)
            and (frame.about == "seen") == (sort == "seen")
            and not (frame.once and self._used[f"{teller}.{frame.name}"])
        ]
        self.rng.shuffle(usable)
        frame, held_out = min(usable, key=lambda pair: self._used[pair[0].name])
        self._used[frame.name] += 1
        self._used[f"{teller}.{frame.name}"] += 1
        person = None
        if "p" in frame.slots:
            apart = sort in {"told to somebody else", "told after the save"}
            person = self.cast.person(teller, frame.name, apart=apart, linked=sort == "two steps")
        slots = self.cast.slots_of(frame.slots, person)
        return Fact(frame=frame, held_out=held_out, teller=teller, person=person, slots=slots)

    def _place(self, fact: Fact, sort: str, number: int) -> Fact:
        """Put a fact into a sitting; returns the one that is asked about."""

        def free(after: int = -1, before: int = SITTINGS) -> int:
            open_ = [n for n in self._open if after < n < before]
            usable = [n for n in open_ if len(self.told[n]) < _FACTS_AT_MOST]
            return self.rng.choice(usable or open_)

        if sort == "told after the save":
            at = sorted(self.lost)[number % 2]
        elif sort == "changed":
            at = free(before=self._open[-3])
            self.told[at].append(fact)
            fact, at = fact.changed(self.cast), free(after=at)
        elif sort == "two steps":
            at = free(after=self._open[2])
            link = Fact(
                frame=None, held_out=False, teller=PLAYER, person=fact.person, slots={}, link=True
            )
            self.told[free(before=at)].append(link)
        else:
            at = free()
        fact.elsewhere = sort == "told to somebody else"
        self.told[at].append(fact)
        return fact

    def tell(self) -> None:
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


def _for_others(frame: Telling) -> bool:
    """Whether somebody else than the teller can ask about such a fact."""
    if frame.about == "me":
        return bool(frame.asked_of)
    forms = (form for slot in frame.slots for form in frame.forms(slot, mine=False))
    return frame.about == "them" and any(forms)
