"""When two have last met: read from the turns between them, which the save keeps."""

from __future__ import annotations

from collections.abc import Sequence

from astraweave.context import Turn

__all__ = ["SITTING_S", "last_met"]

SITTING_S = 1800.0
"""Game seconds of silence between two after which they have parted and meet anew."""


def last_met(turns: Sequence[Turn], speaker: str, now: float) -> float | None:
    """Game time at which the two last talked before this sitting; None: never.

    Parameters
    ----------
    turns : sequence of Turn
        Of the character, with everybody, oldest first.
    speaker : str
        The other.
    now : float
        Game time in seconds.
    """
    later = now
    with_them = False
    for index in range(len(turns) - 1, -1, -1):
        turn = turns[index]
        if turn.role == "assistant":
            before = turns[index - 1] if index else None
            with_them = before is not None and before.speaker == speaker
        if turn.speaker != speaker and not (turn.role == "assistant" and with_them):
            continue
        if later - turn.game_time >= SITTING_S:
            return turn.game_time
        later = turn.game_time
    return None
