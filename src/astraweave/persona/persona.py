"""A persona and the TOML file that it is written in."""

from __future__ import annotations

import difflib
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from astraweave.errors import ConfigError
from astraweave.persona.state import BigFive

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
        The set of composed lines: ``"plain"`` or ``"gruff"``.
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
        for number, example in enumerate(_tables(data.get("examples"))):
            _check_keys(example, Example, text, origin, table="examples", number=number)
        try:
            persona = msgspec.convert(data, cls)
        except msgspec.ValidationError as error:
            raise _wrong_type(error, text, origin) from None
        for field in ("id", "name"):
            if not getattr(persona, field).strip():
                line = _line_of(text, field)
                raise ConfigError(
                    f"{origin}:{line}: {field} must not be empty", path=origin, line=line, key=field
                )
        return persona

    @classmethod
    def builtin(cls, name: str) -> Persona:
        """A persona that comes with astraweave.

        Raises
        ------
        ConfigError
            There is none of that name.
        """
        library = resources.files("astraweave.persona.library")
        names = sorted(p.name[:-5] for p in library.iterdir() if p.name.endswith(".toml"))
        if name not in names:
            raise ConfigError(
                f"there is no built-in persona {name!r}; there are: {', '.join(names)}",
                name=name,
                known=tuple(names),
            )
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
