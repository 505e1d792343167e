"""The difference between two images of a database: which pages differ, and in which bits.

A line of dialogue changes a few dozen of a database's thousands of pages, and most of those in a
few bytes. So a difference is the exclusive or of the pages that differ; packed, what is equal in
them costs next to nothing. Floor: the bytes that are new in either image (vectors do not compress).

Beyond the end of an image there are zeros. So a difference leads both ways, from either image to
the other, given how long that is; and differences in a row make one difference, in any order.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.errors import CorruptDataError

__all__ = ["PAGE", "Delta", "apply_deltas", "combined", "make_delta", "pack_delta", "unpack_delta"]

PAGE = 4096
"""Bytes; SQLite's own page size unless somebody asks for another."""
_HEAD = struct.Struct("<I")
_SMALL = 4 << 20
"""Up to so many bytes of differences are compressed well, more of them quickly."""


class Delta(msgspec.Struct, frozen=True):
    """A difference.

    Attributes
    ----------
    pages : ndarray of uint32, shape ``(count,)``
        Which pages differ, ascending; the first page of an image is 0.
    bits : ndarray of uint8, shape ``(count, PAGE)``
        The exclusive or of the two.
    """

    pages: NDArray[np.uint32]
    bits: NDArray[np.uint8]

    @staticmethod
    def of(changed: Mapping[int, tuple[bytes, bytes]]) -> Delta:
        """From whole pages, before and after, by number; equal ones are left out."""
        differs = sorted(page for page, (old, new) in changed.items() if old != new)
        old, new = (
            np.frombuffer(b"".join(changed[page][side] for page in differs), np.uint8)
            for side in (0, 1)
        )
        return Delta(np.array(differs, np.uint32), (old ^ new).reshape(-1, PAGE))


def make_delta(image: bytes, base: bytes) -> Delta:
    """Between two whole images, at the speed of memory (about 5 ms for 20 MB)."""
    length = max(len(image), len(base))
    told, known = _paged(image, length), _paged(base, length)
    differs = np.flatnonzero((told.view(np.uint64) != known.view(np.uint64)).any(axis=1))
    return Delta(differs.astype(np.uint32), told[differs] ^ known[differs])


def combined(deltas: Iterable[Delta]) -> Delta:
    """The one difference that several in a row make."""
    bits: dict[int, NDArray[np.uint8]] = {}
    for delta in deltas:
        for page, own in zip(delta.pages.tolist(), delta.bits, strict=True):
            bits[page] = bits[page] ^ own if page in bits else own
    left = sorted(page for page, own in bits.items() if own.any())
    stacked = np.array([bits[page] for page in left], np.uint8).reshape(-1, PAGE)
    return Delta(np.array(left, np.uint32), stacked)


def apply_deltas(image: bytes, deltas: Iterable[Delta], length: int) -> bytes:
    """The image of `length` bytes to which differences lead from this one."""
    deltas = list(deltas)
    end = max(
        (PAGE * (int(delta.pages[-1]) + 1) for delta in deltas if len(delta.pages)), default=0
    )
    pages = _paged(image, max(len(image), end, length)).copy()
    for delta in deltas:
        pages[delta.pages] ^= delta.bits
    return pages.tobytes()[:length]


def pack_delta(delta: Delta) -> bytes:
    """As few bytes as can be had quickly."""
    plain = delta.pages.astype("<u4").tobytes() + delta.bits.tobytes()
    return _HEAD.pack(len(delta.pages)) + zlib.compress(plain, 6 if len(plain) <= _SMALL else 1)


def unpack_delta(packed: bytes) -> Delta:
    """What `pack_delta` has packed.

    Raises
    ------
    CorruptDataError
        It is no difference. That it belongs to an image is for the caller to check, by its id.
    """
    try:
        (count,) = _HEAD.unpack_from(packed)
        plain = zlib.decompress(packed[_HEAD.size :])
        pages = np.frombuffer(plain, "<u4", count).astype(np.uint32)
        bits = np.frombuffer(plain, np.uint8, offset=4 * count).reshape(count, PAGE)
    except (struct.error, zlib.error, ValueError) as error:
        raise CorruptDataError(f"the difference between two saves is damaged: {error}") from error
    if (pages[1:] <= pages[:-1]).any():
        raise CorruptDataError("the difference between two saves names a page twice")
    return Delta(pages, bits)


def _paged(image: bytes, length: int) -> NDArray[np.uint8]:
    """The first `length` bytes, shape ``(pages, PAGE)``, with zeros where there are none."""
    padded = -(-length // PAGE) * PAGE
    if len(image) >= padded:
        return np.frombuffer(image, np.uint8, padded).reshape(-1, PAGE)
    pages = np.zeros(padded, np.uint8)
    there = min(len(image), length)
    pages[:there] = np.frombuffer(image, np.uint8, there)
    return pages.reshape(-1, PAGE)
