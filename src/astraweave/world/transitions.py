"""How events change the state of a world: the only way in which it changes.

Each branch is a function of the state before and the event, and of nothing else: no clock, no
model, no draw. The same code runs in play, where the entries lie in the world's database, and in a
replay, where they lie in dictionaries.
"""

from __future__ import annotations

from functools import singledispatch

import msgspec

from astraweave.context import Turn
from astraweave.core.rng import RandomState, advanced, first_state
from astraweave.world.events import (
    AnyEvent,
    Began,
    CharacterSet,
    ClockMoved,
    Felt,
    GamePut,
    LineCut,
    LineSpoken,
    MemoriesChanged,
    MemoriesLived,
    RoomPut,
    ViewChanged,
)
from astraweave.world.ledger import Ledger

__all__ = [
    "apply",
    "entity_key",
    "fact_key",
    "game_key",
    "life_key",
    "mind_key",
    "persona_key",
    "random_key",
    "random_state",
    "room_key",
    "stream_of",
    "turn_prefix",
]


def persona_key(npc: str) -> str:
    """Where a character's persona is."""
    return f"npc/{npc}"


def mind_key(npc: str) -> str:
    """Where a character's mood and relationships are."""
    return f"mind/{npc}"


def random_key(npc: str) -> str:
    """Where a character's random stream is."""
    return f"random/{stream_of(npc)}"


def stream_of(npc: str) -> str:
    """Name of a character's random stream."""
    return f"dialogue/{npc}"


def random_state(state: Ledger, npc: str) -> RandomState:
    """The state of a character's random stream."""
    kept: RandomState | None = state.get(random_key(npc), RandomState)  # type: ignore[arg-type]
    return kept or first_state(state.get("seed", int) or 0, stream_of(npc))


def turn_prefix(npc: str) -> str:
    """What the keys of a character's turns begin with; after it eight digits."""
    # With its length, so that no id is the beginning of another one's keys.
    return f"turn/{len(npc)}:{npc}/"


def entity_key(entity: str) -> str:
    """Where an entity of the game is, with its place in the order of adding."""
    return f"entity/{entity}"


def fact_key(subject: str, predicate: str, thing: str) -> str:
    """Where a fact of the game is; its value says nothing more."""
    return "fact/" + msgspec.json.encode((subject, predicate, thing)).decode()


def game_key(key: str) -> str:
    """Where something of the game's own is."""
    return f"game/{key}"


def room_key(room: str, key: str) -> str:
    """Where a state of a room's own is."""
    return f"room/{room}/{key}"


def life_key(memory_id: int | None = None) -> str:
    """Where what has happened to a memory is; without an id, what such keys begin with."""
    return "life/" if memory_id is None else f"life/{memory_id}"


def apply(state: Ledger, event: AnyEvent) -> None:
    """Change the state as an event says.

    Raises
    ------
    TypeError
        There is no branch for the kind: a defect of ours.
    """
    _apply(event, state)


@singledispatch
def _apply(event: object, state: Ledger) -> None:
    raise TypeError(f"nothing is known of what {type(event).__name__} changes")


@_apply.register
def _(event: Began, state: Ledger) -> None:
    state.put("seed", event.seed)


@_apply.register
def _(event: ClockMoved, state: Ledger) -> None:
    state.put("now", event.now)


@_apply.register
def _(event: CharacterSet, state: Ledger) -> None:
    state.put(persona_key(event.npc), event.persona)


@_apply.register
def _(event: LineSpoken, state: Ledger) -> None:
    counter = f"turns/{event.npc}"
    count = state.get(counter, int) or 0
    for place, turn in enumerate(event.turns, count):
        state.put(f"{turn_prefix(event.npc)}{place:08d}", _uncounted(turn))
    state.put(counter, count + len(event.turns))
    if event.random is not None:
        state.put(random_key(event.npc), event.random)
    elif event.drawn:
        state.put(random_key(event.npc), advanced(random_state(state, event.npc), event.drawn))


@_apply.register
def _(event: LineCut, state: Ledger) -> None:
    counter = f"turns/{event.npc}"
    last = (state.get(counter, int) or 0) - 1
    key = f"{turn_prefix(event.npc)}{last:08d}"
    turn = state.get(key, Turn) if last >= 0 else None
    if turn is None or turn.role != "assistant":
        return
    if event.text:
        state.put(key, msgspec.structs.replace(turn, text=event.text))
    else:
        state.put_raw(key, None)
        state.put(counter, last)


@_apply.register
def _(event: MemoriesChanged, state: Ledger) -> None:
    # Their lives first: with a memory its life is gone from the rooms that keep it.
    for gone in event.changes.gone:
        state.put_raw(life_key(gone), None)
    state.change_memories(event.changes)


@_apply.register
def _(event: MemoriesLived, state: Ledger) -> None:
    for memory_id, lived in event.lived:
        state.put(life_key(memory_id), lived)


@_apply.register
def _(event: Felt, state: Ledger) -> None:
    state.put(mind_key(event.npc), event.state)


@_apply.register
def _(event: ViewChanged, state: Ledger) -> None:
    for entity_id in event.removed:
        state.put_raw(entity_key(entity_id), None)
    placed = state.get("entities", int) or 0
    for entity in event.added:
        known = state.get(entity_key(entity.id), tuple[int, msgspec.Raw])
        place = placed if known is None else known[0]  # replaced: it keeps its place
        placed += known is None
        state.put(entity_key(entity.id), (place, entity))
    state.put("entities", placed)
    for fact in event.retracted:
        state.put_raw(fact_key(fact.subject, fact.predicate, fact.object), None)
    for fact in event.stated:
        state.put(fact_key(fact.subject, fact.predicate, fact.object), True)
    state.put("view", event.version)


@_apply.register
def _(event: GamePut, state: Ledger) -> None:
    state.put_raw(game_key(event.key), event.value)


@_apply.register
def _(event: RoomPut, state: Ledger) -> None:
    state.put_raw(room_key(event.room, event.key), event.value)


def _uncounted(turn: Turn) -> Turn:
    """A turn without its cost in tokens, which depends on the model."""
    return turn if not turn.tokens else msgspec.structs.replace(turn, tokens=0)
