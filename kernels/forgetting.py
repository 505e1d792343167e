"""How strong memories are: one formula over all memories of all characters at once.

`sweep_with_numpy` runs anywhere, `sweep_with_numba` compiles the same formula. A rule is a function
of four numbers, written so that it takes NumPy arrays and single numbers alike; both forms give it
float64, so that they differ in nothing but speed.

The floor, a row of a million: 24 bytes are touched (last 8, half-life 4, floor 4, strength 4 and
whichever of importance and recalls the rule reads), that is 24 MB, 2 ms at 12 GB/s; the arithmetic
of `fade` is a division and 21 multiplications and additions in float64, about 6 cycles where four
go at once: 1.5 ms. NumPy makes some 30 passes over blocks that stay in the cache, .3 ns a number
each: 10 ms.

The compiled form runs on the thread that calls it, without the GIL, and starts no threads: it is
fast enough that more of them would gain a millisecond and take the game's own core for it, and one
of Numba's thread pools ends the process when two Python threads (two worlds) use it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

__all__ = ["fade", "halved", "sweep_with_numba", "sweep_with_numpy"]

_BLOCK = 8192
"""Rows at a time in NumPy: what lies between two steps is 64 kB and stays in the cache."""
Value: TypeAlias = Any
"""A number, or an array of numbers: a rule takes either."""
Rule: TypeAlias = Callable[[Value, Value, Value, Value], Value]
Sweep: TypeAlias = Callable[..., None]

_SIGNATURE = "void(f8, f8[::1], f4[::1], f4[::1], u2[::1], f4[::1], f4[::1])"


def halved(x: Value) -> Value:
    """``2 ** -x`` for x from 0 up, by arithmetic alone; relative error 1e-9 up to 32, then 1e-6.

    Library functions differ in the last bit from one processor and compiler to the next; what is
    forgotten must not. So: x at most 64 (below 1e-19 nobody asks), a polynomial for 2 ** -(x / 64),
    whose coefficients are those of the exponential series of -ln(2), and six squarings.
    """
    t = np.minimum(x, 64.0) * (1.0 / 64.0)
    y = t * 1.0178086009239699e-7 - 1.3215486790144307e-6
    y = y * t + 1.525273380405984e-5
    y = y * t - 1.5403530393381606e-4
    y = y * t + 1.3333558146428443e-3
    y = y * t - 9.618129107628477e-3
    y = y * t + 5.550410866482158e-2
    y = y * t - 2.402265069591007e-1
    y = 1.0 - t * (6.931471805599453e-1 + y * t)
    y = y * y
    y = y * y
    y = y * y
    y = y * y
    y = y * y
    return y * y


def fade(age: Value, half_life: Value, importance: Value, recalls: Value) -> Value:
    """The rule of the house: half is left after each half-life.

    Ebbinghaus (1885) measured such a fall over the first days. How fast it falls, the half-life, is
    where the rest goes in: the kind of a memory, how much it matters, and each recall, which adds
    the more the longer ago the last one was (the spacing effect: Cepeda et al. 2006). Averaged over
    memories of many half-lives the curve becomes the power law of ACT-R's base-level activation
    (Anderson and Schooler 1991), which a designer's own rule may state outright::

        def base_level(age, half_life, importance, recalls):
            return (1.0 + recalls) * (1.0 + age / half_life) ** -0.5
    """
    return halved(age / half_life)


def sweep_with_numpy(rule: Rule = fade) -> Sweep:
    """The sweep of a rule in NumPy.

    Parameters
    ----------
    rule : callable
        ``rule(age, half_life, importance, recalls)``, float64 arrays in seconds, seconds, shares
        and counts; gives the strength. What it gives beyond 0 and 1 is cut off.

    Returns
    -------
    callable
        ``sweep(now, last, half_life, importance, recalls, floor, strength)`` over columns of equal
        length: float64, float32, float32, uint16, float32, and float32, into which it writes. A
        memory is never weaker than its floor; what is NaN counts as its floor.
    """

    def sweep(
        now: Value,
        last: Value,
        half_life: Value,
        importance: Value,
        recalls: Value,
        floor: Value,
        strength: Value,
    ) -> None:
        for low in range(0, len(last), _BLOCK):
            rows = slice(low, low + _BLOCK)
            age = np.maximum(now - last[rows], 0.0)
            with np.errstate(all="ignore"):  # a designer's rule may pass through infinity
                value = rule(
                    age,
                    half_life[rows].astype(np.float64),
                    importance[rows].astype(np.float64),
                    recalls[rows].astype(np.float64),
                )
            strength[rows] = np.minimum(np.fmax(value, floor[rows]), 1.0)

    return sweep


def sweep_with_numba(rule: Rule = fade) -> Sweep:
    """The same sweep, compiled; takes about a second, or less where it was compiled before.

    Only the rule of the house is kept on the disk: another one is the game's, and compiled anew.

    Raises
    ------
    ImportError
        Numba is not installed.
    numba.core.errors.NumbaError
        It cannot compile this rule; NumPy can still run it.
    """
    import numba
    from numba.extending import register_jitable

    compiler: Any = numba.njit  # its own types do not know how it may be called
    register_jitable(halved)
    register_jitable(fade)
    if rule is fade:
        kept: Sweep = compiler(_SIGNATURE, nogil=True, cache=True, error_model="numpy")(_fade_rows)
        return kept
    inner = compiler(rule, error_model="numpy")

    def rows(
        now: Value,
        last: Value,
        half_life: Value,
        importance: Value,
        recalls: Value,
        floor: Value,
        strength: Value,
    ) -> None:
        for row in range(len(last)):
            age = np.maximum(now - last[row], 0.0)
            value = inner(age, float(half_life[row]), float(importance[row]), float(recalls[row]))
            strength[row] = np.minimum(np.fmax(value, floor[row]), 1.0)

    compiled: Sweep = compiler(_SIGNATURE, nogil=True, error_model="numpy")(rows)
    return compiled


def _fade_rows(
    now: Value,
    last: Value,
    half_life: Value,
    importance: Value,
    recalls: Value,
    floor: Value,
    strength: Value,
) -> None:
    # Apart from the one above, since only a function without a closure is kept on the disk.
    for row in range(len(last)):
        age = np.maximum(now - last[row], 0.0)
        value = fade(age, float(half_life[row]), 0.0, 0.0)
        strength[row] = np.minimum(np.fmax(value, floor[row]), 1.0)
