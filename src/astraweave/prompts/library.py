"""Prompts in TOML files: loaded, checked, reloaded when they change."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path

import msgspec

from astraweave.core.toml import TomlText, did_you_mean
from astraweave.errors import ConfigError
from astraweave.llm.protocol import Message
from astraweave.prompts._entries import Entry, read_entries, resolve
from astraweave.prompts.prompt import Prompt

__all__ = ["PromptLibrary", "Reload"]


class Reload(msgspec.Struct, frozen=True, kw_only=True):
    """What `PromptLibrary.reload_if_changed` found.

    Attributes
    ----------
    changed : tuple of str
        Files that were edited, added or removed since the last look.
    error : ConfigError or None
        Why the edit cannot be used; the library then still answers with what it had.
    """

    changed: tuple[str, ...] = ()
    error: ConfigError | None = None


class _Stamp(msgspec.Struct, frozen=True):
    modified_ns: int
    size: int
    digest: bytes


class PromptLibrary(Mapping[str, Prompt]):
    """Prompts by name, from TOML files over the built-in ones.

    A prompt of one's own hides the built-in one of the same name, and may extend it. Reading is
    thread-safe, also while another thread reloads: a `Prompt` that was taken stays as it was.

    Parameters
    ----------
    paths : iterable of Path
        Files, or folders whose ``*.toml`` files are all read.
    builtin : bool
        Whether the built-in prompts are there too.

    Raises
    ------
    ConfigError
        Something in a file is wrong: names file, line and the nearest valid name.

    Examples
    --------
    >>> library = PromptLibrary.load()
    >>> "dialogue" in library
    True
    """

    def __init__(self, paths: Iterable[Path] = (), *, builtin: bool = True) -> None:
        self._paths = tuple(Path(path) for path in paths)
        self._lock = threading.Lock()  # one reload at a time
        self._builtin = _read_builtin() if builtin else {}
        self._stamps, texts = self._read({}, {})
        self._texts = texts
        self._prompts = self._build(texts)

    @classmethod
    def load(cls, *paths: Path | str, builtin: bool = True) -> PromptLibrary:
        """A library of these files and folders."""
        return cls([Path(path) for path in paths], builtin=builtin)

    def __getitem__(self, name: str) -> Prompt:
        try:
            return self._prompts[name]
        except KeyError:
            hint = did_you_mean(name, self._prompts)
            raise ConfigError(f"there is no prompt {name!r}{hint}", prompt=name) from None

    def __contains__(self, name: object) -> bool:
        return name in self._prompts

    def __iter__(self) -> Iterator[str]:
        return iter(self._prompts)

    def __len__(self) -> int:
        return len(self._prompts)

    def render(self, prompt: str, /, **values: object) -> list[Message]:
        """The messages of one prompt; see `Prompt.render`."""
        return self[prompt].render(**values)

    def reload_if_changed(self) -> Reload:
        """Read the files again if any has changed; all of it or nothing.

        Looks at the size and time of each file, and reads only what differs. For a worker thread or
        an editor's command: it touches the disk, so never call it on the frame. An edit that cannot
        be used is reported once, and leaves the prompts as they were.
        """
        with self._lock:
            before = self._stamps
            try:
                stamps, texts = self._read(before, self._texts)
            except ConfigError as error:
                return Reload(changed=(str(error.details.get("source", "")),), error=error)
            changed = tuple(
                path.name
                for path in sorted(stamps.keys() | before.keys())
                if _digest(stamps, path) != _digest(before, path)
            )
            self._stamps, self._texts = stamps, texts
            if not changed:
                return Reload()
            try:
                self._prompts = self._build(texts)
            except ConfigError as error:
                return Reload(changed=changed, error=error)
            return Reload(changed=changed)

    def _read(
        self, stamps: Mapping[Path, _Stamp], texts: Mapping[Path, str]
    ) -> tuple[dict[Path, _Stamp], dict[Path, str]]:
        """Stamps and texts of all files as they are now; what has not changed is not read."""
        new_stamps: dict[Path, _Stamp] = {}
        new_texts: dict[Path, str] = {}
        for path in self._files():
            old = stamps.get(path)
            try:
                status = path.stat()
                if old and (old.modified_ns, old.size) == (status.st_mtime_ns, status.st_size):
                    new_stamps[path], new_texts[path] = old, texts[path]
                    continue
                raw = path.read_bytes()
                new_texts[path] = raw.decode()
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"{path} cannot be read: {error}", source=str(path)) from None
            digest = hashlib.blake2b(raw, digest_size=16).digest()
            new_stamps[path] = _Stamp(status.st_mtime_ns, status.st_size, digest)
        return new_stamps, new_texts

    def _files(self) -> list[Path]:
        files: list[Path] = []
        for path in self._paths:
            found = sorted(path.glob("*.toml")) if path.is_dir() else [path]
            files += [file for file in found if file not in files]
        return files

    def _build(self, texts: Mapping[Path, str]) -> dict[str, Prompt]:
        own: dict[str, Entry] = {}
        for path, text in texts.items():
            for name, entry in read_entries(TomlText(text, str(path))).items():
                if name in own:
                    first = own[name].place
                    where = f"{first.document.source}:{first.document.line(*first.path)}"
                    entry.place.fail(f"there is already a prompt {name!r} at {where}", name=name)
                own[name] = entry
        entries = resolve([self._builtin, own])
        return {name: Prompt(entry) for name, entry in entries.items()}


def _digest(stamps: Mapping[Path, _Stamp], path: Path) -> bytes:
    return stamps[path].digest if path in stamps else b""


def _read_builtin() -> dict[str, Entry]:
    folder = resources.files(__package__).joinpath("builtin")
    entries: dict[str, Entry] = {}
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if file.name.endswith(".toml"):
            entries |= read_entries(TomlText(file.read_text(encoding="utf-8"), file.name))
    return entries
