"""Reading a call strictly: what a model, a server or a network wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn, TypeAlias

import msgspec

from astraweave.guard.actions import RESERVED, Action
from astraweave.guard.refusal import Refused
from astraweave.guard.registry import ActionRegistry
from astraweave.llm.protocol import ToolCall

__all__ = ["CallLike", "read_call", "read_json"]

CallLike: TypeAlias = str | bytes | ToolCall | msgspec.Struct | Mapping[str, Any]
"""JSON text, a server's tool call, an instance of an action's struct, or a mapping."""

_MAX_CHARS = 16_384
_MAX_DIGITS = 40


def read_json(text: str | bytes) -> Any:
    """One JSON value, and nothing that two readers could understand differently.

    Raises
    ------
    Refused
        It is no JSON, a key stands twice, a number is not finite or endlessly long, or it is
        longer than 16,384 characters.
    """
    if len(text) > _MAX_CHARS:
        _malformed(f"The call is longer than {_MAX_CHARS} characters.")
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        return json.loads(
            text,
            object_pairs_hook=_pairs,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_constant,
        )
    except UnicodeDecodeError:
        _malformed("The call is not UTF-8.")
    except json.JSONDecodeError as error:
        _malformed(f"The call is not JSON: {error.msg} at character {error.pos}.")
    except RecursionError:
        _malformed("The call is nested too deeply.")


def read_call(call: CallLike, registry: ActionRegistry) -> tuple[Action, dict[str, Any]]:
    """The action that is called, and its arguments as they were written.

    Raises
    ------
    Refused
        It is no call, or names an action or an argument that is not there.
    """
    if isinstance(call, ToolCall):
        action = _action(call.name, registry)
        written = read_json(call.arguments) if call.arguments.strip() else {}
        return action, _arguments(action, written)
    if isinstance(call, msgspec.Struct):
        for action in registry:
            if action.struct is type(call):
                return action, msgspec.structs.asdict(call)
        _malformed(f"No action is made from {type(call).__name__}.")
    if isinstance(call, str | bytes):
        call = read_json(call)
    if not isinstance(call, Mapping):
        _malformed("A call is an object that names its action.")
    written = dict(call)
    return (action := _action(written.pop(RESERVED, None), registry)), _arguments(action, written)


def _action(name: object, registry: ActionRegistry) -> Action:
    if not isinstance(name, str):
        _malformed("The call does not say which action it wants.")
    action = registry.get(name)
    if action is None:
        raise Refused("unknown_action", "There is no such action.", "Choose one that is listed.")
    return action


def _arguments(action: Action, written: object) -> dict[str, Any]:
    if not isinstance(written, Mapping):
        _malformed("The arguments of a call are an object.")
    names = {slot.name for slot in action.slots}
    for name in written:
        if name not in names:
            takes = ", ".join(sorted(names)) or "none"
            raise Refused(
                "unknown_argument", f"{action.name} has no such argument.", f"It takes: {takes}.",
                argument=str(name)[:80],
            )  # fmt: skip
    given = dict(written)
    for slot in action.slots:
        if slot.name not in given:
            if slot.required:
                raise Refused(
                    "missing_argument", f"{action.name} needs {slot.name}.", argument=slot.name
                )
            given[slot.name] = slot.default
    return given


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        _malformed("A key stands twice in the call.")
    return found


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        _malformed("A number is too long.")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value) or len(digits) > 8 * _MAX_DIGITS:
        _malformed("A number is not finite.")
    return value


def _constant(name: str) -> NoReturn:
    _malformed(f"{name} is no number.")


def _malformed(sentence: str) -> NoReturn:
    raise Refused("malformed", sentence, "Write one JSON object, each key once.")
