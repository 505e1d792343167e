"""Eight-bit weights in blocks of 32, as onnxruntime's MatMulNBits reads them."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "Blocks", "asymmetric", "symmetric"]

BLOCK = 32
"""Weights of one row that share a scale."""
_MIDDLE = 128


class Blocks(msgspec.Struct, frozen=True, kw_only=True):
    """A quantised matrix: ``weight = (values - zeros) * scales``.

    Attributes
    ----------
    values : ndarray of uint8, shape (rows, blocks, 32)
    scales : ndarray of float32, shape (rows, blocks)
    zeros : ndarray of uint8, shape (rows, blocks), or None
        None: 128 everywhere.
    """

    values: NDArray[np.uint8]
    scales: NDArray[np.float32]
    zeros: NDArray[np.uint8] | None = None


def asymmetric(weights: NDArray[np.float32]) -> Blocks:
    """Quantise rows so that each block's own range, 0 included, takes all 256 values.

    Parameters
    ----------
    weights : ndarray of float32, shape (rows, columns)
        Columns a multiple of 32.
    """
    blocks = weights.reshape(len(weights), -1, BLOCK)
    low = np.minimum(blocks.min(-1), 0)
    scales = (np.maximum(blocks.max(-1), 0) - low) / 255
    scales[scales == 0] = 1
    zeros = np.rint(-low / scales)
    values = np.rint(blocks / scales[..., None])
    values += zeros[..., None]
    return Blocks(
        values=np.clip(values, 0, 255).astype(np.uint8),
        scales=scales.astype(np.float32),
        zeros=np.clip(zeros, 0, 255).astype(np.uint8),
    )


def symmetric(weights: NDArray[np.float32]) -> Blocks:
    """Quantise rows around zero; weights that were Q8_0 come out exactly as they were.

    Parameters
    ----------
    weights : ndarray of float32, shape (rows, columns)
        Columns a multiple of 32.
    """
    blocks = weights.reshape(len(weights), -1, BLOCK)
    scales = np.abs(blocks).max(-1) / 127
    scales[scales == 0] = 1
    values = np.rint(blocks / scales[..., None]) + _MIDDLE
    return Blocks(values=values.astype(np.uint8), scales=scales.astype(np.float32))
