"""Slots of facts, drawn so that each word belongs to one fact."""

from __future__ import annotations

import random
from collections.abc import Mapping

import msgspec

from astraweave.bench._corpus import Corpus
from astraweave.bench._scoring import number_words

__all__ = ["Slot", "Source", "fill"]


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One word or name of a fact: how it may be said, and what counts as it."""

    kind: str
    texts: dict[str, str]
    """Suffix of the placeholder ("", "_my", "_a" ...) to its text."""
    answers: tuple[str, ...]
    names: tuple[str, ...]
    """What stands for this slot and for no other one; the first is the slot itself."""
    rivals: tuple[str, ...] = ()
    """Other values of a short list, told in this scenario or not."""


class Source:
    """Hands out every word once, so that a slot belongs to one fact; when all are used, again.

    Parameters
    ----------
    rng : random.Random
        Draws.
    words : Corpus
        The word lists.
    more : mapping, optional
        Further lists by slot type.
    """

    def __init__(
        self,
        rng: random.Random,
        words: Corpus,
        more: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._rng = rng
        self._words = words
        self._more = more or {}
        self._left: dict[str, list[str]] = {}

    def slot(self, kind: str, beside: Mapping[str, Slot]) -> Slot:
        """A slot of this type; `beside` holds those of the same fact that stand already."""
        if kind in {"person", "suitor"}:
            return self._person(kind, beside)
        if kind == "thing":
            return self._thing()
        if kind == "number":
            return self._number()
        if kind == "small":
            return self._number("small", self._more["small"])
        if kind == "stranger":
            return self.name(woman=self._rng.random() < 0.5)
        values = self._more.get(kind) or self._words.words.of_type(kind)
        value, *others = self.take(kind, values).split("|")
        texts, answers = {"": value}, (value, *others)
        if kind == "spot":
            texts, answers = {"": f"the {value}"}, (value, value.split()[-1])
        place = "place" if kind in {"spot", "town"} else kind
        rivals = () if place == "place" else tuple(other.split("|")[0] for other in values)
        return Slot(kind=place, texts=texts, answers=answers, names=(value,), rivals=rivals)

    def name(self, *, woman: bool) -> Slot:
        """Somebody who goes by a name alone."""
        words = self._words.words
        name = self.take("women", words.women) if woman else self.take("men", words.men)
        return Slot(kind="person", texts={"": name}, answers=(name,), names=(name,))

    def take(self, pool: str, values: tuple[str, ...]) -> str:
        """The next word of a list."""
        left = self._left.get(pool)
        if not left:
            left = self._left[pool] = self._rng.sample(values, len(values))
        return left.pop()

    def _person(self, kind: str, beside: Mapping[str, Slot]) -> Slot:
        """The first person of a fact is the player's kin; others go by their names alone."""
        words = self._words.words
        relation = ""
        if kind == "suitor":
            woman = beside["p"].texts["_he"] == "he"
            if self._more:
                return self.name(woman=woman)
        elif any(slot.kind == "person" for slot in beside.values()):
            woman = self._rng.random() < 0.5
        else:
            relation = self.take("kin", words.kinswomen + words.kinsmen)
            woman = relation in words.kinswomen
        name = self.take("women", words.women) if woman else self.take("men", words.men)
        he, him, his = ("she", "her", "her") if woman else ("he", "him", "his")
        texts = {"": name, "_he": he, "_him": him, "_his": his}
        answers: tuple[str, ...] = (name,)
        if relation:
            texts |= {"_my": f"my {relation} {name}", "_My": f"My {relation} {name}"}
            answers = (name, f"your {relation}")
        return Slot(kind="person", texts=texts, answers=answers, names=(name,))

    def _thing(self) -> Slot:
        groups = self._words.words.things
        head = self.take("thing", tuple(head for group in groups for head in group.heads))
        group = next(group for group in groups if head in group.heads)
        name = f"{self._rng.choice(group.adjectives)} {head}"
        article = "an" if name[0] in "aeiou" else "a"
        texts = {"": name, "_a": f"{article} {name}", "_A": f"{article.capitalize()} {name}"}
        # "The ring" will do, "the golden ring" for a silver one will not.
        others = tuple(f"{adjective} {head}" for adjective in group.adjectives)
        return Slot(kind="thing", texts=texts, answers=(name, head), names=(name, *others))

    def _number(self, pool: str = "number", values: tuple[str, ...] = ()) -> Slot:
        numbers = values or tuple(str(number) for number in self._words.words.numbers)
        value = self.take(pool, numbers)
        text = number_words(int(value)) if self._rng.random() < 0.7 else value
        return Slot(
            kind="number",
            texts={"": text, "_Up": text.capitalize()},
            answers=(value, number_words(int(value))),
            names=(value,),
            rivals=numbers,
        )


def fill(template: str, slots: Mapping[str, Slot]) -> str:
    """A template with its slots filled in; the suffix "^" stands for the name in capitals."""
    values = {
        name.upper() if suffix == "^" else f"{name}{suffix}": text
        for name, slot in slots.items()
        for suffix, text in slot.texts.items()
    }
    return template.format_map(values)
