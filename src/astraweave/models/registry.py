"""The registry: which models there are, where they come from and what their files must hash to.

A registry file is TOML: a list ``[[models]]`` of entries with the fields of `ModelCard`. What the
reader does not know it rejects, naming the entry, the field and the nearest valid name.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import msgspec

from astraweave.errors import ConfigError, CorruptDataError
from astraweave.models._disk import sha256_of
from astraweave.models.gguf_meta import read_gguf_metadata
from astraweave.models.sources import (
    FileSource,
    HubSource,
    Source,
    UrlSource,
    WheelSource,
)

__all__ = ["ModelCard", "Registry", "Task"]

Task = Literal["chat", "embedding"]

_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SOURCES: Mapping[str, type[msgspec.Struct]] = {
    "wheel": WheelSource,
    "hub": HubSource,
    "url": UrlSource,
    "file": FileSource,
}


class ModelCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the registry says about one model.

    Attributes
    ----------
    id : str
        Its name everywhere in astraweave; small letters, digits, dots and hyphens.
    family : str
        The line of models that it belongs to, for people.
    version : str
        Its own version, for people.
    task : {"chat", "embedding"}
        What it is for; decides how it is converted.
    source : Source
        Where its files come from.
    sha256 : dict of str to str
        Digest of each file, by its name in `files`.
    licence : str
        SPDX name of the licence of the weights.
    dims : int
        Width of its vectors (an embedder) or of its layers (a language model).
    context : int
        Longest input in tokens.
    files : dict of str to str
        Each file's name as astraweave keeps it, and its path in the source. A language model has
        one ``*.gguf``; an embedder has ``model.safetensors``, ``config.json`` and
        ``tokenizer.json``. ``LICENSE*`` and ``NOTICE*`` travel with everything that is made of it.
    """

    id: str
    family: str
    version: str
    task: Task
    source: Source
    sha256: dict[str, str]
    licence: str
    dims: int
    context: int
    files: dict[str, str]

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(
                f"id {self.id!r} may hold small letters, digits, '.', '_' and '-' only"
            )
        for field in ("dims", "context"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be positive")
        if not self.files:
            raise ValueError("files must name at least one file")
        for name in self.files:
            if PurePosixPath(name).name != name or name in {".", ".."} or "\\" in name:
                raise ValueError(f"files: {name!r} must be a plain file name")
        for name, digest in self.sha256.items():
            if name not in self.files:
                raise ValueError(f"sha256: {name!r} is not in files{_nearest(name, self.files)}")
            if not _SHA256.fullmatch(digest):
                raise ValueError(f"sha256: that of {name!r} must be 64 small hexadecimal digits")
        if missing := sorted(set(self.files) - set(self.sha256)):
            raise ValueError(f"sha256 lacks the digest of {', '.join(map(repr, missing))}")

    @classmethod
    def of_gguf(cls, path: Path, *, id: str, context: int = 0) -> ModelCard:  # noqa: A002
        """A card for a GGUF file that lies on this disk; its digest is taken now.

        Parameters
        ----------
        path : Path
            The file.
        id : str
            The name to give it.
        context : int
            Longest input in tokens; 0: what the file says, but at most 32,768.

        Raises
        ------
        CorruptDataError
            It is not a GGUF, or says nothing of its size.
        StorageError
            It cannot be read.
        """
        path = path.resolve()
        meta = read_gguf_metadata(path)
        family = str(meta.get("general.architecture", "unknown"))
        sizes = [meta.get(f"{family}.{key}") for key in ("embedding_length", "context_length")]
        dims, longest = (size if isinstance(size, int) else 0 for size in sizes)
        if dims < 1 or longest < 1:
            raise CorruptDataError(
                f"{path} does not say how wide and how long it is", path=str(path)
            )
        return cls(
            id=id,
            family=family,
            version=str(meta.get("general.version", "unknown")),
            task="chat",
            source=FileSource(path=str(path.parent)),
            sha256={"model.gguf": sha256_of(path)},
            licence=str(meta.get("general.license", "unknown")),
            dims=dims,
            context=context or min(longest, 32_768),
            files={"model.gguf": path.name},
        )


class Registry:
    """Model cards by id. Immutable; thread-safe.

    Parameters
    ----------
    cards : iterable of ModelCard
        Later cards replace earlier ones with the same id.

    Examples
    --------
    >>> registry = Registry.default()
    >>> registry["all-minilm-l6-v2"].dims
    384
    """

    def __init__(self, cards: Iterable[ModelCard] = ()) -> None:
        self._cards = {card.id: card for card in cards}

    @classmethod
    def default(cls) -> Registry:
        """The models that astraweave itself knows."""
        name = "registry.toml"
        text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
        return cls(_cards(text, f"astraweave/models/{name}"))

    @classmethod
    def load(cls, path: Path) -> Registry:
        """Read a registry file.

        Raises
        ------
        ConfigError
            It cannot be read, is not TOML, or says something that the reader does not know; names
            the file, the entry, the field and the nearest valid name.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read the registry {path}: {error}", path=str(path)) from None
        return cls(_cards(text, str(path)))

    def merged(self, other: Registry) -> Registry:
        """Both; cards of `other` replace ours with the same id."""
        return Registry([*self._cards.values(), *other._cards.values()])

    def toml(self) -> str:
        """The registry as a file that `load` reads."""
        return "\n".join(_to_toml(card) for card in self)

    def __getitem__(self, model_id: str) -> ModelCard:
        try:
            return self._cards[model_id]
        except KeyError:
            raise ConfigError(
                f"no model is called {model_id!r}{_nearest(model_id, self._cards)}; known are "
                f"{', '.join(sorted(self._cards)) or 'none'}",
                model=model_id,
            ) from None

    def __contains__(self, model_id: object) -> bool:
        return model_id in self._cards

    def __iter__(self) -> Iterator[ModelCard]:
        return iter(self._cards.values())

    def __len__(self) -> int:
        return len(self._cards)


def _cards(text: str, where: str) -> list[ModelCard]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is not TOML: {error}", path=where) from None
    _only(document, {"models"}, where, "the file")
    entries = document.get("models", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(f"{where}: models must be a list of tables: [[models]]", path=where)
    cards: list[ModelCard] = []
    for number, entry in enumerate(entries, 1):
        name = repr(entry["id"]) if isinstance(entry.get("id"), str) else f"number {number}"
        cards.append(_card(entry, where, f"entry {name}"))
        if any(card.id == cards[-1].id for card in cards[:-1]):
            raise ConfigError(f"{where}: {name} stands there twice", path=where, entry=name)
    return cards


def _card(entry: dict[str, Any], where: str, name: str) -> ModelCard:
    _only(entry, ModelCard.__struct_fields__, where, name)
    source = entry.get("source")
    if isinstance(source, dict):
        kind = source.get("kind")
        if not isinstance(kind, str) or kind not in _SOURCES:
            raise ConfigError(
                f"{where}: {name}: source.kind is {kind!r}{_nearest(str(kind), _SOURCES)}; it may "
                f"be {', '.join(_SOURCES)}",
                path=where,
                entry=name,
                field="source.kind",
            )
        _only(source, {"kind", *_SOURCES[kind].__struct_fields__}, where, f"{name}: source")
    try:
        return msgspec.convert(entry, ModelCard)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {name}: {error}", path=where, entry=name) from None


def _only(table: Mapping[str, Any], known: Iterable[str], where: str, name: str) -> None:
    known = list(known)
    for field in table:
        if field not in known:
            raise ConfigError(
                f"{where}: {name} has an unknown field {field!r}{_nearest(field, known)}",
                path=where,
                entry=name,
                field=field,
            )


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"; did you mean {close[0]!r}?" if close else ""


def _to_toml(card: ModelCard) -> str:
    def quoted(text: str) -> str:
        return msgspec.json.encode(text).decode()  # a JSON string is a TOML basic string

    values: dict[str, Any] = msgspec.to_builtins(card)
    tables = {key: values.pop(key) for key in ("source", "files", "sha256")}
    lines = ["[[models]]"]
    lines += [f"{k} = {quoted(v) if isinstance(v, str) else v}" for k, v in values.items()]
    for name, table in tables.items():
        lines += ["", f"[models.{name}]"]
        lines += [f"{quoted(key)} = {quoted(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"
