"""Moods and relationships in words: what a mood is called, how somebody is taken."""

from __future__ import annotations

import functools
import math
import tomllib
from importlib import resources
from typing import Any

import msgspec

from astraweave.persona.state import Mood, PersonaState, Relationship

__all__ = ["Feeling", "FeelingKind", "Stance", "feeling", "feeling_kinds", "feeling_of", "stance"]

_CALM_BELOW = 0.2
"""A mood this near to the middle is no feeling in particular."""
_STRONG = (0.4, 1.0)
"""From where on the second and the third word of a feeling are said."""
_SIDED = 0.3
"""From this valence on a feeling is a pleasant or an unpleasant one."""
_EVEN = "even-tempered"


class FeelingKind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A feeling that has a name.

    Attributes
    ----------
    name : str
        ``"anger"``.
    at : tuple of three float
        The direction of valence, arousal and dominance that stands for it, of length 1.
    words : tuple of three str
        What it is called, weak to strong: ``("annoyed", "angry", "furious")``.
    asked : tuple of str
        With which words somebody asks for it.
    """

    name: str
    at: tuple[float, float, float]
    words: tuple[str, str, str]
    asked: tuple[str, ...] = ()

    def share(self, mood: Mood) -> float:
        """How much of the feeling there is in a mood: how far the mood goes in its direction.

        A pleasant mood, however stirred, has nothing of an unpleasant feeling, nor the reverse.
        """
        return self.along(mood.valence, mood.arousal, mood.dominance)

    def along(self, valence: float, arousal: float, dominance: float) -> float:
        """The same of three axes."""
        v, a, d = self.at
        alone = v * valence
        whole = alone + a * arousal + d * dominance
        if alone < 0.0 and whole > alone and abs(v) >= _SIDED:
            return alone
        return whole


class Feeling(msgspec.Struct, frozen=True, kw_only=True):
    """What a mood feels like.

    Attributes
    ----------
    name : str
        Of the feeling: ``"anger"``; empty when it is none in particular.
    word : str
        For this strength of it: ``"furious"``.
    strength : float
        From 0 to about 1.7, the corner of all axes.
    """

    name: str
    word: str
    strength: float


class Stance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a character takes somebody.

    Attributes
    ----------
    name : str
        ``"friend"``, ``"stranger"``, ``"rival"``, ``"feared"``... (``persona/stances.toml``).
    card : str
        The same for a prompt: ``"a friend of yours"``.
    trust, affinity, respect, fear : tuple of two float
        Between what each axis must lie.
    """

    name: str
    card: str
    trust: tuple[float, float] = (-1.0, 1.0)
    affinity: tuple[float, float] = (-1.0, 1.0)
    respect: tuple[float, float] = (-1.0, 1.0)
    fear: tuple[float, float] = (0.0, 1.0)

    def fits(self, value: Relationship) -> bool:
        """Whether a relationship lies within all four."""
        return (
            self.trust[0] <= value.trust <= self.trust[1]
            and self.affinity[0] <= value.affinity <= self.affinity[1]
            and self.respect[0] <= value.respect <= self.respect[1]
            and self.fear[0] <= value.fear <= self.fear[1]
        )


_STRANGER = Stance(name="stranger", card="a stranger to you")


def feeling_of(mood: Mood) -> Feeling:
    """The feeling in whose direction a mood lies, and how strong it is.

    Examples
    --------
    >>> feeling_of(Mood(valence=-0.7, arousal=0.7, dominance=0.4)).word
    'furious'
    """
    strength = math.hypot(mood.valence, mood.arousal, mood.dominance)
    if not strength >= _CALM_BELOW:
        return Feeling(name="", word=_EVEN, strength=strength)
    v, a, d = mood.valence, mood.arousal, mood.dominance
    kind = max(feeling_kinds(), key=lambda each: each.along(v, a, d))
    grade = sum(strength >= bound for bound in _STRONG)
    return Feeling(name=kind.name, word=kind.words[grade], strength=strength)


def feeling(mood: Mood) -> str:
    """What a mood is called.

    Examples
    --------
    >>> feeling(Mood(valence=-0.4, arousal=0.4, dominance=0.2))
    'angry'
    >>> feeling(Mood())
    'even-tempered'
    """
    return feeling_of(mood).word


def stance(value: Relationship | PersonaState, other: str = "") -> Stance:
    """How a character takes somebody.

    Parameters
    ----------
    value : Relationship or PersonaState
        How it stands to them; or its state, when `other` says to whom.
    other : str
        Their id: whoever the state has no relationship with is a stranger.

    Examples
    --------
    >>> stance(Relationship(affinity=0.5, trust=0.4)).name
    'friend'
    >>> stance(PersonaState(), "player").name
    'stranger'
    """
    if isinstance(value, PersonaState):
        if other not in value.relationships:
            return _STRANGER
        value = value.relationships[other]
    return next(each for each in _stances() if each.fits(value))


@functools.cache
def feeling_kinds() -> tuple[FeelingKind, ...]:
    """The feelings that have a name (``persona/feelings.toml``)."""
    found = []
    for name, table in _read("feelings.toml").items():
        kind = msgspec.convert({"name": name, **table}, FeelingKind)
        v, a, d = kind.at
        length = math.hypot(v, a, d)
        at = (v / length, a / length, d / length)
        found.append(msgspec.structs.replace(kind, at=at))
    return tuple(found)


@functools.cache
def _stances() -> tuple[Stance, ...]:
    found = msgspec.convert(_read("stances.toml")["stances"], list[Stance])
    return (*found, Stance(name="acquaintance", card="somebody you know a little"))


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"))
