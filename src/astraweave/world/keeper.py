"""Everything that a world keeps: its slot, its states and its memories.

Confined to the runtime's second thread, which owns the database connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from astraweave.context import Turn
from astraweave.core.worldview import Entity, Fact, WorldView
from astraweave.embeddings import EmbeddingClient
from astraweave.observability import Telemetry
from astraweave.persona import Persona
from astraweave.rag import Memory, MemoryStore, RagPipeline
from astraweave.world.savefile import SaveInfo
from astraweave.world.slot import Slot

__all__ = ["Keeper", "SavedWorld"]

KEPT_TURNS = 200
"""Latest turns of a character that come back into memory with a save; older ones stay in it."""


class SavedWorld(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the world itself."""

    seed: int
    now: float
    view_version: int
    entities: tuple[Entity, ...]
    facts: tuple[Fact, ...]
    random: dict[str, Any]


class Keeper:
    """Reads and writes one open slot.

    Parameters
    ----------
    slot : Slot
        Opened on this thread.
    embedder : EmbeddingClient
        For the memories.
    view : WorldView
        Whose names link memories to entities.
    telemetry : Telemetry
        Where times go.
    """

    def __init__(
        self, slot: Slot, embedder: EmbeddingClient, view: WorldView, telemetry: Telemetry
    ) -> None:
        self.slot = slot
        self.store = MemoryStore(slot.connection, embedder, telemetry=telemetry)
        slot.attach(self.store)
        self.rag = RagPipeline(self.store, embedder, world=view, telemetry=telemetry)
        self._telemetry = telemetry
        self._turns: dict[str, int] = {}
        self._memories = {owner: self.store.count(owner) for owner in self.store.owners()}

    def world(self) -> SavedWorld | None:
        """The world's own state; None in a new slot."""
        return self.slot.state.get("world", SavedWorld)

    def personas(self) -> dict[str, Persona]:
        """Every character that was ever added, by id."""
        return {key[4:]: persona for key, persona in self.slot.state.items("npc/", Persona)}

    def turns(self, npc: str) -> list[Turn]:
        """The latest turns of a character, oldest first."""
        turns = [
            msgspec.structs.replace(turn, tokens=0)  # the model may be another one by now
            for _, turn in self.slot.state.items(f"turn/{npc}/", Turn)
        ]
        self._turns[npc] = len(turns)
        return turns[-KEPT_TURNS:]

    def keep_persona(self, npc: str, persona: Persona) -> None:
        """Write a character down."""
        self.slot.state.put(f"npc/{npc}", persona)

    def keep_turns(self, npc: str, turns: tuple[Turn, ...]) -> None:
        """Append turns to a character's conversations."""
        for turn in turns:
            number = self._turns.get(npc, 0)
            self.slot.state.put(f"turn/{npc}/{number:08d}", turn)
            self._turns[npc] = number + 1
        self.recount(npc)

    def remember(self, memory: Memory) -> None:
        """Add a memory that no conversation brought."""
        self.store.add(memory)
        self.recount(memory.owner)

    def recount(self, npc: str) -> None:
        """Bring `memory_count` up to date."""
        self._memories[npc] = self.store.count(npc)

    def memory_count(self, npc: str) -> int:
        """How many memories a character has; from any thread."""
        return self._memories.get(npc, 0)

    def commit(self, world: SavedWorld) -> None:
        """Write everything new; it survives the death of the process."""
        self.slot.state.put("world", world)
        with self._telemetry.span("world.commit"):
            self.slot.commit()

    def flush(self, world: SavedWorld) -> None:
        """Write everything new; it survives the death of the machine."""
        self.slot.state.put("world", world)
        with self._telemetry.span("world.flush"):
            self.slot.flush()

    def save(self, world: SavedWorld, note: Mapping[str, Any] | None) -> SaveInfo:
        """Put everything into the save, in one atomic step."""
        self.slot.state.put("world", world)
        with self._telemetry.span("world.save"):
            return self.slot.save(note)

    def close(self, *, discard: bool = False) -> None:
        """Let go of the slot."""
        self.slot.close(discard=discard)
