"""What the components and the system need of a world, so that this room stands below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from astraweave.context import Turn
from astraweave.persona import PersonaState

__all__ = ["Feeler", "Speaker", "Speakers", "SpokenLine"]


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

    def take(self) -> str:
        """New text since the last call."""
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


class Speakers(Protocol):
    """A world, as far as this room knows it (`astraweave.World`)."""

    def npc(self, npc_id: str) -> Speaker:
        """The character with this id."""
        ...

    def tick(self, budget_us: float = ...) -> object:
        """Deliver what is ready."""
        ...
