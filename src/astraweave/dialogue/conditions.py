"""When a variant may be said: bands of mood, relationship, certainty and age.

A condition is a few terms, all of which must hold: ``"cold"``, ``"warm sad"``,
``"trust-low valence-high"``. Each term is an interval on one axis or on several, so that a lint can
tell which conditions can never hold.
"""

from __future__ import annotations

import math
from functools import lru_cache

import msgspec

from astraweave.core.toml import did_you_mean
from astraweave.dialogue.tone import Tone
from astraweave.errors import ConfigError
from astraweave.rag import DAY_S

__all__ = ["DAY_S", "TERMS", "UNSURE", "Condition"]

UNSURE = 0.6
"""Below this certainty what a line says is hedged."""

_LOW, _HIGH = (-1.0, -0.25), (0.25, 1.0)
_BOTH_SIDED = ("valence", "arousal", "dominance", "trust", "affinity", "respect")
_WEIGHT = {"fear": 4, "affinity": 3, "trust": 3, "respect": 3}
"""Between equally long conditions, what is felt about the listener goes before a passing mood."""

Bands = dict[str, tuple[float, float]]

TERMS: dict[str, Bands] = {
    **{f"{axis}-low": {axis: _LOW} for axis in _BOTH_SIDED},
    **{f"{axis}-high": {axis: _HIGH} for axis in _BOTH_SIDED},
    "fear-high": {"fear": (0.4, 1.0)},
    "certainty-low": {"certainty": (0.0, UNSURE)},
    "certainty-high": {"certainty": (0.85, 1.0)},
    "age-low": {"age": (0.0, DAY_S)},
    "age-high": {"age": (30 * DAY_S, math.inf)},
    # in words that a writer thinks in
    "warm": {"affinity": _HIGH},
    "cold": {"affinity": _LOW},
    "trusting": {"trust": _HIGH},
    "wary": {"trust": _LOW},
    "respectful": {"respect": _HIGH},
    "scornful": {"respect": _LOW},
    "afraid": {"fear": (0.4, 1.0)},
    "glad": {"valence": _HIGH},
    "angry": {"valence": _LOW, "arousal": _HIGH},
    "sad": {"valence": _LOW, "arousal": (-1.0, 0.25)},
    "excited": {"valence": _HIGH, "arousal": _HIGH},
    "tired": {"arousal": _LOW},
    "sure": {"certainty": (0.85, 1.0)},
    "unsure": {"certainty": (0.0, UNSURE)},
    "doubtful": {"certainty": (0.0, 0.35)},
    "recent": {"age": (0.0, DAY_S)},
    "while-ago": {"age": (3 * DAY_S, math.inf)},
    "long-ago": {"age": (30 * DAY_S, math.inf)},
    "hearsay": {"hearsay": (1.0, 1.0)},
    "first-hand": {"hearsay": (0.0, 0.0)},
}


class Condition(msgspec.Struct, frozen=True):
    """Terms that must all hold. Immutable.

    Examples
    --------
    >>> cold = Condition.parse("cold")
    >>> cold.holds(Tone())
    False
    >>> Condition.parse("warm cold").possible
    False
    """

    bands: tuple[tuple[str, float, float], ...] = ()
    text: str = "any"

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition as it stands in a voice: terms with blanks between; ``"any"``: always.

        Raises
        ------
        ConfigError
            There is no such term; names the nearest.
        """
        return _parse(text)

    @property
    def possible(self) -> bool:
        """Whether any tone fits."""
        return all(low <= high for _, low, high in self.bands)

    @property
    def rank(self) -> tuple[int, int]:
        """How specific it is; larger goes first."""
        axes = [axis for axis, _, _ in self.bands]
        return len(axes), sum(_WEIGHT.get(axis, 1) for axis in axes)

    def concerns(self, *axes: str) -> bool:
        """Whether it speaks of any of these axes."""
        return any(axis in axes for axis, _, _ in self.bands)

    def holds(self, tone: Tone) -> bool:
        """Whether a line in this tone may be worded so."""
        return all(low <= _value(tone, axis) <= high for axis, low, high in self.bands)


@lru_cache(maxsize=1024)
def _parse(text: str) -> Condition:
    terms = text.split()
    merged: Bands = {}
    for term in terms:
        if term == "any":
            continue
        if term not in TERMS:
            raise ConfigError(f"unknown condition {term!r}{did_you_mean(term, TERMS)}", key=term)
        for axis, (low, high) in TERMS[term].items():
            before = merged.get(axis, (-math.inf, math.inf))
            narrowed = max(before[0], low), min(before[1], high)
            # Bands that only touch ("sad" and "angry" in arousal) do not meet.
            touching = narrowed[0] == narrowed[1] and low != high and before[0] != before[1]
            merged[axis] = (1.0, -1.0) if touching else narrowed
    bands = tuple((axis, low, high) for axis, (low, high) in sorted(merged.items()))
    return Condition(bands, " ".join(terms))


def _value(tone: Tone, axis: str) -> float:
    if axis in ("valence", "arousal", "dominance"):
        return float(getattr(tone.mood, axis))
    if axis == "certainty":
        return tone.certainty
    if axis == "age":
        return tone.age_s
    if axis == "hearsay":
        return float(bool(tone.source))
    return float(getattr(tone.relationship, axis))
