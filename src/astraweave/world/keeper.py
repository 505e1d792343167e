"""Everything that a world keeps: its slot, its states and its memories.

Confined to the runtime's second thread, which owns the database connection.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import msgspec
import numpy as np

from astraweave.context import Turn
from astraweave.core.worldview import Entity, Fact, WorldSnapshot, WorldView
from astraweave.embeddings import EmbeddingClient
from astraweave.errors import AstraweaveError
from astraweave.observability import Telemetry
from astraweave.persona import Persona
from astraweave.rag import Memory, MemoryLife, MemoryStore, NoveltyTable, RagPipeline, Retrieved
from astraweave.serving import BreakerState, Road
from astraweave.world.savefile import SaveInfo
from astraweave.world.slot import Slot

__all__ = ["Keeper", "SavedView", "SavedWorld", "SpokenLine", "stream_of"]

KEPT_TURNS = 200
"""Latest turns of a character that come back into memory with a save; older ones stay in it."""
_EMBEDDED_FIRST = 4
"""Latest memories of a character that get their vectors before it is asked, if they have none."""
_EMBEDDED_BY_SAVE = 32
"""Missing vectors that a save makes first: what was said just now shall be in it whole."""
_RANDOM = "random/"
_BREAKERS = "breakers"


class SavedWorld(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the world itself."""

    seed: int
    now: float


class SavedView(msgspec.Struct, frozen=True, kw_only=True):
    """What the game had told about itself; apart, as it is large and seldom changes."""

    version: int = 0
    entities: tuple[Entity, ...] = ()
    facts: tuple[Fact, ...] = ()


class SpokenLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that has ended: everything about it that is kept, in one piece.

    Attributes
    ----------
    npc : str
        Who spoke it.
    turns : tuple of Turn
        What was heard and, unless nothing was, what was said.
    memories : tuple of Memory
        The same as memories; only the words, and who to whom, are looked at.
    random : tuple
        State of the character's random stream after the line.
    world : SavedWorld
        As of the line's end.
    """

    npc: str
    turns: tuple[Turn, ...]
    memories: tuple[Memory, ...]
    random: tuple[object, ...]
    world: SavedWorld


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
        self.life = MemoryLife(slot.connection, self.store, telemetry=telemetry)
        novelty = NoveltyTable(slot.connection)
        slot.attach(self.life)
        slot.attach(novelty)
        self.rag = RagPipeline(
            self.store, embedder, world=view, life=self.life, novelty=novelty, telemetry=telemetry
        )
        self._embedder = embedder
        self._telemetry = telemetry
        self._turns: dict[str, int] = {}
        self._view_version = 0
        self._road: Road | None = None
        self._memories = {owner: self.store.count(owner) for owner in self.store.owners()}
        self._fresh: dict[str, deque[Memory]] = defaultdict(partial(deque, maxlen=_EMBEDDED_FIRST))
        for memory in self.store.pending():
            self._fresh[memory.owner].append(memory)

    def follow(self, road: Road) -> None:
        """Let a road go on from the save: models that were left alone are; from now on keep it."""
        saved = self.slot.state.get(_BREAKERS, dict[str, BreakerState])
        if saved is not None:
            road.restore(saved)
        self._road = road

    def world(self) -> SavedWorld | None:
        """The world's own state; None in a new slot."""
        return self.slot.state.get("world", SavedWorld)

    def view(self) -> SavedView:
        """What the game had told about itself."""
        view = self.slot.state.get("view", SavedView) or SavedView()
        self._view_version = view.version
        return view

    def random(self) -> dict[str, object]:
        """States of the random streams, by name."""
        states = self.slot.state.items(_RANDOM, object)
        return {key.removeprefix(_RANDOM): state for key, state in states}

    def personas(self) -> dict[str, Persona]:
        """Every character that was ever added, by id."""
        return {key[4:]: persona for key, persona in self.slot.state.items("npc/", Persona)}

    def turns(self, npc: str) -> list[Turn]:
        """The latest turns of a character, oldest first."""
        turns = [
            msgspec.structs.replace(turn, tokens=0)  # the model may be another one by now
            for _, turn in self.slot.state.items(_turn_key(npc), Turn)
        ]
        self._turns[npc] = len(turns)
        return turns[-KEPT_TURNS:]

    def keep_persona(self, npc: str, persona: Persona) -> None:
        """Write a character down."""
        self.slot.state.put(f"npc/{npc}", persona)

    def keep_line(self, line: SpokenLine) -> None:
        """Write a line down, as one with everything that it changed.

        What the disk refuses is written with the next commit; a memory that cannot be kept takes
        nothing else along.
        """
        for turn in line.turns:
            number = self._turns.get(line.npc, 0)
            self.slot.state.put(f"{_turn_key(line.npc)}{number:08d}", turn)
            self._turns[line.npc] = number + 1
        self.slot.state.put(f"{_RANDOM}{stream_of(line.npc)}", line.random)
        for memory in line.memories:
            with self._failures_counted():
                self.remember(memory)
        with self._failures_counted():
            self.commit(line.world)

    def remember(self, memory: Memory, *, importance: float | None = None) -> None:
        """Add a memory; its vector is made when nothing else waits, or when it is needed."""
        written = self.rag.remember_parts(
            memory.text,
            owner=memory.owner,
            speaker=memory.speaker,
            addressee=memory.addressee,
            game_time=memory.game_time,
            importance=importance,
            tags=memory.tags,
        )
        self._fresh[memory.owner].extend(one.memory for one in written)
        self.recount(memory.owner)

    def retrieve(
        self, query: str, *, owner: str, k: int, speaker: str | None = None, now: float
    ) -> list[Retrieved]:
        """What a character remembers; the latest memories among it, whatever still waits.

        An embedder that fails, which may be the game's own, is done without: words find much.
        """
        try:
            for memory in self._fresh.pop(owner, ()):
                vector = self._embedder.embed(memory.text)
                self.store.set_vectors([memory], vector[np.newaxis])
            return self.rag.retrieve(query, owner=owner, k=k, speaker=speaker, now=now)
        except Exception as error:  # noqa: BLE001 - counted; a second failure is not the embedder's
            self._telemetry.count(f"world.not_embedded.{type(error).__name__}")
        nothing = np.zeros(self._embedder.dimensions, np.float32)
        return self.rag.retrieve(query, owner=owner, k=k, speaker=speaker, now=now, vector=nothing)

    def embed_one(self) -> bool:
        """Make a vector that is missing; whether more are. For when nothing else waits.

        One by one, so that lines wait as little as possible, and so that no vector depends on what
        happened to be embedded along with it.
        """
        self.store.embed_pending(1)
        if more := bool(self.store.pending(1)):
            return more
        self._fresh.clear()
        return False

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

    def flush(self, world: SavedWorld, view: WorldSnapshot) -> None:
        """Write everything new; it survives the death of the machine."""
        self._put(world, view)
        with self._telemetry.span("world.flush"):
            self.slot.flush()

    def save(
        self, world: SavedWorld, view: WorldSnapshot, note: Mapping[str, Any] | None
    ) -> SaveInfo:
        """Put everything into the save, in one atomic step."""
        with self._failures_counted():
            for _ in range(_EMBEDDED_BY_SAVE):
                if not self.embed_one():
                    break
        self._put(world, view)
        with self._telemetry.span("world.save"):
            return self.slot.save(note)

    def wind_up(self, world: SavedWorld, view: WorldSnapshot) -> None:
        """Leave what no save has for ``open(recover=True)``; closing the slot commits it."""
        if self.slot.dirty or view.version != self._view_version:
            self._put(world, view)

    def close(self, *, discard: bool = False) -> None:
        """Let go of the slot."""
        self.slot.close(discard=discard)

    def _put(self, world: SavedWorld, view: WorldSnapshot) -> None:
        self.slot.state.put("world", world)
        if self._road is not None:
            self._put_breakers(self._road.export())
        if view.version != self._view_version:
            saved = SavedView(
                version=view.version,
                entities=tuple(view.entities.values()),
                facts=tuple(sorted(view.facts)),
            )
            self.slot.state.put("view", saved)
            self._view_version = view.version

    def _put_breakers(self, breakers: dict[str, BreakerState]) -> None:
        """Keep those that have something to say: most saves have none."""
        failed = {name: state for name, state in breakers.items() if state != BreakerState()}
        if failed:
            self.slot.state.put(_BREAKERS, failed)
        else:
            self.slot.state.delete(_BREAKERS)

    @contextlib.contextmanager
    def _failures_counted(self) -> Iterator[None]:
        try:
            yield
        except AstraweaveError as error:
            self._telemetry.count(f"world.unkept.{type(error).__name__}")


def stream_of(npc: str) -> str:
    """Name of a character's random stream."""
    return f"dialogue/{npc}"


def _turn_key(npc: str) -> str:
    # With its length, so that no id is the beginning of another one's keys.
    return f"turn/{len(npc)}:{npc}/"
