"""What the native functions mean, in as few lines as say it. Slow on purpose."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from astraweave.errors import InputError

__all__ = ["dot"]


def dot(a: ArrayLike, b: ArrayLike) -> float:
    """Inner product of two float32 vectors, summed without rounding."""
    left, right = np.asarray(a, np.float32), np.asarray(b, np.float32)
    if left.ndim != 1 or right.ndim != 1 or left.size != right.size:
        raise InputError(
            f"dot needs two vectors of one length, got {left.size} and {right.size} numbers"
        )
    return math.fsum(float(x) * float(y) for x, y in zip(left, right, strict=True))
