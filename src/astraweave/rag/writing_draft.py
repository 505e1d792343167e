"""A decision in the making: what becomes of the parts of a line, one after another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

import msgspec

from astraweave.rag._linking import NameIndex
from astraweave.rag.memory import Memory
from astraweave.rag.writing_changes import contradicts, raises_a_price
from astraweave.rag.writing_novelty import Novelty
from astraweave.rag.writing_statements import Statement

__all__ = ["SHORT_LIVED", "Draft", "Near", "Outcome", "Written"]

Outcome = Literal["new", "changed", "again", "retold", "passing"]

SHORT_LIVED = frozenset({"sensory", "working"})
"""Kinds of memories that nothing contradicts: they are gone soon anyway."""
_SURPRISE_STEP = 0.05


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one part of a line.

    Attributes
    ----------
    memory : Memory
        The memory that holds it now.
    outcome : str
        ``"new"``; ``"changed"``: new, and others no longer hold; ``"again"``: known already, and
        stronger now; ``"retold"``: its owner has only said what it remembers, or was told
        what it had said; ``"passing"``: air,
        kept for a while.
    superseded : tuple of int
        Ids of the memories that no longer hold.
    """

    memory: Memory
    outcome: Outcome
    superseded: tuple[int, ...] = ()


class Near(NamedTuple):
    """A memory that a line may repeat or change."""

    memory: Memory
    known: Statement
    shared: int
    """How many words both have in common."""


class Draft:
    """A decision in the making."""

    def __init__(
        self,
        owner: str,
        next_id: int,
        names: NameIndex,
        novelty: Novelty | None,
        rests_on: Collection[int],
    ) -> None:
        self.owner = owner
        self.rests_on = rests_on
        self.names = names
        self.novelty = novelty
        self.added: list[Memory] = []
        self.replaced: dict[int, Memory] = {}
        self.written: list[Written] = []
        self.told_again: list[int] = []
        self._next_id = next_id

    def add(self, line: Memory, outcome: Outcome, superseded: tuple[int, ...] = ()) -> Memory:
        """Note a new memory."""
        memory = msgspec.structs.replace(line, id=self._next_id)
        self._next_id += 1
        self.added.append(memory)
        self.written.append(Written(memory=memory, outcome=outcome, superseded=superseded))
        return memory

    def supersede(self, line: Memory, said: Statement, near: Sequence[Near]) -> Memory:
        """Note a new memory; what cannot hold beside it is superseded."""
        old = self.outdated(line, said, near)
        ids = tuple(sorted(memory.id for memory in old))
        new = self.add(line, "changed" if ids else "new", ids)
        for memory in old:
            gone = msgspec.structs.replace(memory, superseded_by=new.id)
            if memory in self.added:
                self.added[self.added.index(memory)] = gone
            else:
                self.replaced[memory.id] = gone
        return new

    def outdated(self, line: Memory, said: Statement, near: Sequence[Near]) -> list[Memory]:
        """What cannot hold beside a new line."""
        before = [
            (memory, known)
            for memory, known, shared in near
            if (shared or said.raises)
            and memory.game_time <= line.game_time
            and memory.kind not in SHORT_LIVED
        ]
        old = [m for m, known in before if contradicts(said, known, owner=self.owner)]
        if said.raises and not old:
            prices = [memory for memory, known in before if raises_a_price(said, known)]
            old = prices if len(prices) == 1 else []
        return old

    def surprise(self, said: Statement, near: Sequence[Near]) -> float:
        """What being newer than usual adds to a line's importance."""
        if self.novelty is None:
            return 0.0
        most = len(said.content)
        # Only what shares a word can be like it.
        likeness = max(
            (n / (most + len(known.content) - n) for _, known, n in near if n), default=0.0
        )
        before = self.novelty
        self.novelty = before.then(1.0 - likeness)
        return _SURPRISE_STEP * before.surprise(1.0 - likeness)
