"""What an argument of an action may be, read from its Python annotation.

Every slot is finite or bounded: an entity that is there, one of some words, a number between two
others, a text of a certain length, some of these, or nothing. So each has a JSON schema that admits
no more than the check does.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

import msgspec

from astraweave.core.text import sanitize
from astraweave.core.worldview import Entity, Fact, WorldSnapshot
from astraweave.errors import ConfigError, InputError
from astraweave.guard.refusal import Refused

__all__ = [
    "Between",
    "ChoiceSlot",
    "EntityRef",
    "FlagSlot",
    "Items",
    "ListSlot",
    "NumberSlot",
    "Slot",
    "SlotKind",
    "Text",
    "TextSlot",
    "read_slot",
]

Bound: TypeAlias = float | Callable[[WorldSnapshot, str], float]
"""A number, or what the world says it is now for this actor."""

_MAX_TEXT = 2000
_MAX_ITEMS = 64
_SAFE_INTEGER = 2**53


class EntityRef(msgspec.Struct, frozen=True):
    """Annotation: the argument is the id of an entity of the world.

    Parameters
    ----------
    kind : str
        Only this kind (``"person"``, ``"item"`` ...); empty: any.
    tag : str
        Only those of which the world says ``Fact(id, "is", tag)``; empty: any.
    """

    kind: str = ""
    tag: str = ""

    def fits(self, entity: Entity, world: WorldSnapshot) -> bool:
        """Whether it is of this kind and bears this tag."""
        return (not self.kind or entity.kind == self.kind) and (
            not self.tag or Fact(entity.id, "is", self.tag) in world.facts
        )

    def __str__(self) -> str:
        return " ".join(part for part in (self.tag, self.kind or "entity") if part)


class Between(msgspec.Struct, frozen=True):
    """Annotation: a number from `least` to `most`, both included.

    Either may be a callable of ``(world, actor)``: what a purse holds is known only now.
    """

    least: Bound
    most: Bound


class Text(msgspec.Struct, frozen=True):
    """Annotation: free text, cleaned as a player's would be, no longer than this."""

    max_chars: int = 200


class Items(msgspec.Struct, frozen=True):
    """Annotation: so many items in a list."""

    least: int = 0
    most: int = 8


class ChoiceSlot(msgspec.Struct, frozen=True):
    """One of some words or numbers."""

    options: tuple[str | int, ...]
    enum: Any = None


class NumberSlot(msgspec.Struct, frozen=True):
    """A number between two others."""

    least: Bound
    most: Bound
    integer: bool

    def bounds(self, world: WorldSnapshot, actor: str) -> tuple[float, float]:
        """Both ends, for this actor, now."""
        least, most = (
            end(world, actor) if callable(end) else end for end in (self.least, self.most)
        )
        return (math.ceil(least), math.floor(most)) if self.integer else (least, most)


class FlagSlot(msgspec.Struct, frozen=True):
    """True or false."""


class TextSlot(msgspec.Struct, frozen=True):
    """Free text of a certain length."""

    max_chars: int


class ListSlot(msgspec.Struct, frozen=True):
    """Several of one kind; entities and choices named twice count once."""

    item: SlotKind
    least: int
    most: int

    @property
    def unique(self) -> bool:
        """Whether naming one twice says nothing more."""
        return isinstance(self.item, EntityRef | ChoiceSlot)


SlotKind: TypeAlias = EntityRef | ChoiceSlot | NumberSlot | FlagSlot | TextSlot | ListSlot


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One argument of an action.

    Attributes
    ----------
    name : str
        As in the call.
    kind : SlotKind
        What it may be.
    required : bool
        Whether it must be given.
    nullable : bool
        Whether it may be ``None``.
    default : object
        What it is when it is not given.
    description : str
        For models and designers.
    """

    name: str
    kind: SlotKind
    required: bool = True
    nullable: bool = False
    default: Any = None
    description: str = ""

    def read(self, value: object, world: WorldSnapshot, actor: str) -> Any:
        """The value as the action gets it.

        Raises
        ------
        Refused
            It is of a wrong type, out of range, or an entity that is not there.
        """
        if value is None and self.nullable:
            return None
        return _read(self.kind, value, self.name, world, actor)

    @property
    def entity(self) -> EntityRef | None:
        """The entity it names, or its items name."""
        kind = self.kind.item if isinstance(self.kind, ListSlot) else self.kind
        return kind if isinstance(kind, EntityRef) else None


def _read(kind: SlotKind, value: object, name: str, world: WorldSnapshot, actor: str) -> Any:
    match kind:
        case EntityRef():
            return _read_entity(kind, value, name, world)
        case ChoiceSlot():
            if isinstance(value, Enum):
                value = value.value
            if type(value) not in (str, int) or value not in kind.options:
                known = ", ".join(map(str, kind.options[:12]))
                raise Refused(
                    "out_of_range", f"{name} is not one of its choices.", f"Say one of: {known}.",
                    argument=name,
                )  # fmt: skip
            return kind.enum(value) if kind.enum is not None else value
        case NumberSlot():
            return _read_number(kind, value, name, world, actor)
        case FlagSlot():
            if type(value) is not bool:
                raise _wrong(name, value, "true or false")
            return value
        case TextSlot():
            return _read_text(kind, value, name)
        case ListSlot():
            return _read_list(kind, value, name, world, actor)


def _read_entity(kind: EntityRef, value: object, name: str, world: WorldSnapshot) -> str:
    if not isinstance(value, str):
        raise _wrong(name, value, "the id of an entity")
    entity = world.entities.get(value)
    if entity is None:
        raise Refused(
            "unknown_entity", f"{name} names nothing that is there.",
            f"Name the id of a {kind} that exists.", argument=name,
        )  # fmt: skip
    if not kind.fits(entity, world):
        raise Refused(
            "wrong_entity", f"{name} must be a {kind}, and {value} is none.", argument=name
        )
    return entity.id


def _read_number(
    kind: NumberSlot, value: object, name: str, world: WorldSnapshot, actor: str
) -> float:
    if type(value) is not int and type(value) is not float:
        raise _wrong(name, value, "a number")
    if not math.isfinite(value) or abs(value) > _SAFE_INTEGER:
        raise Refused("out_of_range", f"{name} is no number that counts anything.", argument=name)
    if kind.integer:
        if value != int(value):
            raise _wrong(name, value, "a whole number")
        value = int(value)
    least, most = kind.bounds(world, actor)
    if not least <= value <= most:
        says = f"Say a number from {least:g} to {most:g}." if least <= most else ""
        raise Refused("out_of_range", f"{name} is out of range.", says, argument=name)
    return value if kind.integer else float(value)


def _read_text(kind: TextSlot, value: object, name: str) -> str:
    if not isinstance(value, str):
        raise _wrong(name, value, "text")
    if len(value) > kind.max_chars:
        raise Refused(
            "out_of_range", f"{name} is longer than {kind.max_chars} characters.",
            "Say it in fewer words.", argument=name,
        )  # fmt: skip
    try:
        return sanitize(value, max_chars=kind.max_chars).text
    except InputError:  # nothing is left of it
        return ""


def _read_list(
    kind: ListSlot, value: object, name: str, world: WorldSnapshot, actor: str
) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(name, value, "a list")
    if not kind.least <= len(value) <= kind.most:
        raise Refused(
            "out_of_range", f"{name} has {len(value)} items.",
            f"Name {kind.least} to {kind.most}.", argument=name,
        )  # fmt: skip
    items = tuple(_read(kind.item, item, name, world, actor) for item in value)
    if kind.unique:
        items = tuple(dict.fromkeys(items))
        if len(items) < kind.least:
            raise Refused("out_of_range", f"{name} names something twice.", argument=name)
    return items


def _wrong(name: str, value: object, what: str) -> Refused:
    given = "nothing" if value is None else f"a {type(value).__name__}"
    return Refused("wrong_type", f"{name} must be {what}, not {given}.", argument=name)


# -- reading annotations ------------------------------------------------------------------------


def read_slot(name: str, annotation: object, where: str, **options: Any) -> Slot:
    """The slot that an annotation describes.

    Raises
    ------
    ConfigError
        The annotation says nothing that can be checked: an unbounded number, a bare ``str``.
    """
    annotation, nullable, notes = _unwrapped(annotation)
    description = next((note for note in notes if isinstance(note, str)), "")
    kind = _kind(annotation, notes, f"{where}: the argument {name!r}")
    return Slot(name=name, kind=kind, nullable=nullable, description=description, **options)


def _unwrapped(annotation: object) -> tuple[object, bool, tuple[object, ...]]:
    """The bare type, whether it may be None, and what `Annotated` says of it."""
    notes: tuple[object, ...] = ()
    nullable = False
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *found = get_args(annotation)
            notes += tuple(found)
        elif get_origin(annotation) in (Union, types.UnionType):
            kinds = [kind for kind in get_args(annotation) if kind is not types.NoneType]
            if len(kinds) != 1 or len(get_args(annotation)) != 2:
                return annotation, nullable, notes
            annotation, nullable = kinds[0], True
        else:
            return annotation, nullable, notes


def _kind(annotation: object, notes: Sequence[object], where: str) -> SlotKind:
    for note in notes:
        if isinstance(note, EntityRef):
            if annotation is str:
                return note
            raise ConfigError(f"{where} names an entity, so it must be a str")
    if annotation is bool:
        return FlagSlot()
    if annotation in (int, float):
        return _number(annotation is int, notes, where)
    if annotation is str:
        return _text(notes, where)
    if get_origin(annotation) is Literal:
        options = get_args(annotation)
        if all(type(option) in (str, int) for option in options):
            return ChoiceSlot(options)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        values = tuple(member.value for member in annotation)
        if values and all(type(value) in (str, int) for value in values):
            return ChoiceSlot(values, annotation)
    if get_origin(annotation) in (list, tuple, Sequence):
        return _list(get_args(annotation), notes, where)
    raise ConfigError(
        f"{where} has a type that no grammar can hold: {annotation!r}. Use EntityRef, Literal, an"
        " Enum of texts, Between, Text, bool, a list of these, or one of these | None"
    )


def _number(integer: bool, notes: Sequence[object], where: str) -> NumberSlot:
    for note in notes:
        if isinstance(note, Between):
            return NumberSlot(note.least, note.most, integer)
        if isinstance(note, msgspec.Meta) and note.ge is not None and note.le is not None:
            return NumberSlot(note.ge, note.le, integer)
    raise ConfigError(f"{where} is a number without bounds: Annotated[..., Between(least, most)]")


def _text(notes: Sequence[object], where: str) -> TextSlot:
    for note in notes:
        limit = (
            note.max_chars if isinstance(note, Text)
            else note.max_length if isinstance(note, msgspec.Meta) else None
        )  # fmt: skip
        if limit is not None:
            if not 1 <= limit <= _MAX_TEXT:
                raise ConfigError(f"{where} must be 1 to {_MAX_TEXT} characters long, not {limit}")
            return TextSlot(limit)
    raise ConfigError(f"{where} is a text without a limit: Annotated[str, Text(max_chars=200)]")


def _list(inner: tuple[Any, ...], notes: Sequence[object], where: str) -> ListSlot:
    inner = tuple(kind for kind in inner if kind is not ...)
    if len(inner) != 1:
        raise ConfigError(f"{where} must be a list of one type")
    bounds = Items()
    for note in notes:
        if isinstance(note, Items):
            bounds = note
        elif isinstance(note, msgspec.Meta) and note.max_length is not None:
            bounds = Items(note.min_length or 0, note.max_length)
    if not 0 <= bounds.least <= bounds.most <= _MAX_ITEMS:
        raise ConfigError(f"{where} must have 0 to {_MAX_ITEMS} items, the least first")
    item, nullable, inner_notes = _unwrapped(inner[0])
    kind = _kind(item, inner_notes, where)
    if nullable or isinstance(kind, ListSlot):
        raise ConfigError(f"{where} is a list of lists or of nothing")
    return ListSlot(kind, bounds.least, bounds.most)
