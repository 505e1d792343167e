"""Fitted numbers in one ``.npz`` file: written the same every time, and read with care."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from astraweave.errors import CorruptDataError

__all__ = ["packed", "unpacked"]


def packed(
    features: Sequence[str], texts: Mapping[str, str], arrays: Mapping[str, NDArray[Any]]
) -> bytes:
    """As the bytes of an ``.npz`` file; the same bytes for the same numbers.

    Parameters
    ----------
    features : sequence of str
        What the numbers were fitted to; `unpacked` refuses them for anything else.
    texts : mapping of str to str
        What else is to be known of them.
    arrays : mapping of str to ndarray
        The numbers. Floats are kept in half precision.
    """
    kept = {
        name: array.astype(np.float16) if array.dtype.kind == "f" else array
        for name, array in arrays.items()
    }
    kept |= {name: np.array(text) for name, text in texts.items()}
    file = io.BytesIO()
    np.savez_compressed(file, features=np.array(features), **kept)  # type: ignore[arg-type]
    return file.getvalue()


def unpacked(
    data: bytes, features: Sequence[str], names: Iterable[str], *, what: str
) -> dict[str, NDArray[Any]]:
    """Read what `packed` wrote; floats in single precision, texts as arrays of one.

    Parameters
    ----------
    data : bytes
        The file.
    features : sequence of str
        What they must have been fitted to.
    names : iterable of str
        What must be in it.
    what : str
        What they are the weights of, for messages.

    Raises
    ------
    CorruptDataError
        It is no such file, lacks something, or was fitted to other features.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            if tuple(file["features"].tolist()) != tuple(features):
                raise CorruptDataError(
                    f"the weights of {what} were fitted to other features; train them again"
                )
            found = {name: file[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise CorruptDataError(f"these are no weights of {what}: {error}") from error
    return {
        name: array.astype(np.float32) if array.dtype.kind == "f" else array
        for name, array in found.items()
    }
