"""TOML that a person wrote: where each key stands, and what a misspelt one probably meant.

Personas, prompts and registries are written by hand, so an error about one must name its line and
the nearest valid name. `tomllib` keeps no positions; a second, shallow scan finds them.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from astraweave.errors import ConfigError

__all__ = ["TomlText", "did_you_mean", "nearest"]

_HEADER = re.compile(r"[ \t]*(\[\[?)([^\[\]\n]+)\]\]?")
_NAME = r"(?:[\w\-]+|\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*')"
_KEY = re.compile(rf"[ \t]*({_NAME}(?:[ \t]*\.[ \t]*{_NAME})*)[ \t]*=[ \t]*")
_PART = re.compile(r"\"((?:\\.|[^\"\\])*)\"|'([^']*)'|([\w\-]+)")
_LEXEME = re.compile(
    r"#[^\n]*|\"\"\"(?:\\.|[^\\])*?\"\"\"+|'''.*?'''+|\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'"
    r"|[\[{]|[\]}]|\n|[^\[\]{}\"'#\n]+|.",
    re.DOTALL,
)
_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)|\(at end of document\)")

Path = tuple[str | int, ...]


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name among `names` that `name` most probably meant; None when none is near."""
    folded = {candidate.casefold(): candidate for candidate in names}
    found = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Words to end an error with.

    Examples
    --------
    >>> did_you_mean("trats", ["traits", "goals"])
    "; did you mean 'traits'?"
    >>> did_you_mean("zzz", ["traits", "goals"])
    '; known are: goals, traits'
    """
    names = list(names)
    near = nearest(name, names)
    if near is not None:
        return f"; did you mean {near!r}?"
    return f"; known are: {', '.join(sorted(names))}" if names else ""


class TomlText:
    r"""A parsed TOML text that remembers on which line each key stands.

    Parameters
    ----------
    text : str
        The document.
    source : str
        What to call it in errors, usually the file's name.

    Attributes
    ----------
    data : dict
        What `tomllib` makes of it.

    Raises
    ------
    ConfigError
        It is not TOML; `source` and `line` are attributes.

    Examples
    --------
    >>> document = TomlText('[tam]\nname = "Tam"\n', "tam.toml")
    >>> document.line("tam", "name")
    2
    """

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        text = text.replace("\r\n", "\n")
        try:
            self.data: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            place = _PLACE.search(str(error))
            line = int(place[1]) if place and place[1] else text.count("\n") + 1
            reason = _PLACE.sub("", str(error)).strip()
            raise ConfigError(
                f"{source}:{line}: this is not TOML: {reason}", source=source, line=line
            ) from None
        self._keys: dict[Path, int] = {}
        self._values: dict[Path, int] = {}
        self._scan(text)

    def line(self, *path: str | int) -> int:
        """Line of a key (counted from 1), or of the nearest thing around it."""
        while path and path not in self._keys:
            path = path[:-1]
        return self._keys.get(path, 1)

    def value_line(self, *path: str | int) -> int:
        """Line of the value's own first line; a long string may begin below its key."""
        return self._values.get(path) or self.line(*path)

    def fail(self, message: str, *path: str | int, **details: object) -> NoReturn:
        """Raise a `ConfigError` that begins with file and line of `path`."""
        line = self.line(*path)
        raise ConfigError(
            f"{self.source}:{line}: {message}", source=self.source, line=line, **details
        )

    def check_keys(
        self, table: Mapping[str, object], known: Iterable[str], *path: str | int
    ) -> None:
        """Refuse keys of the table at `path` that nobody knows.

        Raises
        ------
        ConfigError
            Names the line, the key and the nearest valid one.
        """
        known = list(known)
        for key in table:
            if key not in known:
                hint = did_you_mean(key, known)
                self.fail(
                    f"unknown key {key!r}{hint}", *path, key, key=key, near=nearest(key, known)
                )

    def _scan(self, text: str) -> None:
        """Note the lines of headers and keys; values are only stepped over."""
        position, line, table = 0, 1, ()  # type: tuple[int, int, Path]
        counts: dict[Path, int] = {}
        while position < len(text):
            path: Path = ()
            if header := _HEADER.match(text, position):
                table = self._open(_parts(header[2]), header[1] == "[[", counts)
                self._keys.setdefault(table, line)
                position = header.end()
            elif key := _KEY.match(text, position):
                path = table + _parts(key[1])
                for length in range(len(table) + 1, len(path) + 1):
                    self._keys.setdefault(path[:length], line)
                position = key.end()
                opens_below = text.startswith(('"""\n', "'''\n"), position)
                self._values[path] = line + opens_below
            depth = 0
            while position < len(text):
                lexeme = _LEXEME.match(text, position)
                if lexeme is None:  # pragma: no cover - the last alternative takes anything
                    break
                piece, position = lexeme[0], lexeme.end()
                line += piece.count("\n")
                depth += (piece in "[{") - (piece in "]}")
                if piece == "\n" and depth <= 0:
                    break

    @staticmethod
    def _open(parts: Path, is_array: bool, counts: dict[Path, int]) -> Path:
        """The full path of a header: names, with the running index after each array of tables."""
        path: Path = ()
        for depth, part in enumerate(parts):
            path = (*path, part)
            if is_array and depth == len(parts) - 1:
                counts[path] = counts.get(path, -1) + 1
            if path in counts:
                path = (*path, counts[path])
        return path


def _parts(dotted: str) -> Path:
    return tuple(next(p for p in found if p) for found in _PART.findall(dotted) if any(found))
