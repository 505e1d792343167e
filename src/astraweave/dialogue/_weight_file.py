"""Fitted weights as a file: the same bytes for the same weights, and nothing in it that runs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from astraweave.errors import CorruptDataError

__all__ = ["pack_weights", "unpack_weights"]


def pack_weights(
    arrays: Mapping[str, NDArray[np.float32]], features: Sequence[str], **names: str
) -> bytes:
    """As an ``.npz`` file, in half precision.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        The weights.
    features : sequence of str
        What they were fitted to, in their order.
    **names : str
        What else they were fitted to: the id of the embedder.
    """
    file = io.BytesIO()
    texts = {key: np.array(name) for key, name in (names | {"features": tuple(features)}).items()}
    halves = {key: array.astype(np.float16) for key, array in arrays.items()}
    np.savez(file, **texts, **halves)  # type: ignore[arg-type]
    return file.getvalue()


def unpack_weights(
    data: bytes, features: Sequence[str], *, names: Sequence[str], arrays: Sequence[str], what: str
) -> tuple[dict[str, str], dict[str, NDArray[np.float32]]]:
    """Read what `pack_weights` wrote.

    Parameters
    ----------
    data : bytes
        The file.
    features : sequence of str
        What they have to be fitted to.
    names, arrays : sequence of str
        What has to be there.
    what : str
        Whose weights they are, for messages: ``"the output check"``.

    Returns
    -------
    (dict of str to str, dict of str to ndarray)
        The names and the weights.

    Raises
    ------
    CorruptDataError
        It is no such file, or was fitted to other features.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            if tuple(file["features"].tolist()) != tuple(features):
                raise CorruptDataError(
                    f"the weights of {what} were fitted to other features; train them again"
                )
            texts = {key: str(file[key]) for key in names}
            found = {key: file[key].astype(np.float32) for key in arrays}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise CorruptDataError(f"these are no weights of {what}: {error}") from error
    return texts, found
