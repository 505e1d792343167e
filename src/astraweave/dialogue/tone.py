"""In what tone a line is said: everything about its wording that is not its content."""

from __future__ import annotations

import msgspec

from astraweave.persona.state import Mood, Relationship

__all__ = ["Tone"]


class Tone(msgspec.Struct, frozen=True, kw_only=True):
    """How the composer should word a line.

    Attributes
    ----------
    mood : Mood
        Of the speaker, as of now.
    relationship : Relationship
        The speaker's to whom the line is meant for.
    certainty : float
        How sure the speaker is of what the line says, 0 to 1; below about 0.6 it is hedged.
    age_s : float
        Game seconds since what it says was learned; long ago is said as such. 0: just now.
    source : str
        Name of who told it to the speaker; empty: the speaker was there, or the listener told it.
    """

    mood: Mood = Mood()
    relationship: Relationship = Relationship()
    certainty: float = 1.0
    age_s: float = 0.0
    source: str = ""
