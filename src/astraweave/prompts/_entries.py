"""Entries of a prompt library as they stand in TOML: read, checked, joined with their parents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import msgspec

from astraweave.core.toml import TomlText, did_you_mean
from astraweave.llm.protocol import Message
from astraweave.prompts.trust import TrustLevel, Untrusted

__all__ = ["Entry", "MessageSpec", "Place", "Variable", "read_entries", "resolve"]

_ENTRY_KEYS = ("description", "extends", "abstract", "variables", "sections", "messages")
_VARIABLE_KEYS = ("type", "default", "trust", "description")
_MESSAGE_KEYS = ("role", "template", "sections", "insert")
_ROLES = ("system", "user", "assistant")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str, Untrusted),
    "number": (int, float),
    "flag": (bool,),
    "list": (list, tuple),
    "table": (Mapping, msgspec.Struct),
    "messages": (list, tuple),
}


class Place(msgspec.Struct, frozen=True):
    """Where in which file something stands."""

    document: TomlText
    path: tuple[str | int, ...]

    def fail(self, message: str, **details: object) -> NoReturn:
        """Raise a `ConfigError` that begins with file and line."""
        self.document.fail(message, *self.path, **details)


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A declared variable; without a default it must be given."""

    name: str
    type: str
    trust: TrustLevel
    place: Place
    required: bool = True
    default: Any = None

    def accepts(self, value: object) -> bool:
        """Whether the value has the declared type."""
        if isinstance(value, bool) and self.type != "flag":
            return False
        if not isinstance(value, _TYPES[self.type]):
            return False
        if self.type == "messages" and isinstance(value, Sequence):
            return all(isinstance(item, Message) for item in value)
        return True


class MessageSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One message of an entry: a role with sections, or messages put in from a variable."""

    place: Place
    role: str = ""
    sections: tuple[str, ...] = ()
    insert: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt, as it stands in one file or joined with its parents."""

    name: str
    place: Place
    extends: str = ""
    abstract: bool = False
    variables: Mapping[str, Variable]
    sections: Mapping[str, tuple[str, Place]]
    messages: tuple[MessageSpec, ...] = ()


def read_entries(document: TomlText) -> dict[str, Entry]:
    """The entries of one file, each checked by itself.

    Raises
    ------
    ConfigError
        An unknown key, a wrong type, a role that does not exist; names file, line, nearest name.
    """
    entries = {}
    for name, table in document.data.items():
        place = Place(document, (name,))
        if not isinstance(table, dict):
            place.fail(f"{name!r} must be a table of its own: [{name}]")
        entries[name] = _read_entry(name, table, place)
    return entries


def _read_entry(name: str, table: dict[str, Any], place: Place) -> Entry:
    document = place.document
    document.check_keys(table, _ENTRY_KEYS, name)
    for key, kind, what in (
        ("description", str, "a text"),
        ("extends", str, "the name of another prompt"),
        ("abstract", bool, "true or false"),
        ("variables", dict, "a table"),
        ("sections", dict, "a table of texts"),
        ("messages", list, "an array of tables"),
    ):
        if key in table and not isinstance(table[key], kind):
            document.fail(f"{key!r} must be {what}", name, key)
    sections: dict[str, tuple[str, Place]] = {}
    for section, text in table.get("sections", {}).items():
        where = Place(document, (name, "sections", section))
        if not isinstance(text, str):
            where.fail(f"the section {section!r} must be a text")
        sections[section] = (text, where)
    messages = tuple(
        _read_message(name, index, message, document, sections)
        for index, message in enumerate(table.get("messages", []))
    )
    return Entry(
        name=name,
        place=place,
        extends=table.get("extends", ""),
        abstract=table.get("abstract", False),
        variables={
            variable: _read_variable(variable, spec, Place(document, (name, "variables", variable)))
            for variable, spec in table.get("variables", {}).items()
        },
        sections=sections,
        messages=messages,
    )


def _read_variable(name: str, spec: object, place: Place) -> Variable:
    if not name.isidentifier():
        place.fail(f"{name!r} cannot be the name of a variable: letters, digits and _ only")
    if isinstance(spec, str):  # name = "text" is short for name = { type = "text" }
        spec = {"type": spec}
    if not isinstance(spec, dict):
        place.fail(f"the variable {name!r} must be a table or the name of a type")
    place.document.check_keys(spec, _VARIABLE_KEYS, *place.path)
    kind, trust = spec.get("type", "text"), spec.get("trust", TrustLevel.UNTRUSTED)
    if not isinstance(kind, str) or kind not in _TYPES:
        place.fail(f"the variable {name!r} has no type {kind!r}{did_you_mean(str(kind), _TYPES)}")
    if trust not in list(TrustLevel):
        place.fail(f"the variable {name!r} has no trust {trust!r}: say 'trusted' or 'untrusted'")
    variable = Variable(
        name=name,
        type=kind,
        trust=TrustLevel(trust),
        place=place,
        required="default" not in spec,
        default=spec.get("default"),
    )
    if not variable.required and not variable.accepts(variable.default):
        place.fail(f"the default of the variable {name!r} is not of type {kind!r}")
    return variable


def _read_message(
    entry: str,
    index: int,
    table: object,
    document: TomlText,
    sections: dict[str, tuple[str, Place]],
) -> MessageSpec:
    place = Place(document, (entry, "messages", index))
    if not isinstance(table, dict):
        place.fail("a message must be a table")
    document.check_keys(table, _MESSAGE_KEYS, *place.path)
    bodies = [key for key in ("template", "sections", "insert") if key in table]
    if len(bodies) != 1:
        place.fail("a message needs one of 'template', 'sections' and 'insert'")
    (body,) = bodies
    if body == "insert":
        if "role" in table:
            place.fail("a message with 'insert' has no role of its own: each inserted one has")
        if not isinstance(table["insert"], str):
            place.fail("'insert' must be the name of a variable")
        return MessageSpec(place=place, insert=table["insert"])
    role = table.get("role")
    if role not in _ROLES:
        place.fail(f"there is no role {role!r}{did_you_mean(str(role), _ROLES)}")
    if body == "template":
        if not isinstance(table["template"], str):
            place.fail("'template' must be a text")
        name = f"messages[{index}]"
        where = Place(document, (*place.path, "template"))
        sections[name] = (table["template"], where)
        return MessageSpec(place=place, role=str(role), sections=(name,))
    names = table["sections"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        place.fail("'sections' must be a list of names")
    return MessageSpec(place=place, role=str(role), sections=tuple(names))


def resolve(layers: list[dict[str, Entry]]) -> dict[str, Entry]:
    """Every visible entry, joined with its parents; later layers hide earlier ones.

    An entry may extend the entry of its own name in an earlier layer.

    Raises
    ------
    ConfigError
        A parent is missing, or entries extend each other in a circle.
    """
    visible: dict[str, Entry] = {}
    for depth, layer in enumerate(layers):
        for name in layer:
            visible[name] = _joined(name, depth, layers, ())
    return visible


def _joined(
    name: str, depth: int, layers: list[dict[str, Entry]], trail: tuple[tuple[int, str], ...]
) -> Entry:
    entry = layers[depth][name]
    if (depth, name) in trail:
        circle = " -> ".join([*(step for _, step in trail), name])
        entry.place.fail(f"prompts extend each other in a circle: {circle}", name=name)
    if not entry.extends:
        return entry
    top = depth - 1 if entry.extends == name else depth
    found = next((d for d in range(top, -1, -1) if entry.extends in layers[d]), None)
    if found is None:
        names = {n for layer in layers[: depth + 1] for n in layer} - {name}
        hint = did_you_mean(entry.extends, names)
        where = Place(entry.place.document, (name, "extends"))
        where.fail(f"there is no prompt {entry.extends!r} to extend{hint}", parent=entry.extends)
    parent = _joined(entry.extends, found, layers, (*trail, (depth, name)))
    return Entry(
        name=name,
        place=entry.place,
        abstract=entry.abstract,
        variables={**parent.variables, **entry.variables},
        # A message's own template goes with its message.
        sections={**_kept(parent, entry), **entry.sections},
        messages=entry.messages or parent.messages,
    )


def _kept(parent: Entry, child: Entry) -> dict[str, tuple[str, Place]]:
    if not child.messages:
        return dict(parent.sections)
    return {
        name: text for name, text in parent.sections.items() if not name.startswith("messages[")
    }
