"""Everything that a world keeps: its slot, its states and its memories.

Confined to the runtime's second thread, which owns the database connection.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from astraweave.context import Turn
from astraweave.core.rng import RandomState, words_between
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
from astraweave.rag import GameCalendar, Memory, MemoryStore
from astraweave.serving import BreakerState, Road
from astraweave.world._history import record_since
from astraweave.world._vectors import RecentVectors
from astraweave.world.events import (
    AnyEvent,
    Began,
    ClockMoved,
    Felt,
    LineCut,
    LineSpoken,
    RoomPut,
    ViewChanged,
    decode_event,
    encode_event,
)
from astraweave.world.ledger import Ledger, encode_state
from astraweave.world.minds import Exchange
from astraweave.world.remembering import Bring, MemoryRules, Remembering, nowhere
from astraweave.world.replay import SessionRecord
from astraweave.world.routes import routed
from astraweave.world.savefile import SaveInfo
from astraweave.world.slot import Slot
from astraweave.world.transitions import (
    apply,
    entity_key,
    persona_key,
    random_state,
    room_key,
    stream_of,
    turn_prefix,
)

__all__ = ["Keeper", "SavedView", "SpokenLine", "stream_of"]

KEPT_TURNS = 200
"""Latest turns of a character that come back into memory with a save; older ones stay in it."""
_EMBEDDED_BY_SAVE = 32
"""Missing vectors that a save makes first: what was said just now shall be in it whole."""
_RANDOM = "random/"
_NPC = "npc/"
_MIND = "mind/"
_DIALOGUE = "dialogue"
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
    rules : MemoryRules
        How memories live.

    Attributes
    ----------
    embedder : RecentVectors
        The embedder, with the latest texts known by heart.
    hash : str
        Of the state at the end of the last tick.
    memories : Remembering
        What everybody remembers; another one after a load.
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
        rules: MemoryRules | None = None,
        calendar: GameCalendar | None = None,
    ) -> None:
        self.slot = slot
        self._rules = rules or MemoryRules()
        self._calendar = calendar
        self._bring: Bring = nowhere
        self._new_seed = seed
        self.embedder = RecentVectors(embedder)
        self._view = view
        self._telemetry = telemetry
        self._road: Road | None = None
        self._settle()

    def _settle(self) -> None:
        """Take up what the slot holds now."""
        slot = self.slot
        self._tick, self._now, self._events = 0, 0.0, 0
        self._since = slot.base
        self.memories = Remembering(
            slot,
            self.embedder,
            self._view,
            self._telemetry,
            rules=self._rules,
            calendar=self._calendar,
            happen=self.happen,
            now=self._game_time,
            bring=self._bring,
        )
        with self._telemetry.span("world.hash"):
            self.ledger = Ledger(
                routed(slot.state, self.memories.life, self.memories.novelty), self.memories.store
            )
        self.hash = self.ledger.hash
        self.last_tick = self.slot.state.get(_TICK, int) or 0
        self.minds = {
            key.removeprefix(_MIND): state for key, state in self.ledger.items(_MIND, PersonaState)
        }

    @property
    def store(self) -> MemoryStore:
        """Where the memories are."""
        return self.memories.store

    def bring_with(self, bring: Bring) -> None:
        """What idle hours find goes this way into ticks."""
        self._bring = self.memories.bring = bring

    @property
    def tended_every_s(self) -> float:
        """So often `due` wants to be called, in seconds of game time."""
        return self._rules.sweep_every_s

    def embed_one(self) -> bool:
        """See `Remembering.embed_one`."""
        return self.memories.embed_one()

    def tend(self) -> bool:
        """See `Remembering.tend`."""
        return self.memories.tend()

    def due(self, now: float) -> None:
        """See `Remembering.due`."""
        self.memories.due(now)

    def share(self, memory: Memory, to: str, by: str) -> None:
        """See `Remembering.share`."""
        self.memories.share(memory, to, by)

    def remember(
        self, memory: Memory, *, importance: float | None = None, why: str = "line"
    ) -> None:
        """See `Remembering.remember`."""
        self.memories.remember(memory, importance=importance, why=why)

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
        drawn = words_between(random_state(self.ledger, line.npc), line.random)
        self.happen(
            LineSpoken(
                npc=line.npc,
                turns=line.turns,
                recalled=line.recalled,
                random=line.random if drawn is None else None,
                drawn=drawn or 0,
            )
        )
        with self._failures_counted():
            self.memories.recall(line.recalled)
        heard: dict[str, Memory | None] = {}
        for memory in line.memories:
            with self._failures_counted():
                own = line.recalled if memory.speaker == line.npc else ()
                heard[memory.speaker] = self.memories.remember(memory, rests_on=own)
        for exchange in line.exchanges if felt else ():
            assert felt is not None, "there is somebody to ask"
            with self._failures_counted():
                if (kept := heard.get(exchange.speaker)) is not None:
                    exchange = msgspec.structs.replace(exchange, memory=kept.id)
                if (outcome := felt(exchange)) is not None:
                    self.feel(line.npc, outcome)

    def undergo(self, npc: str, outcome: Outcome) -> None:
        """Let something happen to a character: it remembers it, where there are words for it."""
        if outcome.text:
            seen = Memory(owner=npc, text=outcome.text, game_time=outcome.game_time)
            with self._failures_counted():
                memory = self.memories.remember(
                    seen, importance=0.3 + 0.6 * outcome.weight, why="happened"
                )
                if memory is not None:
                    outcome = msgspec.structs.replace(outcome, memory=memory.id)
        self.feel(npc, outcome)

    def cut_line(self, npc: str, whole: str, heard: str) -> None:
        """Shorten a line that had ended to what was heard of it, and the memory of it."""
        self.happen(LineCut(npc=npc, text=heard))
        self.memories.reword(npc, whole, heard)

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
            self.memories.end()
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

    def end(self) -> None:
        """Let go of what runs beside."""
        self.memories.end()

    def close(self, *, discard: bool = False) -> None:
        """Let go of the slot."""
        self.end()
        self.slot.close(discard=discard)

    def _game_time(self) -> float:
        return self._now

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
