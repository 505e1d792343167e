"""The words and frames that the two-sittings scenario is drawn from (``sittings.toml``)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

import msgspec

__all__ = ["Ask", "Chatter", "Corpus", "Frame", "Things", "Words", "corpus"]


class Ask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Paraphrases of one question about one slot; no target: nobody can answer it."""

    kind: str
    forms: tuple[str, ...]
    target: str = ""


class Frame(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sort of fact: its slots by type, how it is told, and how it is asked about."""

    name: str
    slots: dict[str, str]
    says: tuple[str, ...]
    asks: tuple[Ask, ...]
    unknown: tuple[Ask, ...]
    wrong: tuple[str, ...] = ()

    @property
    def repeatable(self) -> bool:
        """Whether two facts of this sort can be told apart by every question."""
        return all(
            any(f"{{{slot}" in form for slot in self.slots if slot != ask.target)
            for ask in self.asks
            for form in ask.forms
        )


class Things(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nouns, and the adjectives that any of them may bear."""

    adjectives: tuple[str, ...]
    heads: tuple[str, ...]


class Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a slot can be filled with."""

    women: tuple[str, ...]
    men: tuple[str, ...]
    kinswomen: tuple[str, ...]
    kinsmen: tuple[str, ...]
    towns: tuple[str, ...]
    spots: tuple[str, ...]
    months: tuple[str, ...]
    days: tuple[str, ...]
    colours: tuple[str, ...]
    beasts: tuple[str, ...]
    trades: tuple[str, ...]
    terrors: tuple[str, ...]
    foods: tuple[str, ...]
    crafts: tuple[str, ...]
    limbs: tuple[str, ...]
    games: tuple[str, ...]
    instruments: tuple[str, ...]
    pets: tuple[str, ...]
    buildings: tuple[str, ...]
    numbers: tuple[int, ...]
    things: tuple[Things, ...]

    def of_type(self, slot_type: str) -> tuple[str, ...]:
        """The list behind a slot type such as ``"town"``."""
        values: tuple[str, ...] = getattr(self, f"{slot_type}s")
        return values


class Chatter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lines that hold nothing worth asking about."""

    lines: tuple[str, ...]


class Corpus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything of ``sittings.toml``."""

    words: Words
    frames: tuple[Frame, ...]
    chatter: Chatter


@cache
def corpus() -> Corpus:
    """Read once; immutable."""
    text = files("astraweave.bench").joinpath("sittings.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Corpus)
