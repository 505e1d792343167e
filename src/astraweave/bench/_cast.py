"""The people that are talked of in twenty sittings, and how each of them is spoken of."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from astraweave.bench._companion_corpus import CompanionCorpus, Link, Telling
from astraweave.bench._corpus import Corpus
from astraweave.bench._drawing import Slot, Source, fill

__all__ = ["BREN", "NAMES", "PLAYER", "Cast", "Fact", "Person"]

PLAYER, BREN = "player", "bren"
NAMES = {PLAYER: "Robin", BREN: "Bren", "tam": "Tam"}
_CAST = {PLAYER: 14, BREN: 4}
_IN_CONFIDENCE = re.compile(r"\bbetween us\b", re.IGNORECASE)


@dataclass(eq=False)
class Person:
    """Somebody of a teller's: "my sister Mira"; or of such a one's: "my landlord's friend"."""

    name: str
    relation: str
    woman: bool
    teller: str
    of: Person | None = None
    link: Link | None = None
    introduced: bool = False
    known: set[str] = field(default_factory=set)
    """Frames that were used for them."""


@dataclass(eq=False)
class Fact:
    """One thing that is told."""

    frame: Telling | None
    held_out: bool
    teller: str
    person: Person | None
    slots: dict[str, Slot]
    link: bool = False
    anew: bool = False
    elsewhere: bool = False
    sitting: int = -1
    said: str = ""
    former: Slot | None = None
    """What has changed, as it was before."""

    @property
    def in_confidence(self) -> bool:
        """Whether its teller bound the hearer to silence."""
        return _IN_CONFIDENCE.search(self.said) is not None

    @property
    def telling(self) -> Telling:
        """The frame of a fact that has one: links and what the companion is have none."""
        assert self.frame is not None
        return self.frame

    def changed(self, cast: Cast) -> Fact:
        """The same with another value, to be told later."""
        key = self.telling.changing
        beside = {name: slot for name, slot in self.slots.items() if name != key}
        new = cast.slots_of({key: self.telling.slots[key]}, None, beside)
        slots = {**beside, **new}
        return Fact(
            self.frame,
            self.held_out,
            self.teller,
            self.person,
            slots,
            anew=True,
            former=self.slots[key],
        )


class Cast:
    """Draws people and words, and knows how to speak of them."""

    def __init__(self, rng: random.Random, words: Corpus, more: CompanionCorpus) -> None:
        self._rng, self._words, self._more = rng, words, more
        lists = {"hound": more.words.hounds, "small": tuple(map(str, more.words.small))}
        self._source = Source(rng, words, lists)
        self._people: dict[str, list[Person]] = {}
        for teller, count in _CAST.items():
            kin = [(r, True) for r in more.words.kinswomen]
            kin += [(r, False) for r in more.words.kinsmen]
            self._people[teller] = [
                Person(self._name(woman=woman), relation, woman, teller)
                for relation, woman in rng.sample(kin, count)
            ]

    def _name(self, *, woman: bool) -> str:
        return self._source.name(woman=woman).texts[""]

    # -- who ---------------------------------------------------------------------------------------

    def person(self, teller: str, frame: str, *, apart: bool, linked: bool) -> Person:
        """Somebody of whom this sort of fact was not told yet.

        Parameters
        ----------
        teller : str
            Whose people.
        frame : str
            The sort of fact.
        apart : bool
            Somebody who is spoken of nowhere else.
        linked : bool
            Somebody who belongs to one of the teller's people.
        """
        people = self._people[teller]
        if linked:
            link = self._rng.choice(self._more.links)
            of = self._rng.choice([p for p in people if p.of is None and "apart" not in p.known])
            name = self._name(woman=link.woman)
            return Person(name, link.relation, link.woman, teller, of, link)
        akin = self._more.kin_of(frame)
        usable = [p for p in people if not p.known & {frame, "apart"}]
        if apart:
            usable = [p for p in usable if not p.known]
        self._rng.shuffle(usable)
        if apart and not usable:
            return Person(self._name(woman=True), "teacher", True, teller, known={frame, "apart"})
        chosen = min(usable, key=lambda p: (not akin.isdisjoint(p.known), len(p.known)))
        chosen.known |= {frame, "apart"} if apart else {frame}
        return chosen

    def stand_in(self, fact: Fact, asker: str) -> Slot | None:
        """Somebody else of whom the same is asked; None when there is nobody."""
        assert fact.person is not None
        if asker != PLAYER:
            taken = {p.relation for p in self._people[asker]}
            if fact.person.of is not None or fact.person.relation in taken:
                return None
            return _slot(f"my {fact.person.relation}", fact.person)
        akin = self._more.kin_of(fact.telling.name)
        others = [p for p in self._people[PLAYER] if not p.known & {fact.telling.name, "apart"}]
        while others:
            other = self._rng.choice(others)
            if akin.isdisjoint(other.known):
                named = other.introduced and self._rng.random() < 0.5
                return _slot(other.name if named else f"my {other.relation}", other)
            others.remove(other)
        return None

    # -- words -------------------------------------------------------------------------------------

    def slots_of(
        self,
        kinds: Mapping[str, str],
        person: Person | None,
        beside: Mapping[str, Slot] | None = None,
    ) -> dict[str, Slot]:
        """Draw what a fact holds."""
        slots: dict[str, Slot] = {}
        for name, kind in kinds.items():
            if kind == "person" and person is not None:
                slots[name] = _slot(person.name, person)
            else:
                slots[name] = self._source.slot(kind, {**(beside or {}), **slots})
        return slots

    def say(self, fact: Fact) -> None:
        """Put the fact into words, as its teller would at this point of the story."""
        person, rng = fact.person, self._rng
        if fact.link:
            assert person is not None
            assert person.of is not None
            assert person.link is not None
            slots = {"p": self._spoken(person.of), "b": _slot(person.name, person)}
            fact.said = fill(rng.choice(person.link.says), slots)
            fact.slots = {"b": _slot(person.name, person)}
            person.introduced = True
            return
        slots = dict(fact.slots)
        if person is not None:
            slots["p"] = self._spoken(person)
        fact.said = fill(
            rng.choice(fact.telling.changes if fact.anew else fact.telling.says), slots
        )

    def _spoken(self, person: Person) -> Slot:
        full = f"my {person.relation} {person.name}"
        if person.of is not None:
            return _slot(person.name, person)
        said = self._rng.choice([full, person.name, f"my {person.relation}"])
        if not person.introduced:
            person.introduced, said = True, full
        return _slot(said, person)

    def asked(self, fact: Fact, asker: str, *, linked: bool = False) -> dict[str, Slot]:
        """The fact's slots as a question may name them."""
        slots, person = dict(fact.slots), fact.person
        name = NAMES.get(fact.teller or PLAYER, "")
        slots["name"] = Slot(kind="person", texts={"": name}, answers=(name,), names=(name,))
        if person is None:
            return slots
        mine = asker == person.teller
        if person.of is not None:
            of = f"my {person.of.relation}" if mine else person.of.name
            said = [f"{of}'s {person.relation}", f"the {person.relation} of {of}"]
        elif mine:
            full = f"my {person.relation} {person.name}"
            said = [f"my {person.relation}", person.name, full]
        else:
            said = [person.name, f"{NAMES[person.teller]}'s {person.relation}"]
        slots["p"] = _slot(self._rng.choice(said), person)
        return slots

    def answers(self, fact: Fact, target: str, asker: str) -> tuple[str, ...]:
        """What names a slot rightly."""
        if target == "name":
            return (NAMES.get(fact.teller or PLAYER, ""), "the player")
        person = fact.person
        if target != "p" or person is None:
            return fact.slots[target].answers
        whose = "your" if asker == person.teller else f"{NAMES[person.teller]}'s"
        found = [person.name, f"{whose} {person.relation}"]
        if person.of is not None:
            found += [f"your {person.of.relation}'s {person.relation}"]
        return tuple(found)


def _slot(said: str, person: Person) -> Slot:
    he, him, his = ("she", "her", "her") if person.woman else ("he", "him", "his")
    texts = {"": said, "_he": he, "_him": him, "_his": his, "^": said[:1].upper() + said[1:]}
    texts |= {"_He": he.capitalize(), "_Him": him.capitalize(), "_His": his.capitalize()}
    return Slot(kind="person", texts=texts, answers=(person.name,), names=(person.name,))
