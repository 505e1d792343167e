"""A constraint as a grammar for llguidance, once it is seen to be of a size that does no harm.

llguidance reads grammars by recursion and in native code: one that nests too deeply would end the
process, and a short regular expression can stand for millions of characters. Such are refused here,
before it sees them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import msgspec

from astraweave.errors import InputError
from astraweave.llm.protocol import Choice, Constraint, JsonSchema, Lark, Regex

__all__ = ["GrammarLimits", "encoded", "source"]

_COUNTED = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_DEFINITION = re.compile(r"^\s*[?!]?[A-Za-z_][\w.-]*(?:\[[^\]\n]*\])?\s*:", re.MULTILINE)
_BLANKS = r"[\x20\x0A\x0D\x09]{1,40}"
"""Between the parts of a JSON text that is not compact. Without a bound a model that likes blanks
would write nothing else."""


class GrammarLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large a constraint may be.

    Attributes
    ----------
    size : int
        Bytes of the whole constraint, written as JSON.
    options : int
        Of a choice.
    depth : int
        Nesting of a schema, in JSON; brackets in a Lark grammar.
    reach : int
        Nesting of a schema and of all definitions that it refers to, added up.
    definitions : int
        Rules and terminals of a Lark grammar.
    repeats : int
        Characters that a regular expression stands for when its counted repetitions are written
        out.
    forced_bytes : int
        Text that an answer may have to begin with.
    cached : int
        Compiled constraints that are kept.
    """

    size: int = 256 * 1024
    options: int = 10_000
    depth: int = 64
    reach: int = 400
    definitions: int = 400
    repeats: int = 20_000
    forced_bytes: int = 8 * 1024
    cached: int = 64


def encoded(constraint: Constraint, limits: GrammarLimits) -> bytes:
    """What a constraint says, byte for byte: equal bytes, equal constraint.

    Raises
    ------
    InputError
        It holds what is no JSON, or is too large.
    """
    if isinstance(constraint, JsonSchema):
        _check_shape(constraint.schema, limits)
    elif isinstance(constraint, Choice) and len(constraint.options) > limits.options:
        raise _too_large("the choice", len(constraint.options), limits.options, "options")
    try:
        key = msgspec.json.encode(constraint)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the constraint is not made of JSON values and text: {error}") from None
    if len(key) > limits.size:
        raise _too_large("the constraint", len(key), limits.size, "bytes")
    return key


def source(constraint: Constraint, limits: GrammarLimits, llguidance: Any) -> str:
    """The grammar, as llguidance reads it.

    Raises
    ------
    InputError
        The constraint cannot be compiled; the message says what in it.
    """
    match constraint:
        case JsonSchema(schema=schema, compact=compact):
            for pattern in _patterns(schema):
                _check_repeats(pattern, limits)
            return _of_schema(schema, compact, llguidance.LLMatcher)
        case Regex(pattern=pattern):
            _check_repeats(pattern, limits)
            digits = llguidance.regex_to_lark(pattern, "d")  # \d is 0 to 9, as in a JSON schema
            return str(llguidance.LLMatcher.grammar_from_lark(f"start: /{digits}/"))
        case Choice(options=options):
            return str(llguidance.LLMatcher.grammar_from_regex(_any_of(options)))
        case Lark(grammar=grammar):
            _check_lark(grammar, limits)
            return str(llguidance.LLMatcher.grammar_from_lark(grammar))
    raise InputError(f"{type(constraint).__name__} is no constraint")


def _of_schema(schema: dict[str, Any], compact: bool, matcher: Any) -> str:
    # Overrides, so that nothing within a schema can make llguidance lenient.
    blanks: dict[str, Any] = (
        {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
        if compact
        else {"whitespace_flexible": True, "whitespace_pattern": _BLANKS}
    )
    strict = {"lenient": False, "coerce_one_of": False}
    try:
        return str(matcher.grammar_from_json_schema(schema, overrides=blanks | strict))
    except ValueError as error:
        raise InputError(f"the JSON schema cannot be used: {error}") from None


def _any_of(options: tuple[str, ...]) -> str:
    if not options:
        raise InputError("a choice needs at least one option", options=())
    return "|".join(_literal(option) for option in dict.fromkeys(options))


def _literal(text: str) -> str:
    """A regular expression for one text; nothing in it is taken for an operator."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError("an option of the choice holds half a character (a lone surrogate)")
    return "".join(
        character if character.isascii() and character.isalnum() else f"\\x{{{ord(character):X}}}"
        for character in text
    )


# -- what a schema is made of --


def _check_shape(schema: object, limits: GrammarLimits) -> None:
    """Refuse a schema that nests too deeply, by itself or through its references."""
    if not isinstance(schema, dict):
        raise InputError(f"a JSON schema is an object, not {type(schema).__name__}")
    targets: dict[str, object] = {}
    for node in _nodes(schema, limits.depth):
        reference = node.get("$ref")
        if isinstance(reference, str):
            targets.setdefault(reference, _resolved(schema, reference))
    reach = _depth(schema, limits.depth) + sum(
        _depth(target, limits.depth) for target in targets.values()
    )
    if reach > limits.reach:
        raise _too_large(
            "the JSON schema with all definitions that it refers to", reach, limits.reach, "levels"
        )


def _nodes(schema: object, limit: int) -> Iterator[dict[Any, Any]]:
    """All objects in a JSON value; refuses one that nests more deeply than `limit`."""
    pending: list[tuple[object, int]] = [(schema, 1)]
    while pending:
        value, depth = pending.pop()
        if isinstance(value, dict | list | tuple):
            if depth > limit:
                raise _too_large("the JSON schema", None, limit, "levels")
            if isinstance(value, dict):
                yield value
            inner = value.values() if isinstance(value, dict) else value
            pending += [(item, depth + 1) for item in inner]


def _depth(value: object, limit: int) -> int:
    """Levels of a JSON value that is known to have no more than `limit`."""
    level, depth = _within([value]), 0
    while level and depth <= limit:
        level, depth = _within(inner for item in level for inner in item), depth + 1
    return depth


def _within(values: Iterable[object]) -> list[Collection[object]]:
    """Those of some values that hold others, as these."""
    return [
        value.values() if isinstance(value, dict) else value
        for value in values
        if isinstance(value, dict | list | tuple)
    ]


def _resolved(schema: dict[str, Any], reference: str) -> object:
    """What a reference within the schema points to; the whole, where that is not plain to see."""
    value: Any = schema
    if reference == "#":
        return schema
    for step in reference.removeprefix("#/").split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(value, dict) or name not in value:
            return schema
        value = value[name]
    return value


def _patterns(schema: dict[str, Any]) -> Iterator[str]:
    for node in _nodes(schema, 1 << 30):
        pattern, by_name = node.get("pattern"), node.get("patternProperties")
        if isinstance(pattern, str):
            yield pattern
        if isinstance(by_name, dict):
            yield from by_name


# -- what a regular expression and a Lark grammar stand for --


def _check_repeats(pattern: str, limits: GrammarLimits) -> None:
    """Refuse counted repetitions within one another that multiply to more than anyone means."""
    sizes, last, at = [0], 0, 0
    while at < len(pattern):
        character = pattern[at]
        if character == "(":
            sizes.append(0)
            last, at = 0, at + 1
        elif character == ")" and len(sizes) > 1:
            last, at = sizes.pop(), at + 1
            sizes[-1] += last
        elif character == "{" and (counted := _COUNTED.match(pattern, at)):
            times = max(int(number) for number in counted.groups() if number)
            sizes[-1] += last * (times - 1)
            last, at = last * times, counted.end()
        elif character in "*+?|":
            at += 1
        else:
            last, at = 1, _after_atom(pattern, at)
            sizes[-1] += 1
        if sizes[-1] > limits.repeats:
            raise _too_large(
                f"the regular expression {_shown(pattern)}, written out,",
                sizes[-1],
                limits.repeats,
                "characters",
            )


def _after_atom(pattern: str, at: int) -> int:
    if pattern[at] == "\\":
        return at + 2
    if pattern[at] != "[":
        return at + 1
    at += 1
    depth = 1
    while at < len(pattern) and depth:
        depth += {"[": 1, "]": -1}.get(pattern[at], 0)
        at += 2 if pattern[at] == "\\" else 1
    return at


def _check_lark(grammar: str, limits: GrammarLimits) -> None:
    definitions = len(_DEFINITION.findall(grammar))
    if definitions > limits.definitions:
        raise _too_large("the grammar", definitions, limits.definitions, "rules and terminals")
    depth = 0
    for character in grammar:
        depth = max(0, depth + (character in "([{") - (character in ")]}"))
        if depth > limits.depth:
            raise _too_large("the grammar", None, limits.depth, "brackets within one another")


def _too_large(what: str, size: int | None, limit: int, unit: str) -> InputError:
    has = f"has {size} {unit}" if size is not None else f"has more {unit}"
    return InputError(f"{what} {has}; {limit} are allowed", size=size, limit=limit, unit=unit)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
