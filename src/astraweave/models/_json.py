"""Reading JSON that may be damaged."""

from __future__ import annotations

from typing import TypeVar

import msgspec

__all__ = ["decode_json"]

_T = TypeVar("_T")


def decode_json(data: bytes, kind: type[_T]) -> _T:
    """Decode and check; whatever is wrong with it is a `ValueError`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None
