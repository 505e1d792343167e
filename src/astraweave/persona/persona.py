"""A persona and the TOML file that it is written in."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from astraweave.errors import ConfigError
from astraweave.persona.config import PersonaLlmConfig
from astraweave.persona.evolution import evolve_from_outcome, initial_state
from astraweave.persona.outcomes import OUTCOMES, Outcomes
from astraweave.persona.prompt import generate_prompt
from astraweave.persona.state import BigFive, Outcome, PersonaState, Relationship

__all__ = ["Example", "Persona"]

_MAX_FILE_BYTES = 1_000_000


class Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One exchange that shows how the character talks."""

    player: str
    character: str


class Persona(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who a character is. Immutable; thread-safe.

    Attributes
    ----------
    id : str
        Stable, unique in the world.
    name : str
        As it is spoken.
    role : str
        What the character is, after "Tam, ...": ``"the smith of Harrow"``.
    traits : tuple of str
        Adjectives.
    voice : str
        How the character talks, in a sentence or two; the language model reads it.
    patterns : str
        The voice of composed lines: ``"plain"``, ``"gruff"``, ``"courtly"``, ``"scholar"``,
        ``"streetwise"``, ``"soldier"``, ``"mystic"``, ``"merchant"``, ``"child"``, ``"elder"``,
        ``"cheerful"``, ``"melancholy"``, ``"sailor"``, or the path of a voice's TOML file.
    facts : tuple of str
        What the character knows about themselves, in plain sentences in the first person.
    goals : tuple of str
        What the character wants, likewise.
    lines : dict of str to tuple of str
        The character's own lines for an act (``greeting``, ``farewell``, ``smalltalk``...).
    examples : tuple of Example
        Exchanges that show the voice.
    temperament : BigFive
        How strongly things move it, and what mood it comes to rest in.
    taboos : tuple of str
        What it will not talk about, a word or two each ("the war", "my brother").
    language : str
        In which it speaks, as an IETF tag (``"en"``, ``"de"``).
    relationships : dict of str to Relationship
        How it stands to others before anything has happened, by their ids.

    Examples
    --------
    >>> Persona.builtin("tam").role
    'the smith of Harrow'
    """

    id: str
    name: str
    role: str = ""
    traits: tuple[str, ...] = ()
    voice: str = ""
    patterns: str = "plain"
    facts: tuple[str, ...] = ()
    goals: tuple[str, ...] = ()
    lines: dict[str, tuple[str, ...]] = {}
    examples: tuple[Example, ...] = ()
    temperament: BigFive = BigFive()
    taboos: tuple[str, ...] = ()
    language: str = "en"
    relationships: dict[str, Relationship] = {}

    def initial_state(self, now: float = 0.0) -> PersonaState:
        """Its state before anything has happened; see `astraweave.persona.initial_state`."""
        return initial_state(self, now)

    def evolve_from_outcome(
        self, state: PersonaState, outcome: Outcome, *, outcomes: Outcomes = OUTCOMES
    ) -> PersonaState:
        """Its state after something has happened; see `astraweave.persona.evolve_from_outcome`."""
        return evolve_from_outcome(self, state, outcome, outcomes=outcomes)

    def generate_prompt(
        self,
        state: PersonaState,
        *,
        speaker: str = "",
        now: float | None = None,
        config: PersonaLlmConfig | None = None,
        names: Mapping[str, str] = {},
    ) -> str:
        """Who it is, for a language model; see `astraweave.persona.generate_prompt`."""
        config = PersonaLlmConfig() if config is None else config
        return generate_prompt(self, state, speaker=speaker, now=now, config=config, names=names)

    @classmethod
    def load(cls, path: str | Path) -> Persona:
        """Read a persona from a TOML file.

        Raises
        ------
        ConfigError
            The file cannot be read, is no TOML, has an unknown key or a value of the wrong type;
            ``error.details`` has ``path``, ``line`` and, for a typo, ``nearest``.
        """
        path = Path(path)
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"the persona {path} cannot be read: {error.strerror or error}", path=str(path)
            ) from error
        if len(raw) > _MAX_FILE_BYTES:
            raise ConfigError(f"the persona {path} is larger than a megabyte", path=str(path))
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise ConfigError(
                f"{path}:{line}: not UTF-8; save the file as UTF-8", path=str(path), line=line
            ) from None
        return cls.from_toml(text, origin=str(path))

    @classmethod
    def from_toml(cls, text: str, *, origin: str = "<persona>") -> Persona:
        """Read a persona from TOML text; `origin` names it in errors (see `load`)."""
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"at line (\d+)", str(error))
            line = int(found[1]) if found else text.count("\n") + 1
            raise ConfigError(
                f"{origin}:{line}: not valid TOML: {error}", path=origin, line=line
            ) from None
        _check_keys(data, cls, text, origin, table="")
        if isinstance(temperament := data.get("temperament"), dict):
            _check_keys(temperament, BigFive, text, origin, table="temperament")
        for number, example in enumerate(_tables(data.get("examples"))):
            _check_keys(example, Example, text, origin, table="examples", number=number)
        try:
            persona = msgspec.convert(data, cls)
        except msgspec.ValidationError as error:
            raise _wrong_type(error, text, origin) from None
        _check_ranges(persona, text, origin)
        for field in ("id", "name"):
            if not getattr(persona, field).strip():
                line = _line_of(text, field)
                raise ConfigError(
                    f"{origin}:{line}: {field} must not be empty", path=origin, line=line, key=field
                )
        return persona

    @classmethod
    def builtin_names(cls) -> tuple[str, ...]:
        """The names of the personas that come with astraweave."""
        library = resources.files("astraweave.persona.library")
        names = (path.name for path in library.iterdir())
        return tuple(sorted(name[:-5] for name in names if name.endswith(".toml")))

    @classmethod
    def builtin(cls, name: str) -> Persona:
        """A persona that comes with astraweave.

        Raises
        ------
        ConfigError
            There is none of that name.
        """
        names = cls.builtin_names()
        if name not in names:
            raise ConfigError(
                f"there is no built-in persona {name!r}; there are: {', '.join(names)}",
                name=name,
                known=names,
            )
        library = resources.files("astraweave.persona.library")
        text = (library / f"{name}.toml").read_text(encoding="utf-8")
        return cls.from_toml(text, origin=f"{name}.toml")


def _tables(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _check_keys(
    data: dict[str, Any],
    kind: type[msgspec.Struct],
    text: str,
    origin: str,
    *,
    table: str,
    number: int = 0,
) -> None:
    known = [field.name for field in msgspec.structs.fields(kind)]
    for key in data:
        if key in known:
            continue
        line = _line_of(text, key, table=table, number=number)
        near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        raise ConfigError(
            f"{origin}:{line}: unknown key {key!r}; {hint}",
            path=origin,
            line=line,
            key=key,
            nearest=near[0] if near else None,
        )


def _check_ranges(persona: Persona, text: str, origin: str) -> None:
    """A temperament is of shares, a relationship of what its axes hold."""
    values = [
        (trait, value, 0.0) for trait, value in msgspec.structs.asdict(persona.temperament).items()
    ]
    for relationship in persona.relationships.values():
        for axis, value in msgspec.structs.asdict(relationship).items():
            values.append((axis, value, 0.0 if axis == "fear" else -1.0))
    for key, value, low in values:
        if not low <= value <= 1.0:
            line = _line_of_value(text, key, value)
            raise ConfigError(
                f"{origin}:{line}: {key!r} must be from {low:g} to 1, not {value}",
                path=origin,
                line=line,
                key=key,
            )


def _line_of_value(text: str, key: str, value: float) -> int:
    """The line on which a number that is out of range is given to a key."""
    for line, content in enumerate(text.splitlines(), start=1):
        for found in re.finditer(rf"\b{key}\s*=\s*([-+\w.]+)", content):
            try:
                given = float(found[1].replace("_", ""))
            except ValueError:
                continue
            if given == value or (given != given and value != value):
                return line
    return 1


def _wrong_type(error: msgspec.ValidationError, text: str, origin: str) -> ConfigError:
    reason, _, where = str(error).partition(" - at `")
    steps = re.findall(r"\.(\w+)|\[(\d+|\.\.\.)\]", where.rstrip("`"))
    keys = [name for name, _ in steps if name]
    number = next((int(n) for _, n in steps if n.isdigit()), 0)
    missing = re.search(r"missing required field `(\w+)`", reason)
    if not keys:
        line = 1
    elif keys[0] == "examples":
        line = _line_of(text, keys[-1], table="examples", number=number)
    else:
        line = _line_of(text, keys[-1])
    key = ".".join(keys + ([missing[1]] if missing else []))
    said = f"{key!r} is missing" if missing else f"{key!r}: {reason[:1].lower()}{reason[1:]}"
    return ConfigError(f"{origin}:{line}: {said}", path=origin, line=line, key=key)


def _line_of(text: str, key: str, *, table: str = "", number: int = 0) -> int:
    """The line, from 1, on which a key or the table of that name stands; 1 when it is not found."""
    pattern = re.compile(rf"^\s*(?:{re.escape(key)}|[\"']{re.escape(key)}[\"'])\s*[.=]")
    header = re.compile(r"^\s*\[{1,2}\s*([^\]]+?)\s*\]{1,2}")
    current, seen = "", -1
    fallback = 0
    for line, content in enumerate(text.splitlines(), start=1):
        if found := header.match(content):
            current = found[1]
            seen += current == table
            if not table and current.split(".")[0] == key:
                return line
            if table and current == table and seen == number:
                fallback = line
        elif pattern.match(content):
            if table and (current != table or seen != number):
                continue
            if not table and current and not fallback:
                fallback = line
                continue
            return line
    return fallback or 1
