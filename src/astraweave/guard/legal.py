"""What an actor may do now, as a grammar, a JSON schema, tools or a section of a prompt.

`astraweave.guard._finding` finds it out; here it is put into the forms that hold a model to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar, cast

import msgspec

from astraweave.core.text import sanitize
from astraweave.core.worldview import WorldSnapshot
from astraweave.errors import GuardViolation, InputError
from astraweave.guard.actions import RESERVED, Action
from astraweave.guard.slots import Slot
from astraweave.llm.protocol import JsonSchema, Lark, Tool

__all__ = ["LegalAction", "LegalActions", "Schema", "Values"]

Schema: TypeAlias = dict[str, Any]
Values: TypeAlias = tuple[Any, ...]
_Made = TypeVar("_Made")
_MOST_NAMED = 12


class LegalAction(msgspec.Struct, frozen=True, kw_only=True):
    """One action and what each of its arguments may be now.

    Attributes
    ----------
    action : Action
        Which.
    schemas : dict
        JSON schema of each argument that can be given.
    values : dict
        The candidates of those that can be counted.
    needed : tuple of str
        Arguments that must be given.
    branches : tuple of dict
        Where only some combinations are legal: one schema of each argument concerned a branch.
    exact : bool
        Whether everything that the schema admits is legal.
    """

    action: Action
    schemas: dict[str, Schema]
    values: dict[str, Values]
    needed: tuple[str, ...]
    branches: tuple[dict[str, Schema], ...] = ({},)
    exact: bool = True


class LegalActions:
    """What one actor may do in one version of the world. Immutable; thread-safe.

    Attributes
    ----------
    actor : str
        Whose they are.
    version : int
        Of the world.
    actions : tuple of LegalAction
        In the registry's order.
    """

    __slots__ = ("_kept", "_world", "actions", "actor", "version")

    def __init__(self, actor: str, world: WorldSnapshot, actions: Iterable[LegalAction]) -> None:
        self.actor = actor
        self.version = world.version
        self.actions = tuple(actions)
        self._world = world
        self._kept: dict[object, Any] = {}

    def __len__(self) -> int:
        return len(self.actions)

    def __contains__(self, name: object) -> bool:
        return any(legal.action.name == name for legal in self.actions)

    @property
    def exact(self) -> bool:
        """Whether everything that the schema admits is legal now."""
        return all(legal.exact for legal in self.actions)

    def schema(self) -> Schema:
        """JSON schema of one call: ``{"action": "give", "item": "hammer", "to": "mira"}``.

        Raises
        ------
        GuardViolation
            Nothing is legal: there is no idle action, or it is not allowed.
        """
        return self._keep("schema", self._schema)

    def plan_schema(self, *, most: int = 5, least: int = 1) -> Schema:
        """JSON schema of a list of calls, each legal now; the guard asks again at each step.

        Raises
        ------
        GuardViolation
            Nothing is legal.
        InputError
            `most` is less than `least`, or `least` is negative.
        """
        if not 0 <= least <= most:
            raise InputError(f"a plan cannot have {least} to {most} steps", least=least, most=most)
        return {"type": "array", "items": self.schema(), "minItems": least, "maxItems": most}

    def constraint(self) -> JsonSchema:
        """Hold a model's answer to one legal call."""
        return self._keep("constraint", lambda: JsonSchema(schema=self.schema()))

    def plan_constraint(self, *, most: int = 5, least: int = 1) -> JsonSchema:
        """Hold a model's answer to a plan of legal calls."""
        return JsonSchema(schema=self.plan_schema(most=most, least=least))

    def lark(self) -> Lark:
        """The same as a grammar, whose rule ``call`` others can be built around."""
        text = msgspec.json.encode(self.schema()).decode()
        return Lark(grammar=f"start: call\ncall: %json {text}\n")

    def tools(self) -> tuple[Tool, ...]:
        """One tool an action, for servers that call tools."""

        def made() -> tuple[Tool, ...]:
            return tuple(
                Tool(
                    name=legal.action.name,
                    description=legal.action.description,
                    parameters=_any_of([_object(legal, branch) for branch in legal.branches]),
                )
                for legal in self.actions
            )

        return self._keep("tools", made)

    def prompt(self, *, most_named: int = _MOST_NAMED) -> str:
        """A section of a prompt that lists the actions, one a line.

        Parameters
        ----------
        most_named : int
            So many candidates of an argument are named; of more, how many they are.
        """
        return self._keep(
            ("prompt", most_named),
            lambda: "\n".join(self._line(legal, most_named) for legal in self.actions),
        )

    def _schema(self) -> Schema:
        if not self.actions:
            raise GuardViolation(
                f"{self.actor} may do nothing now, so no answer would be legal: give the registry"
                " an idle action",
                actor=self.actor,
            )
        branches = [
            _object(legal, branch, name=legal.action.name)
            for legal in self.actions
            for branch in legal.branches
        ]
        return _any_of(branches)

    def _line(self, legal: LegalAction, most: int) -> str:
        action = legal.action
        given = [slot for slot in action.slots if slot.name in legal.schemas]
        head = f"- {action.name}({', '.join(slot.name for slot in given)})"
        parts = [part for slot in given if (part := self._says(slot, legal, most))]
        return ": ".join(part for part in (head, action.description) if part) + (
            f" {'; '.join(parts)}." if parts else ""
        )

    def _says(self, slot: Slot, legal: LegalAction, most: int) -> str:
        values = legal.values.get(slot.name)
        about = f" ({slot.description})" if slot.description else ""
        if values is None:
            schema = legal.schemas[slot.name]
            if "minimum" in schema:
                return f"{slot.name}{about}: {schema['minimum']:g} to {schema['maximum']:g}"
            return f"{slot.name}{about}" if about else ""
        named = [self._name(value) for value in values[:most]]
        more = f" and {len(values) - most} more" if len(values) > most else ""
        return f"{slot.name}{about}: {', '.join(named)}{more}"

    def _name(self, value: object) -> str:
        entity = self._world.entities.get(value) if isinstance(value, str) else None
        if entity is None:
            return "nothing" if value is None else _plain(str(value))
        name, id_ = _plain(entity.name), _plain(entity.id)
        return id_ if name.casefold() == id_.casefold() else f"{id_} ({name})"

    def _keep(self, key: object, make: Callable[[], _Made]) -> _Made:
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = make()
        return cast("_Made", kept)


def _plain(text: str) -> str:
    """A name as it may stand in a prompt: a player may have chosen it."""
    try:
        return sanitize(text, max_chars=80).text
    except InputError:
        return "?"


def _object(legal: LegalAction, branch: Mapping[str, Schema], *, name: str = "") -> Schema:
    properties: Schema = {RESERVED: {"const": name}} if name else {}
    properties.update(legal.schemas)
    properties.update(branch)
    return {
        "type": "object",
        "properties": properties,
        "required": [*((RESERVED,) if name else ()), *legal.needed],
        "additionalProperties": False,
    }


def _any_of(branches: list[Schema]) -> Schema:
    return branches[0] if len(branches) == 1 else {"anyOf": branches}
