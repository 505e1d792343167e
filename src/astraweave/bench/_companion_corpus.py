"""The frames that twenty sittings are drawn from (``companion.toml``)."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files

import msgspec

from astraweave.bench._corpus import Ask

__all__ = ["CompanionCorpus", "Link", "Own", "Telling", "Times", "companion_corpus"]

_MINE = re.compile(r"\b(?:I|me|my|mine)\b")


class Telling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sort of fact: how it is told, how it is asked about, how it changes."""

    name: str
    slots: dict[str, str]
    says: tuple[str, ...]
    asks: tuple[Ask, ...]
    unknown: tuple[Ask, ...]
    clause: str = ""
    claim: str = ""
    about: str = "them"
    once: bool = False
    changing: str = ""
    changes: tuple[str, ...] = ()
    asked_of: tuple[Ask, ...] = ()
    wrong: tuple[str, ...] = ()

    def forms(self, target: str, *, mine: bool, only: frozenset[str] | None = None) -> list[str]:
        """Questions about a slot.

        Parameters
        ----------
        target : str
            The slot that is asked for.
        mine : bool
            Also those that say "I" and "my": only the teller can ask them.
        only : frozenset of str, optional
            The slots that they may name; None: any, but at least one.
        """
        found = []
        for ask in self.asks:
            for form in ask.forms if ask.target == target else ():
                named = {slot for slot in self.slots if re.search(rf"(?i)\{{{slot}[_}}]", form)}
                fits = named <= only if only is not None else bool(named)
                if (mine or not _MINE.search(form)) and fits:
                    found.append(form)
        return found


class Link(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one person belongs to another."""

    relation: str
    woman: bool
    says: tuple[str, ...]


class Own(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that the companion knows of himself."""

    slots: dict[str, str]
    fact: str
    asks: tuple[Ask, ...]


class Times(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Questions about when something was said, and by whom."""

    yesterday: tuple[str, ...]
    first: tuple[str, ...]
    last: tuple[str, ...]
    when: tuple[str, ...]
    who: tuple[str, ...]


class _Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kinswomen: tuple[str, ...]
    kinsmen: tuple[str, ...]
    small: tuple[int, ...]
    hounds: tuple[str, ...]


class CompanionCorpus(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything of ``companion.toml``."""

    akin: tuple[tuple[str, ...], ...]
    words: _Words
    frames: tuple[Telling, ...]
    held_out: tuple[Telling, ...]
    links: tuple[Link, ...]
    own: tuple[Own, ...]
    own_unknown: Ask
    times: Times

    def kin_of(self, frame: str) -> frozenset[str]:
        """A sort of fact, and those that answer the same questions."""
        return frozenset((frame,)).union(*(group for group in self.akin if frame in group))


@cache
def companion_corpus() -> CompanionCorpus:
    """Read once; immutable."""
    text = files("astraweave.bench").joinpath("companion.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), CompanionCorpus)
