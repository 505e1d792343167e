"""What twenty sittings with a companion consist of: what is said, what is asked, how they end."""

from __future__ import annotations

from typing import Literal

import msgspec

from astraweave.bench._cast import PLAYER

__all__ = ["ASKED", "COMPANION", "ELSEWHERE", "Item", "Saga", "Sitting", "Step"]

COMPANION, ELSEWHERE = "tam", "oskar"

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
    secret : tuple of str
        What was told in confidence, and must not be named to the one who asks.
    outdated : tuple of str
        What was so before it changed.
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
    secret: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
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
