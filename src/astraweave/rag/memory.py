"""A memory: one thing that one character knows because it happened, was said or was seen."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Memory", "MemoryKind"]

MemoryKind = Literal[
    "sensory", "working", "episodic", "semantic", "emotional", "social", "procedural"
]


class Memory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One memory of one character.

    Attributes
    ----------
    id : int
        Unique in the world, ascending in the order of writing; 0: not stored yet.
    owner : str
        Id of the character who remembers; or, from "@" on, the scope whose members share it:
        ``"@world"``, ``"@town:ID"``, ``"@faction:ID"``, or ``"@author"`` for what nobody in the
        game may know.
    text : str
        What was said or seen, as it was said ("My sister Mira lost a silver ring").
    kind : str
        What sort of memory it is; decides later how it fades.
    speaker : str
        Id of who said it; empty when nobody did.
    addressee : str
        Id of whom it was said to; empty when nobody was meant.
    game_time : float
        Game time in seconds when it happened.
    importance : float
        0 (small talk) to 1 (an oath).
    tags : tuple of str
        The game's own labels.
    entities : tuple of str
        Ids or names of what it is about.
    provenance : tuple of str
        Ids of those through whom it came, whoever saw it first; empty: the owner was there.
    sources : tuple of int
        Ids of the memories that it was made from: those that a gist sums up, the one that a shared
        copy was taken from.
    superseded_by : int
        Id of the later memory that says otherwise; 0: it still holds, as far as the owner knows.
    """

    id: int = 0
    owner: str
    text: str
    kind: MemoryKind = "episodic"
    speaker: str = ""
    addressee: str = ""
    game_time: float = 0.0
    importance: float = 0.5
    tags: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    provenance: tuple[str, ...] = ()
    sources: tuple[int, ...] = ()
    superseded_by: int = 0
