"""What the components and the system need of a world, so that this room stands below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from astraweave.context import Turn
from astraweave.dialogue import LinePlan
from astraweave.persona import PersonaState

__all__ = ["Feeler", "Rememberer", "Speaker", "Speakers", "SpokenLine", "SpokenRound"]


class SpokenLine(Protocol):
    """A line that is being spoken (`astraweave.Reply`)."""

    @property
    def text(self) -> str:
        """What has been shown so far."""
        ...

    @property
    def done(self) -> bool:
        """Whether the line has ended."""
        ...

    @property
    def npc(self) -> str:
        """Id of who speaks."""
        ...

    @property
    def speaker(self) -> str:
        """Id of whom it answers."""
        ...

    @property
    def plan(self) -> LinePlan | None:
        """What it does and says; None until its first text."""
        ...

    @property
    def interrupted(self) -> bool:
        """Whether somebody cut in."""
        ...

    def take(self) -> str:
        """New text since the last call."""
        ...


class SpokenRound(Protocol):
    """What is answered to one utterance among several (`astraweave.world.Round`)."""

    @property
    def replies(self) -> Sequence[SpokenLine]:
        """In the order of speaking; more may come."""
        ...

    @property
    def done(self) -> bool:
        """Whether all have spoken."""
        ...


class Speaker(Protocol):
    """A character (`astraweave.Npc`)."""

    @property
    def history(self) -> Sequence[Turn]:
        """Its latest turns."""
        ...

    @property
    def memory_count(self) -> int:
        """How many memories it has."""
        ...


@runtime_checkable
class Feeler(Protocol):
    """A character whose state of mind can be looked at."""

    @property
    def state(self) -> PersonaState:
        """How it feels and how it stands to others, as of now."""
        ...


@runtime_checkable
class Rememberer(Protocol):
    """A character whose memories can be looked at."""

    @property
    def memory_capacity(self) -> int:
        """How many it may have."""
        ...

    @property
    def strongest_memories(self) -> tuple[int, ...]:
        """Ids of those that stand out most."""
        ...


class Speakers(Protocol):
    """A world, as far as this room knows it (`astraweave.World`)."""

    def npc(self, npc_id: str) -> Speaker:
        """The character with this id."""
        ...

    def tick(self, budget_us: float = ...) -> object:
        """Deliver what is ready."""
        ...
