"""What is where in a converted decoder's data file, for whoever reads it without `onnx`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import msgspec

from astraweave.errors import CorruptDataError, FormatVersionError
from astraweave.models._json import decode_json

__all__ = ["DecoderNumbers", "TensorRow", "WeightTable"]

_FORMAT = 1


class DecoderNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a decoder."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    hidden: int
    vocabulary: int
    context: int
    epsilon: float
    rope_base: float
    rope_factor: float


class TensorRow(msgspec.Struct, frozen=True, kw_only=True):
    """One tensor: its type as NumPy calls it, its shape, and where in the file it begins."""

    dtype: str
    shape: tuple[int, ...]
    offset: int


class WeightTable(msgspec.Struct, frozen=True, kw_only=True):
    """``weights.json`` beside a decoder's graph.

    The data is in ``model.onnx.data``. Matrices are named after what the graph calls their product
    (``l0.qkv.q`` codes, ``.s`` scales, ``.z`` zero points, ``.bias``), vectors as in the GGUF.

    Attributes
    ----------
    shape : DecoderNumbers
        The decoder's numbers.
    tensors : dict of str to TensorRow
        What is there. Biases, norms of single heads and a head of its own (``logits``) only where
        the model has them.
    format : int
        Of this file.
    """

    NAME: ClassVar[str] = "weights.json"

    shape: DecoderNumbers
    tensors: dict[str, TensorRow]
    format: int = _FORMAT

    @classmethod
    def read(cls, path: Path) -> WeightTable:
        """Read a table; whether it fits the data is not looked at.

        Raises
        ------
        CorruptDataError
            It cannot be read.
        FormatVersionError
            A newer astraweave wrote it.
        """
        try:
            table = decode_json(path.read_bytes(), cls)
        except (OSError, ValueError) as error:
            raise CorruptDataError(
                f"'{path}' is no table of weights ({error}); convert the model again",
                path=str(path),
            ) from None
        if table.format > _FORMAT:
            raise FormatVersionError(
                f"'{path}' was written by a newer astraweave (format {table.format}); update",
                path=str(path),
                format=table.format,
            )
        return table
