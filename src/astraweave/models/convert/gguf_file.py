"""Reading a GGUF: metadata and dequantised tensors, with errors that name what is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astraweave.errors import CorruptDataError, MissingExtraError, UnsupportedModel
from astraweave.models.gguf_meta import read_gguf_metadata

__all__ = ["TENSOR_TYPES", "GgufFile"]

TENSOR_TYPES = frozenset(
    ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"]
)
"""Tensor types that can be read."""

_LARGEST = 1e30
"""No weight comes near it; beyond it float32 overflows."""


class GgufFile:
    """One open GGUF.

    Parameters
    ----------
    path : Path
        The file; mapped into memory, read as needed.

    Raises
    ------
    CorruptDataError
        It is not a GGUF, or it is cut short.
    """

    def __init__(self, path: Path) -> None:
        try:
            import gguf
        except ImportError:
            raise MissingExtraError("converting GGUF models", "convert") from None
        self._dequantize = gguf.quants.dequantize
        self._metadata = read_gguf_metadata(path)
        try:
            reader = gguf.GGUFReader(str(path))
        except (ValueError, IndexError, OverflowError, KeyError, UnicodeDecodeError) as error:
            raise CorruptDataError(
                f"{path} is not a whole GGUF file: {error}", path=str(path)
            ) from error
        self.path = path
        self._tensors = {tensor.name: tensor for tensor in reader.tensors}
        self._used: set[str] = set()

    @property
    def architecture(self) -> str:
        """What the file says that it is: ``"llama"``, ``"qwen2"``, ..."""
        return str(self.get("general.architecture", "unknown"))

    def get(self, key: str, default: Any = None) -> Any:
        """A metadata value by its full key."""
        return self._metadata.get(key, default)

    def of_architecture(self, key: str, default: Any = None) -> Any:
        """A metadata value by its key behind the architecture's name."""
        return self.get(f"{self.architecture}.{key}", default)

    def integer(self, key: str, default: int | None = None) -> int:
        """A positive whole number, by its key behind the architecture's name.

        Raises
        ------
        CorruptDataError
            It is not such a number, or is not there and there is no default.
        """
        value = self.of_architecture(key, default)
        if not isinstance(value, int) or value < 1:
            raise self._wrong(key, value, "a positive whole number")
        return value

    def number(self, key: str, default: float) -> float:
        """A positive number, by its key behind the architecture's name.

        Raises
        ------
        CorruptDataError
            It is not such a number.
        """
        value = self.of_architecture(key, default)
        if not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise self._wrong(key, value, "a positive number")
        return float(value)

    def _wrong(self, key: str, value: object, wanted: str) -> CorruptDataError:
        return CorruptDataError(
            f"{self.path}: {self.architecture}.{key} is {value!r}, not {wanted}",
            path=str(self.path),
            key=key,
        )

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor, rows first."""
        return tuple(int(size) for size in reversed(self._tensor(name).shape))

    def tensor(self, name: str, rows: slice | None = None) -> NDArray[np.float32]:
        """A tensor in float32, or some of its rows.

        Raises
        ------
        CorruptDataError
            There is no such tensor.
        UnsupportedModel
            Its type cannot be read.
        """
        tensor = self._tensor(name)
        kind = tensor.tensor_type
        if kind.name not in TENSOR_TYPES:
            raise UnsupportedModel(
                f"{self.path}: tensor {name} is of type {kind.name}, which cannot be converted; "
                f"these can: {', '.join(sorted(TENSOR_TYPES))}",
                path=str(self.path),
                tensor=name,
                tensor_type=kind.name,
            )
        self._used.add(name)
        data = tensor.data if rows is None else tensor.data[rows]
        values = np.asarray(self._dequantize(data, kind), dtype=np.float32)
        if not np.abs(values).max(initial=0) < _LARGEST:  # so that NaN fails too
            raise CorruptDataError(
                f"{self.path}: the tensor {name} holds what is no number",
                path=str(self.path),
                tensor=name,
            )
        return values

    def unused(self, known: Iterable[str] = ()) -> list[str]:
        """Tensors that nobody has read and that are not in `known`."""
        return sorted(set(self._tensors) - self._used - set(known))

    def _tensor(self, name: str) -> Any:
        try:
            return self._tensors[name]
        except KeyError:
            raise CorruptDataError(
                f"{self.path} lacks the tensor {name}", path=str(self.path), tensor=name
            ) from None
