"""Everything that can happen to the minds of a world: the contract between live play and replay.

An event is plain data. Whatever a model, an embedder, a clock or a thread had a part in was decided
before, and stands in the event as its outcome; applying it (`astraweave.world.transitions.apply`)
asks nobody. So the state after an event is a function of the state before and the event, and
nothing else changes state.

Adding a kind: a struct here, in `AnyEvent`, and a branch in `apply`. Kinds and fields are never
renamed or given another meaning once released; new fields have defaults, so that older recordings
go on to replay. See ``docs/explanation/timeline.md``.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from astraweave.context import Turn
from astraweave.core.rng import RandomState
from astraweave.core.worldview import Entity, Fact
from astraweave.errors import CorruptDataError, FormatVersionError
from astraweave.persona import Outcome, Persona, PersonaState
from astraweave.rag.changes import MemoryChanges
from astraweave.rag.life_columns import Lived

__all__ = [
    "AnyEvent",
    "Began",
    "CharacterSet",
    "ClockMoved",
    "Event",
    "Felt",
    "GamePut",
    "LineCut",
    "LineSpoken",
    "MemoriesChanged",
    "MemoriesLived",
    "RoomPut",
    "ViewChanged",
    "decode_event",
    "encode_event",
]


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """Something that happened; see the kinds below."""


class Began(Event, frozen=True, kw_only=True, tag="began"):
    """A new world: the seed of all its random streams."""

    seed: int


class ClockMoved(Event, frozen=True, kw_only=True, tag="clock"):
    """Game time went on, or back; the first event of every tick in which anything else happened."""

    now: float


class CharacterSet(Event, frozen=True, kw_only=True, tag="character"):
    """A character was added, or became somebody else."""

    npc: str
    persona: Persona


class LineSpoken(Event, frozen=True, kw_only=True, tag="line"):
    """Something was said to a character, and it has answered, or was cut off.

    What it remembers of it follows as `MemoriesChanged`, what it felt as `Felt`.

    Attributes
    ----------
    npc : str
        Who answered.
    turns : tuple of Turn
        What was heard and, unless nothing was, what was said.
    recalled : tuple of int
        Ids of the memories that the words rest on; what it did to them follows as
        `MemoriesLived`.
    random : tuple or None
        State of the character's random stream after the line.
    drawn : int
        Where there is none: how many numbers of 32 bits were drawn from the stream since the state
        before.
    """

    npc: str
    turns: tuple[Turn, ...]
    recalled: tuple[int, ...] = ()
    random: RandomState | None = None
    drawn: int = 0


class LineCut(Event, frozen=True, kw_only=True, tag="line_cut"):
    """A line that had ended was broken off before all of it was heard.

    Attributes
    ----------
    npc : str
        Whose it was: the last thing they said.
    text : str
        What was heard of it; empty: nothing, and there is no such turn.
    """

    npc: str
    text: str


class MemoriesChanged(Event, frozen=True, kw_only=True, tag="memories"):
    """Memories were written, told, superseded, strengthened, summed up or forgotten.

    Attributes
    ----------
    changes : MemoryChanges
        What has become of them.
    why : str
        ``"line"``, ``"told"``, ``"sweep"``, ``"consolidation"``, or another word of the room that
        decided it; changes nothing.
    at : float
        The game time that the decision went by: sweeps never read a clock of their own.
    """

    changes: MemoryChanges
    why: str = ""
    at: float = 0.0


class MemoriesLived(Event, frozen=True, kw_only=True, tag="lived"):
    """Memories came to mind and last longer now, or fade faster.

    Attributes
    ----------
    lived : tuple of (int, Lived)
        What has happened to each of them up to now, by id.
    why : str
        ``"recalled"``, or another word of the room that decided it; changes nothing.
    at : float
        The game time that the decision went by.
    """

    lived: tuple[tuple[int, Lived], ...]
    why: str = ""
    at: float = 0.0


class Felt(Event, frozen=True, kw_only=True, tag="felt"):
    """Something moved a character.

    Attributes
    ----------
    npc : str
        Whom.
    state : PersonaState
        Mood and relationships afterwards.
    outcome : Outcome or None
        What it was; None: time alone, or the game's own hand.
    """

    npc: str
    state: PersonaState
    outcome: Outcome | None = None


class ViewChanged(Event, frozen=True, kw_only=True, tag="view"):
    """The game told something new about itself.

    Attributes
    ----------
    version : int
        Of the view, afterwards.
    added : tuple of Entity
        New or replaced, in order.
    removed : tuple of str
        Ids of entities that are gone; what was stated about them goes in `retracted`.
    stated, retracted : tuple of Fact
        What has become true, and what is true no longer.
    """

    version: int
    added: tuple[Entity, ...] = ()
    removed: tuple[str, ...] = ()
    stated: tuple[Fact, ...] = ()
    retracted: tuple[Fact, ...] = ()


class GamePut(Event, frozen=True, kw_only=True, tag="game"):
    """The game has put something of its own beside the minds.

    Attributes
    ----------
    key : str
        The game's name for it.
    value : bytes or None
        MessagePack; None: it is deleted.
    """

    key: str
    value: bytes | None = None


class RoomPut(Event, frozen=True, kw_only=True, tag="room"):
    """A room has changed a state of its own: for whatever has no kind of its own yet.

    Attributes
    ----------
    room : str
        Which one ("dialogue", "group").
    key : str
        The room's name for it.
    value : bytes or None
        MessagePack; None: it is deleted.
    """

    room: str
    key: str
    value: bytes | None = None


AnyEvent: TypeAlias = (
    Began
    | ClockMoved
    | CharacterSet
    | LineSpoken
    | LineCut
    | MemoriesChanged
    | MemoriesLived
    | Felt
    | ViewChanged
    | GamePut
    | RoomPut
)

_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(AnyEvent)
_kind = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
_KINDS = frozenset(
    str(kind.__struct_config__.tag)
    for kind in (
        Began,
        ClockMoved,
        CharacterSet,
        LineSpoken,
        LineCut,
        MemoriesChanged,
        MemoriesLived,
        Felt,
        ViewChanged,
        GamePut,
        RoomPut,
    )
)


def encode_event(event: AnyEvent) -> bytes:
    """An event as MessagePack; equal events have equal bytes."""
    return _encoder.encode(event)


def decode_event(data: bytes) -> AnyEvent:
    """The event that `encode_event` wrote.

    Raises
    ------
    FormatVersionError
        A newer astraweave wrote it: no event of this kind is known.
    CorruptDataError
        It is no event.
    """
    try:
        event: AnyEvent = _decoder.decode(data)
    except msgspec.DecodeError as error:  # ValidationError is one of them
        kind = _kind_of(data)
        if kind and kind not in _KINDS:
            raise FormatVersionError(
                f"the recording holds an event of the kind {kind!r}, which this astraweave does "
                "not know: update the game",
                kind=kind,
            ) from error
        raise CorruptDataError(f"an event of the recording is damaged: {error}") from error
    return event


def _kind_of(data: bytes) -> str:
    try:
        return msgspec.msgpack.decode(_kind.decode(data)["kind"], type=str)
    except (msgspec.DecodeError, KeyError):
        return ""
