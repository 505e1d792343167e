"""How memories live: how fast each kind fades, what recall does, what stays, how many fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, get_args

import msgspec
import numpy as np

from astraweave.core.toml import did_you_mean
from astraweave.errors import ConfigError
from astraweave.rag.memory import Memory, MemoryKind

__all__ = ["DecayRule", "LifeSettings", "checked_rule"]

DecayRule = Callable[[Any, Any, Any, Any], Any]
"""``rule(age, half_life, importance, recalls)`` gives the strength; arrays or single numbers."""

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_HALF_LIVES: dict[str, float] = {
    "sensory": 2 * _MINUTE,
    "working": _HOUR,
    "episodic": 14 * _DAY,
    "emotional": 60 * _DAY,
    "social": 90 * _DAY,
    "semantic": 180 * _DAY,
    "procedural": 365 * _DAY,
}


class LifeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How memories fade, in seconds of game time.

    Attributes
    ----------
    half_lives : dict of str to float
        By kind, of a memory that does not matter and is never recalled. Those left out have the
        house's.
    importance_gain : float
        By how many half-lives more something of importance 1 lasts.
    spacing_gain : float
        By what share of itself a half-life grows with a recall of something all but forgotten;
        what is recalled at once again gains next to nothing.
    longest_half_life : float
        No recall lengthens a half-life beyond it.
    superseded_share, summed_up_share : float
        What is left of the half-life of a memory that no longer holds, and of one whose gist is
        kept.
    forget_below : float
        Strength below which a memory is gone.
    protected_kinds : frozenset of str
        These never fade.
    protected_tags : frozenset of str
        Nor does what bears one of these.
    max_memories, max_bytes : int
        What a character may keep. The weakest and least important go first, what is protected
        last; bytes are about those in a save (`MemoryLife.size_of`).
    """

    half_lives: dict[MemoryKind, float] = {}
    importance_gain: float = 3.0
    spacing_gain: float = 1.5
    longest_half_life: float = 3650 * _DAY
    superseded_share: float = 0.25
    summed_up_share: float = 0.1
    forget_below: float = 0.01
    protected_kinds: frozenset[MemoryKind] = frozenset()
    protected_tags: frozenset[str] = frozenset({"quest", "oath", "promise"})
    max_memories: int = 20_000
    max_bytes: int = 32 << 20

    def __post_init__(self) -> None:
        kinds = get_args(MemoryKind)
        for kind in (*self.half_lives, *self.protected_kinds):
            if kind not in kinds:
                raise ConfigError(f"no kind of memory: {kind!r}{did_you_mean(kind, kinds)}")
        positive = {
            "longest_half_life": self.longest_half_life,
            **{f"half_lives of {kind}": value for kind, value in self.half_lives.items()},
        }
        for name, value in positive.items():
            if not (math.isfinite(value) and value > 0.0):
                raise ConfigError(f"{name} must be a number of seconds above 0, not {value}")
        for name in ("importance_gain", "spacing_gain"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0.0):
                raise ConfigError(f"{name} must be 0 or more, not {value}")
        for name in ("superseded_share", "summed_up_share"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} must be above 0 and at most 1")
        if not 0.0 <= self.forget_below < 1.0:
            raise ConfigError(f"forget_below must be from 0 to below 1, not {self.forget_below}")
        if self.max_memories < 1 or self.max_bytes < 1:
            raise ConfigError("max_memories and max_bytes must be 1 or more")

    def half_life(self, memory: Memory) -> float:
        """How long half of a memory lasts before any recall, in seconds."""
        base = self.half_lives.get(memory.kind) or _HALF_LIVES[memory.kind]
        return base * (1.0 + self.importance_gain * memory.importance)

    def protects(self, memory: Memory) -> bool:
        """Whether a memory never fades."""
        return memory.kind in self.protected_kinds or not self.protected_tags.isdisjoint(
            memory.tags
        )


def checked_rule(rule: DecayRule) -> DecayRule:
    """The rule, if it gives a number for whatever a sweep may ask of it.

    It is tried in NumPy on ages from nothing to a thousand years, half-lives from a second to a
    hundred years, all importances and up to 65,535 recalls.

    Raises
    ------
    ConfigError
        It fails, or gives something else than finite numbers, one for each memory.
    """
    name = getattr(rule, "__name__", repr(rule))
    day = 86_400.0
    grid = np.meshgrid(
        np.array([0.0, 1e-3, 1.0, 3600.0, day, 30 * day, 365 * day, 3650 * day, 3.2e10]),
        np.array([1.0, 120.0, 3600.0, 14 * day, 365 * day, 3.2e9]),
        np.array([0.0, 0.05, 0.5, 1.0]),
        np.array([0.0, 1.0, 5.0, 100.0, 65_535.0]),
    )
    columns = [axis.ravel() for axis in grid]
    try:
        with np.errstate(all="ignore"):
            strength = np.asarray(rule(*(column.copy() for column in columns)), np.float64)
    except Exception as error:
        raise ConfigError(
            f"the decay rule {name!r} fails on arrays: {error}; write it as plain arithmetic, with "
            "numpy's functions in place of `if` and `math`",
            rule=name,
        ) from error
    if strength.shape not in {(), columns[0].shape}:
        raise ConfigError(
            f"the decay rule {name!r} gives shape {strength.shape} for {columns[0].shape}: one "
            "strength for each memory is wanted",
            rule=name,
        )
    strength = np.broadcast_to(strength, columns[0].shape)
    wrong = np.flatnonzero(~np.isfinite(strength))
    if len(wrong):
        age, half_life, importance, recalls = (float(column[wrong[0]]) for column in columns)
        raise ConfigError(
            f"the decay rule {name!r} gives {strength[wrong[0]]} for an age of {age:g} s, a "
            f"half-life of {half_life:g} s, importance {importance:g} and {recalls:.0f} recalls",
            rule=name,
        )
    return rule
