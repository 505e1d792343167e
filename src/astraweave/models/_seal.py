"""What a folder of weights must hold, and whether it still does.

A full check hashes every file. It is made when files arrive, when they are converted, when
`ModelStore.verify` asks, and whenever a file's size, times or identity differ from those noted at
the last full check; so a warm start reads a few hundred bytes, and a file that was changed, cut
short or replaced is never loaded. A disk that rots without the file system noticing is found by
`verify` only.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from astraweave.errors import CorruptDataError
from astraweave.models._disk import sha256_of, write_file
from astraweave.models._json import decode_json
from astraweave.models.progress import Progress, no_progress

__all__ = ["STAMP", "Manifest", "Sealed", "check", "seal"]

STAMP = ".verified.json"
"""Notes the last full check of a folder; never shipped."""


class Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: its digest, and its size in bytes where that is known."""

    sha256: str
    size: int | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a converted folder holds and what it was made of."""

    id: str
    converter: int
    source: dict[str, str]
    """Digest of each file that it was made of."""
    files: dict[str, Sealed]

    NAME = "manifest.json"

    @classmethod
    def read(cls, folder: Path, model_id: str) -> Manifest:
        """The manifest of a folder.

        Raises
        ------
        CorruptDataError
            It cannot be read.
        """
        path = folder / cls.NAME
        try:
            return decode_json(path.read_bytes(), cls)
        except (OSError, ValueError) as error:
            raise _corrupt(model_id, path, f"cannot be read ({error})") from None


def seal(folder: Path, progress: Progress = no_progress) -> dict[str, Sealed]:
    """Digest and size of every file of a new folder; notes that they have been checked."""
    paths = sorted(path for path in folder.iterdir() if path.name != Manifest.NAME)
    sealed = {}
    for number, path in enumerate(paths):
        progress("seal", number, len(paths))
        sealed[path.name] = Sealed(sha256_of(path), path.stat().st_size)
    _note(folder, {path.name: [*_marks(path), sealed[path.name].sha256] for path in paths})
    return sealed


def check(
    folder: Path,
    files: Mapping[str, Sealed],
    model_id: str,
    *,
    full: bool = False,
    progress: Progress = no_progress,
) -> None:
    """Make sure that a folder's files are what they should be.

    Parameters
    ----------
    folder : Path
        Where they are.
    files : mapping of str to Sealed
        What they should be.
    model_id : str
        For the error.
    full : bool
        Hash everything, whatever was noted before.
    progress : Progress
        Hears the bytes hashed.

    Raises
    ------
    CorruptDataError
        A file is missing or is not what it should be.
    """
    noted = {} if full else _noted(folder)
    found: dict[str, list[int | str]] = {}
    for name, sealed in files.items():
        try:
            marks = _marks(folder / name)
        except OSError as error:
            reason = f"is not there ({error.strerror})"
            raise _corrupt(model_id, folder / name, reason) from None
        if sealed.size is not None and marks[0] != sealed.size:
            reason = f"has {marks[0]} bytes instead of {sealed.size}"
            raise _corrupt(model_id, folder / name, reason)
        found[name] = [*marks, sealed.sha256]
    changed = [name for name in files if noted.get(name) != found[name]]
    for name in changed:
        path, size = folder / name, int(found[name][0])

        def report(done: int, name: str = name, size: int = size) -> None:
            progress(f"verify {name}", done, size)

        if sha256_of(path, report) != files[name].sha256:
            raise _corrupt(model_id, path, "has the wrong checksum")
    if changed:
        _note(folder, found)


def _marks(path: Path) -> list[int | str]:
    """What changes when a file changes; POSIX lets nobody set all of it back."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def _note(folder: Path, found: Mapping[str, list[int | str]]) -> None:
    with suppress(OSError):  # a bundle may lie on a disk that cannot be written: hash every time
        write_file(folder / STAMP, msgspec.json.encode(found))


def _noted(folder: Path) -> dict[str, list[int | str]]:
    try:
        return decode_json((folder / STAMP).read_bytes(), dict[str, list[int | str]])
    except (OSError, ValueError):
        return {}


def _corrupt(model_id: str, path: Path, reason: str) -> CorruptDataError:
    return CorruptDataError(
        f"{path} {reason}; `astraweave models fetch {model_id}` repairs it",
        model=model_id,
        path=str(path),
        reason=reason,
    )
