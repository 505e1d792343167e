"""The header of a GGUF file: its metadata, without its tensors.

Reads what stands before the tensors and nothing else, so that a file of any size takes some tens
of milliseconds. Layout: the GGUF specification, versions 2 and 3 (little-endian).
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import TypeAlias

from astraweave.errors import CorruptDataError, FormatVersionError, StorageError

__all__ = ["GGUF_MAGIC", "GgufValue", "read_gguf_metadata"]

GGUF_MAGIC = b"GGUF"
GgufValue: TypeAlias = "int | float | bool | str | list[GgufValue]"

_SCALARS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_VERSIONS = (2, 3)
_MAX_KEYS = 1 << 16
_MAX_DEPTH = 4
_LENGTH = struct.Struct("<Q")


def read_gguf_metadata(path: str | Path) -> dict[str, GgufValue]:
    """Read a GGUF file's key-value metadata.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    dict
        Values by key; arrays as lists. Text that is not valid UTF-8 has U+FFFD where it is broken.

    Raises
    ------
    CorruptDataError
        It is not a GGUF file, or its header is cut off or inconsistent.
    FormatVersionError
        It is of a version that is not read here.
    StorageError
        The operating system does not let it be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise CorruptDataError(f"{path} is empty", path=str(path))
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(data, str(path)).metadata()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}", path=str(path)) from error


class _Reader:
    """A cursor that never reads past the end."""

    def __init__(self, data: mmap.mmap, name: str) -> None:
        self._data, self._name, self._at, self._size = data, name, 0, len(data)

    def metadata(self) -> dict[str, GgufValue]:
        if self._take(4) != GGUF_MAGIC:
            raise CorruptDataError(f"{self._name} is not a GGUF file", path=self._name)
        version = self._number("I")
        if version not in _VERSIONS:
            raise FormatVersionError(
                f"{self._name} is GGUF version {version}; versions 2 and 3 can be read",
                path=self._name,
                version=version,
            )
        self._number("Q")  # tensors
        count = self._number("Q")
        if count > _MAX_KEYS:
            raise self._broken(f"it claims {count} keys")
        result: dict[str, GgufValue] = {}
        for _ in range(int(count)):
            key = self._string()
            result[key] = self._value(int(self._number("I")), 0)
        return result

    def _broken(self, why: str) -> CorruptDataError:
        return CorruptDataError(
            f"the GGUF header of {self._name} is damaged: {why} (at byte {self._at})",
            path=self._name,
            at=self._at,
        )

    def _take(self, count: int) -> bytes:
        if count > self._size - self._at:
            raise self._broken(f"it needs {count} bytes where {self._size - self._at} are left")
        self._at += count
        return self._data[self._at - count : self._at]

    def _number(self, code: str) -> int | float | bool:
        number: int | float | bool
        (number,) = struct.unpack("<" + code, self._take(struct.calcsize("<" + code)))
        return number

    def _string(self) -> str:
        return self._take(int(self._number("Q"))).decode("utf-8", "replace")

    def _value(self, kind: int, depth: int) -> GgufValue:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._array(depth + 1)
        if kind not in _SCALARS:
            raise self._broken(f"unknown value type {kind}")
        return self._number(_SCALARS[kind])

    def _array(self, depth: int) -> list[GgufValue]:
        kind, count = int(self._number("I")), int(self._number("Q"))
        if depth > _MAX_DEPTH:
            raise self._broken("its arrays are nested too deeply")
        if kind in _SCALARS:
            code = _SCALARS[kind]
            size = struct.calcsize("<" + code)
            if count > (self._size - self._at) // size:  # before a format of that length is built
                raise self._broken(f"an array of {count} numbers does not fit")
            return list(struct.unpack(f"<{count}{code}", self._take(count * size)))
        if count > (self._size - self._at) // 8:  # every string and array starts with its length
            raise self._broken(f"an array of {count} entries does not fit")
        if kind == _STRING:
            return self._strings(count)
        return [self._value(kind, depth) for _ in range(count)]

    def _strings(self, count: int) -> list[GgufValue]:
        """As `_string` that many times, without its calls: vocabularies are long."""
        data, at, last = self._data, self._at, self._size - 8
        texts: list[GgufValue] = []
        for _ in range(count):
            if at > last:
                break
            stop = at + 8 + _LENGTH.unpack_from(data, at)[0]
            if stop > self._size:
                break
            texts.append(data[at + 8 : stop].decode("utf-8", "replace"))
            at = stop
        self._at = at
        if len(texts) < count:
            raise self._broken(f"entry {len(texts)} of an array of {count} strings is cut off")
        return texts
