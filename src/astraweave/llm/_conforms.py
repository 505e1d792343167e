"""Whether a JSON value keeps to the plain part of a JSON schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["complaint"]

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (
        (isinstance(value, int) and not isinstance(value, bool))
        or (isinstance(value, float) and value.is_integer())
    ),
}


def complaint(value: Any, schema: Any, path: str = "the answer") -> str:
    """What is wrong with `value`; empty: nothing that is looked at here.

    Types, enums, constants, required and forbidden fields, items and the bounds of numbers, texts
    and lists: what a server that ignores a schema gets wrong. References, patterns and
    combinations are left to those who read the answer.

    Examples
    --------
    >>> schema = {"type": "object", "properties": {"gold": {"type": "integer"}}}
    >>> complaint({"gold": "ten"}, schema)
    "the answer.gold is not of type 'integer'"
    """
    if not isinstance(schema, dict):
        return "" if schema is not False else f"{path} is not allowed"
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_TYPES.get(kind, lambda _: True)(value) for kind in kinds):
        return f"{path} is not of type {' or '.join(map(repr, kinds))}"
    if "enum" in schema and not any(_same(value, each) for each in schema["enum"]):
        return f"{path} is none of the allowed values"
    if "const" in schema and not _same(value, schema["const"]):
        return f"{path} is not the one allowed value"
    if isinstance(value, dict):
        return _object(value, schema, path)
    if isinstance(value, list):
        return _array(value, schema, path)
    if isinstance(value, str):
        return _within(len(value), schema, "minLength", "maxLength", f"the length of {path}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _within(value, schema, "minimum", "maximum", path)
    return ""


def _object(value: dict[str, Any], schema: dict[str, Any], path: str) -> str:
    for name in schema.get("required", ()):
        if name not in value:
            return f"{path} lacks {name!r}"
    known = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    if schema.get("patternProperties"):
        others = True
    for name, field in value.items():
        shown = name if name in known else "an unknown field"
        if found := complaint(field, known.get(name, others), f"{path}.{shown}"):
            return found
    return ""


def _array(value: list[Any], schema: dict[str, Any], path: str) -> str:
    if found := _within(len(value), schema, "minItems", "maxItems", f"the length of {path}"):
        return found
    first = schema.get("prefixItems", [])
    for index, item in enumerate(value):
        of = first[index] if index < len(first) else schema.get("items", True)
        if found := complaint(item, of, f"{path}[{index}]"):
            return found
    return ""


def _within(value: float, schema: dict[str, Any], least: str, most: str, what: str) -> str:
    if value < schema.get(least, value) or value > schema.get(most, value):
        return f"{what} is out of bounds"
    return ""


def _same(a: Any, b: Any) -> bool:
    """Equal in JSON, where true is not 1."""
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)
