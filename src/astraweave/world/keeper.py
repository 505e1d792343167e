"""Everything that a world keeps: its slot, its states and its memories.

Confined to the runtime's second thread, which owns the database connection.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import numpy as np

from astraweave.context import Turn
from astraweave.core.worldview import Entity, Fact, ViewChange, WorldView
from astraweave.embeddings import EmbeddingClient
from astraweave.errors import AstraweaveError, CorruptDataError, InputError
from astraweave.observability import Telemetry
from astraweave.persona import (
    Outcome,
    Persona,
    PersonaState,
    evolve_from_outcome,
    initial_state,
)
from astraweave.rag import (
    GameCalendar,
    Memory,
    MemoryChanges,
    MemoryLife,
    MemoryStore,
    NoveltyTable,
    RagPipeline,
    Retrieved,
)
from astraweave.serving import BreakerState, Road
from astraweave.world._history import record_since
from astraweave.world.events import (
    AnyEvent,
    Began,
    ClockMoved,
    Felt,
    LineCut,
    LineSpoken,
    MemoriesChanged,
    MemoriesLived,
    RandomState,
    RoomPut,
    ViewChanged,
    decode_event,
    encode_event,
)
from astraweave.world.ledger import Ledger, encode_state
from astraweave.world.minds import Exchange
from astraweave.world.replay import SessionRecord
from astraweave.world.routes import NOVELTY, routed
from astraweave.world.savefile import SaveInfo
from astraweave.world.slot import Slot
from astraweave.world.transitions import (
    apply,
    entity_key,
    life_key,
    persona_key,
    room_key,
    turn_prefix,
)

__all__ = ["Keeper", "SavedView", "SpokenLine", "stream_of"]

KEPT_TURNS = 200
"""Latest turns of a character that come back into memory with a save; older ones stay in it."""
_EMBEDDED_FIRST = 4
"""Latest memories of a character that get their vectors before it is asked, if they have none."""
_EMBEDDED_BY_SAVE = 32
"""Missing vectors that a save makes first: what was said just now shall be in it whole."""
_RANDOM = "random/"
_NPC = "npc/"
_MIND = "mind/"
_DIALOGUE = "dialogue"
_LATELY = 48
"""Latest memories of a character that a line may look through, whatever was said."""
_FACT = "fact/"
_BREAKERS = ".breakers"
_TICK = ".tick"


class SavedView(msgspec.Struct, frozen=True, kw_only=True):
    """What the game had told about itself."""

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
    recalled : tuple of int
        Ids of the memories that the words rest on.
    random : tuple
        State of the character's random stream after the line.
    exchanges : tuple of Exchange
        What was said to the character, and may have moved it.
    """

    npc: str
    turns: tuple[Turn, ...]
    memories: tuple[Memory, ...]
    recalled: tuple[int, ...] = ()
    random: RandomState
    exchanges: tuple[Exchange, ...] = ()


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
    seed : int
        Of a world that begins with this slot.

    Attributes
    ----------
    hash : str
        Of the state at the end of the last tick.
    minds : dict of str to PersonaState
        How characters feel to whom something has happened; replaced, never changed.
    last_tick : int
        The last one in which anything happened, when the slot was opened or loaded.
    """

    def __init__(
        self,
        slot: Slot,
        embedder: EmbeddingClient,
        view: WorldView,
        telemetry: Telemetry,
        *,
        seed: int = 0,
        calendar: GameCalendar | None = None,
    ) -> None:
        self.slot = slot
        self._new_seed = seed
        self._calendar = calendar
        self._embedder = embedder
        self._view = view
        self._telemetry = telemetry
        self._road: Road | None = None
        self._settle()

    def _settle(self) -> None:
        """Take up what the slot holds now."""
        slot = self.slot
        self._tick, self._now, self._events = 0, 0.0, 0
        self._since = slot.base
        self.store = MemoryStore(slot.connection, self._embedder, telemetry=self._telemetry)
        slot.attach(self.store)
        self.life = MemoryLife(slot.connection, self.store, telemetry=self._telemetry)
        novelty = NoveltyTable(slot.connection)
        slot.attach(self.life)
        slot.attach(novelty)
        self.rag = RagPipeline(
            self.store,
            self._embedder,
            world=self._view,
            life=self.life,
            novelty=novelty,
            calendar=self._calendar,
            telemetry=self._telemetry,
        )
        with self._telemetry.span("world.hash"):
            self._entries = routed(slot.state, self.life, novelty)
            self.ledger = Ledger(self._entries, self.store)
        self.hash = self.ledger.hash
        self.last_tick = self.slot.state.get(_TICK, int) or 0
        self.minds = {
            key.removeprefix(_MIND): state for key, state in self.ledger.items(_MIND, PersonaState)
        }
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

    # What a world reads when it opens.

    def seed(self) -> int | None:
        """Of the random streams; None in a new slot."""
        return self.ledger.get("seed", int)

    def now(self) -> float:
        """Game time."""
        return self.ledger.get("now", float) or 0.0

    def view(self) -> SavedView:
        """What the game had told about itself."""
        placed = [entity for _, entity in self.ledger.items(entity_key(""), tuple[int, Entity])]
        return SavedView(
            version=self.ledger.get("view", int) or 0,
            entities=tuple(entity for _, entity in sorted(placed, key=lambda each: each[0])),
            facts=tuple(
                Fact(*msgspec.json.decode(key.removeprefix(_FACT), type=tuple[str, str, str]))
                for key, _ in self.ledger.items(_FACT, bool)
            ),
        )

    def random(self) -> dict[str, object]:
        """States of the random streams, by name."""
        states = self.ledger.items(_RANDOM, object)
        return {key.removeprefix(_RANDOM): state for key, state in states}

    def personas(self) -> dict[str, Persona]:
        """Every character that was ever added, by id."""
        return {
            key.removeprefix(_NPC): persona for key, persona in self.ledger.items(_NPC, Persona)
        }

    def turns(self, npc: str) -> list[Turn]:
        """The latest turns of a character, oldest first."""
        turns = [
            msgspec.structs.replace(turn, tokens=0)  # the model may be another one by now
            for _, turn in self.ledger.items(turn_prefix(npc), Turn)
        ]
        return turns[-KEPT_TURNS:]

    # What happens.

    def begin(self, tick: int, now: float) -> None:
        """What happens from here on belongs to this tick, at this game time."""
        self._tick, self._now = tick, now

    def happen(self, event: AnyEvent) -> None:
        """Let something happen: the one way in which the state of the minds changes.

        Raises
        ------
        InputError
            It holds what cannot be written; nothing has changed then.
        """
        self.move_clock()
        self._apply(event)

    def _apply(self, event: AnyEvent) -> None:
        try:
            data = encode_event(event)
            written = decode_event(data)  # what a replay will see, to the last bit
        except (TypeError, ValueError, OverflowError, CorruptDataError) as error:
            kind = type(event).__name__
            raise InputError(f"this {kind} cannot be written down: {error}") from error
        self.ledger.touched.clear()
        apply(self.ledger, written)
        self.slot.recording.add(self._tick, data, self.ledger.touched)
        self._events += 1

    def move_clock(self) -> None:
        """Bring the game time up to the tick's; in a new world, let it begin."""
        if self.ledger.raw("seed") is None:
            self._apply(Began(seed=self._new_seed))
        if self._now != self.ledger.get("now", float):
            self._apply(ClockMoved(now=self._now))

    def mark(self) -> None:
        """End the tick: what happened in it is written, and survives the death of the process."""
        if self._mark():
            with self._failures_counted(), self._telemetry.span("world.commit"):
                self.slot.commit()

    def _mark(self) -> bool:
        if not self._events:
            return False
        self.hash = self.ledger.hash
        self.slot.recording.mark(self._tick, self._events, self.hash)
        self.slot.state.put(_TICK, self._tick)
        self._events = 0
        return True

    def keep_line(
        self, line: SpokenLine, felt: Callable[[Exchange], Outcome | None] | None = None
    ) -> None:
        """Write a line down, with everything that it changed; `felt` says what it was to whom.

        A memory that cannot be kept takes nothing else along.
        """
        self.happen(
            LineSpoken(npc=line.npc, turns=line.turns, recalled=line.recalled, random=line.random)
        )
        with self._failures_counted():
            self.recall(line.recalled)
        for memory in line.memories:
            with self._failures_counted():
                self.remember(memory)
        for exchange in line.exchanges if felt else ():
            assert felt is not None, "there is somebody to ask"
            with self._failures_counted():
                if (outcome := felt(exchange)) is not None:
                    self.feel(line.npc, outcome)

    def recall(self, ids: Sequence[int]) -> None:
        """Memories came to mind, at the game time of the tick: they last longer from now on."""
        self._let(partial(self.rag.recalled, ids, self._now), ids, why="recalled")

    def _let(
        self, action: Callable[[], object], ids: Sequence[int], *, owner: str = "", why: str
    ) -> None:
        """Let what a room does by itself happen: it is done, looked at, undone, and made an event.

        Parameters
        ----------
        action : callable
            Changes nothing but what has happened to memories, and what is new to somebody.
        ids, owner
            To which memories, and to whom.
        why : str
            See `MemoriesLived`.
        """
        new_to = room_key(NOVELTY, owner)
        keys = [life_key(memory_id) for memory_id in ids] + ([new_to] if owner else [])
        before = {key: self._entries.raw(key) for key in keys}
        action()
        lives = {life_key(memory_id): (memory_id, self.life.lived(memory_id)) for memory_id in ids}
        after = {key: value for key in keys if (value := self._entries.raw(key)) != before[key]}
        for key in after:
            self._entries.put_raw(key, before[key])
        lived = [(i, each) for key, (i, each) in lives.items() if key in after and each is not None]
        if lived:
            self.happen(MemoriesLived(lived=tuple(lived), why=why, at=self._now))
        if new_to in after:
            self.happen(RoomPut(room=NOVELTY, key=owner, value=after[new_to]))

    def cut_line(self, npc: str, whole: str, heard: str) -> None:
        """Shorten a line that had ended to what was heard of it, and the memory of it."""
        self.happen(LineCut(npc=npc, text=heard))
        for memory in reversed(self.store.for_owner(npc, last=8)):
            if memory.speaker == npc and memory.text == whole:
                changed = msgspec.structs.replace(memory, text=heard)
                changes = (
                    MemoryChanges(put=(changed,)) if heard else MemoryChanges(gone=(memory.id,))
                )
                self.happen(MemoriesChanged(changes=changes, why="cut", at=self._now))
                self.recount(npc)
                return

    def put_unsaid(self, npc: str, rest: str) -> None:
        """Keep what a character wanted to say when somebody cut in; empty: nothing any more."""
        self.happen(RoomPut(room=_DIALOGUE, key=npc, value=encode_state(rest) if rest else None))

    def unsaid(self, npc: str) -> str:
        """What a character wanted to say when somebody cut in."""
        return self.ledger.get(room_key(_DIALOGUE, npc), str) or ""

    def feel(self, npc: str, outcome: Outcome) -> None:
        """Let something move a character.

        Raises
        ------
        InputError
            No such outcome is known, or the weight is out of range; nothing has changed then.
        """
        persona = self.ledger.get(persona_key(npc), Persona)
        if persona is None:
            return
        before = self.mind(persona, outcome.game_time)
        after = evolve_from_outcome(persona, before, outcome)
        self.happen(Felt(npc=npc, state=after, outcome=outcome))
        self.minds[npc] = after

    def mind(self, persona: Persona, now: float) -> PersonaState:
        """How a character feels; from any thread."""
        return self.minds.get(persona.id) or initial_state(persona, now)

    def see(self, changes: Sequence[ViewChange]) -> None:
        """Let the changes of the game's view happen, one by one."""
        for change in changes:
            self.happen(
                ViewChanged(
                    version=change.version,
                    added=change.added,
                    removed=change.removed,
                    stated=change.stated,
                    retracted=change.retracted,
                )
            )

    def remember(
        self, memory: Memory, *, importance: float | None = None, why: str = "line"
    ) -> None:
        """Add a memory; its vector is made when nothing else waits, or when it is needed."""
        decision = self.rag.decide(memory, importance=importance)
        if decision.changes:
            self.happen(MemoriesChanged(changes=decision.changes, why=why, at=memory.game_time))
        replaced = [old for one in decision.written for old in one.superseded]
        self._let(
            partial(self.rag.writer.follow, decision),
            [*decision.told_again, *replaced],
            owner=memory.owner,
            why=why,
        )
        self._fresh[memory.owner].extend(one.memory for one in decision.written)
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

    def lately(self, owner: str) -> list[Memory]:
        """What a character has learned of late, newest first."""
        return self.store.for_owner(owner, last=_LATELY)[::-1]

    def overturned(self, told: Memory) -> list[Memory]:
        """What a character believes and what this, once it is told, makes so no longer."""
        written = self.rag.writer.decide(told, judged=bool(told.tags)).written
        ids = dict.fromkeys(old for one in written for old in one.superseded)
        return [memory for old in ids if (memory := self.store.get(old)) is not None]

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

    def flush(self) -> None:
        """Write everything new; it survives the death of the machine."""
        self._put_road()
        with self._telemetry.span("world.flush"):
            self.slot.flush()

    def save(self, note: Mapping[str, Any] | None, name: str = "") -> SaveInfo:
        """Put everything into the save, in one atomic step."""
        with self._failures_counted():
            for _ in range(_EMBEDDED_BY_SAVE):
                if not self.embed_one():
                    break
        self._put_road()
        with self._telemetry.span("world.save"):
            return self.slot.save(
                note,
                name=name,
                game_time=self.ledger.get("now", float) or 0.0,
                state_hash=self.hash,
            )

    def find(self, save: str) -> SaveInfo:
        """The save that answers to this; InputError where there is none."""
        there = self.slot.directory()
        if there is None:
            raise InputError("nothing was ever saved here", save=save)
        return there.find(save)

    def load(self, save: str) -> SaveInfo:
        """Go on from an older save; see `Slot.load`."""
        with self._telemetry.span("world.load"):
            info = self.slot.load(save)
            self._settle()
        return info

    def record(self, since: str | None) -> SessionRecord:
        """What happened since a save (None: since the world was opened or loaded)."""
        there = self.slot.directory()
        start = self._since
        if since is not None:
            start = "" if there is None or not since else there.find(since).id
        return record_since(
            there, self.slot.base, start, self.slot.recording.read(), required=since is not None
        )

    def wind_up(self) -> None:
        """Leave what no save has for ``open(recover=True)``; closing the slot commits it."""
        if self.slot.dirty or self._events:
            self.move_clock()
            self._mark()
            self._put_road()

    def close(self, *, discard: bool = False) -> None:
        """Let go of the slot."""
        self.slot.close(discard=discard)

    def _put_road(self) -> None:
        """Keep the breakers that have something to say: most saves have none."""
        if self._road is None:
            return
        breakers = self._road.export()
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
