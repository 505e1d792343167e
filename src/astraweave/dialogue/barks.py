"""Barks: short lines that nobody asked for. Composed at once, on the game's thread, no model."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Mapping

from astraweave.core.rng import RandomStreams
from astraweave.dialogue.compose import Composer
from astraweave.dialogue.tone import Tone
from astraweave.dialogue.voice import VoiceLibrary
from astraweave.errors import InputError
from astraweave.persona import Persona

__all__ = ["BARKS", "Barker"]

BARKS: Mapping[str, float] = {
    "idle": 45.0,
    "notice": 8.0,
    "combat": 4.0,
    "hurt": 2.0,
    "weather": 120.0,
    "work": 45.0,
}
"""Kinds, and the game seconds for which a character then says nothing of that kind again."""

_ANY_PAUSE_S = 1.5
"""Game seconds between any two barks of a character."""
_NOT_AGAIN = 20
"""So many barks of a character are looked back on: what was said longest ago comes first, and no
line comes again before half of its kind have been said."""


class Barker:
    """Barks of one character. Not thread-safe; for the game's thread.

    What it says follows from seed, character, kind, game time and what it said before, and from
    nothing else. Barks are no memories: what was barked lately is forgotten with the session.

    Parameters
    ----------
    persona : Persona
        Whose voice it is.
    seed : int
        Of the world.

    Examples
    --------
    >>> barker = Barker(Persona.builtin("tam"), seed=1)
    >>> bool(barker.bark("work", now=0.0)), barker.bark("work", now=1.0)
    (True, '')
    """

    def __init__(self, persona: Persona, seed: int, voices: VoiceLibrary | None = None) -> None:
        self._persona, self._seed = persona, seed
        self._composer = Composer(persona, voices)
        self._last: dict[str, float] = {}
        self._recent: deque[str] = deque(maxlen=_NOT_AGAIN)

    def bark(self, kind: str, *, now: float, tone: Tone | None = None, force: bool = False) -> str:
        """A line of this kind; empty while it is too soon for one, or when all were just said.

        Parameters
        ----------
        kind : str
            One of `BARKS`.
        now : float
            Game time in seconds.
        tone : Tone, optional
            The character's mood.
        force : bool
            Whether cool-downs do not count.

        Raises
        ------
        InputError
            There is no such kind.
        """
        pause = BARKS.get(kind)
        if pause is None:
            raise InputError(
                f"{kind!r} is no bark; there are: {', '.join(BARKS)}", kind=kind, known=tuple(BARKS)
            )
        if not force and not self._ready(kind, pause, now):
            return ""
        act = f"bark_{kind}"
        if not self._composer.covers(act):
            return ""
        # A stream of its own each time: nothing is left behind that a save would have to hold.
        rng = RandomStreams(self._seed)[f"bark/{self._persona.id}/{kind}/{now!r}/{len(self._last)}"]
        line = self._fresh(act, tone or Tone(), rng)
        if line:
            self._last[kind] = now
            self._recent.append(line)
        return line

    def _ready(self, kind: str, pause: float, now: float) -> bool:
        last = self._last.get(kind, -math.inf)
        latest = max(self._last.values(), default=-math.inf)
        # A clock that was put back makes nobody fall silent.
        return not (0 <= now - last < pause or 0 <= now - latest < _ANY_PAUSE_S)

    def _fresh(self, act: str, tone: Tone, rng: random.Random) -> str:
        lines = self._composer.variants(act, tone)
        rng.shuffle(lines)
        said = {line: age for age, line in enumerate(self._recent, start=1)}  # larger: later
        lines.sort(key=lambda line: said.get(line, 0))
        barred = set(list(self._recent)[-max(1, len(lines) // 2) :])
        return next((line for line in lines if line not in barred), "")
