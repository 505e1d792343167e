"""Lives: what players told a companion, and questions, answered and unanswered.

Ninety lives, written by hand for this purpose (``lives.jsonl``; see the data card in
``docs/explanation/data_cards.md``): each has some fifteen lines as different people would type
them, pairs of facts that are alike, seven questions that one of the lines answers, from nearly its
own words to none of them, and three that none answers, as hard as they could be made.
"""

from __future__ import annotations

from importlib.resources import files

import msgspec

__all__ = ["Life", "LifeQuestion", "closest", "lives"]


class LifeQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question.

    Attributes
    ----------
    q : str
        As the player asks it.
    evidence : tuple of int
        Places of the lines that answer it; empty: none does.
    answers : tuple of str
        A right answer has one of them.
    kind : str
        What it asks for: ``"who"``, ``"where"``, ``"how many"`` ...
    how : str
        How far it is from the line's words (``"near"``, ``"mid"``, ``"far"``), or why nothing
        answers it: an ``"attribute"`` that was never told, a ``"stranger"``, roles ``"swapped"``,
        a ``"near-miss"``.
    """

    q: str
    evidence: tuple[int, ...]
    answers: tuple[str, ...]
    kind: str
    how: str


class Life(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one player told, in order, and the questions."""

    life: str
    player: str
    companion: str
    told: tuple[str, ...]
    questions: tuple[LifeQuestion, ...]


def lives() -> list[Life]:
    """All of them."""
    data = files("astraweave.bench").joinpath("lives.jsonl").read_bytes()
    return [msgspec.json.decode(line, type=Life) for line in data.splitlines() if line.strip()]


def closest(text: str, told: tuple[str, ...]) -> int:
    """The place of the line that a memory was made from: the one that shares most words with it."""
    words = set(text.lower().split())

    def shared(line: str) -> float:
        others = set(line.lower().split())
        return len(words & others) / (len(words | others) or 1)

    return max(range(len(told)), key=lambda place: shared(told[place]))
