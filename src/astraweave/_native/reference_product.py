"""What a product of quantised weights means, in as few lines as say it. Slow on purpose."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from astraweave.errors import InputError

__all__ = ["multiply_codes"]

_BLOCK = 32
_LARGEST = np.float32(127)
_SMALLEST = np.float32(1e-30)


def multiply_codes(
    x: ArrayLike, codes: ArrayLike, scales: ArrayLike, zeros: ArrayLike | None = None
) -> NDArray[np.float32]:
    """Activations (n, k), quantised block by block, times weights ``(codes - zeros) * scales``."""
    rows, bytes_ = np.asarray(x, np.float32), np.asarray(codes, np.uint8)
    factors = np.asarray(scales, np.float32)
    shape = (*bytes_.shape[:1], bytes_.shape[-1] // _BLOCK)
    if (
        rows.ndim != 2
        or rows.shape[1] % _BLOCK
        or bytes_.shape != (len(bytes_), rows.shape[1])
        or factors.shape != shape
        or (zeros is not None and np.shape(zeros) != shape)
    ):
        raise InputError(
            "x (n, k), codes (m, k), scales and zeros (m, k / 32) are needed, k in 32s"
        )
    middles = np.full(shape, 128) if zeros is None else np.asarray(zeros, np.uint8)
    weights = bytes_.reshape(*shape, _BLOCK).astype(np.int64) - middles[..., None]
    blocks = rows.reshape(len(rows), -1, _BLOCK)
    most = np.abs(blocks).max(-1, initial=0)
    empty = most < _SMALLEST
    inverse = np.divide(_LARGEST, most, out=np.zeros_like(most), where=~empty)
    steps = np.where(empty, np.float32(0), most / _LARGEST)
    activations = np.rint(blocks * inverse[..., None]).astype(np.int64)
    sums = np.zeros((len(rows), len(bytes_)), np.float32)
    for b in range(blocks.shape[1]):
        dots = activations[:, b] @ weights[:, b].T
        products = dots * (factors[:, b] * steps[:, b, None]).astype(np.float64)  # exact
        sums = (sums + products).astype(np.float32)  # a fused multiply-add, but for rare ties
    return sums
