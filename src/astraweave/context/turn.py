"""One turn of a conversation."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from astraweave.llm.protocol import Message, Role

__all__ = ["Turn", "as_messages"]


class Turn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one party said, whole: turns are kept or dropped, never cut.

    Attributes
    ----------
    role : str
        ``"user"`` (somebody spoke to the character), ``"assistant"`` (the character spoke) or
        ``"system"``.
    speaker : str
        Id of who spoke.
    text : str
        What was said.
    game_time : float
        Game time in seconds.
    tokens : int
        Cost of the turn in the rendered prompt, as the model counts; 0: not counted yet.
    pinned : bool
        Never dropped by a window.
    """

    role: Role
    speaker: str
    text: str
    game_time: float = 0.0
    tokens: int = 0
    pinned: bool = False


def as_messages(turns: Iterable[Turn]) -> list[Message]:
    """The turns as messages of a chat, one each."""
    return [Message(turn.role, turn.text) for turn in turns]
