"""Where the turns that may be dropped stand, between those that stay."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from astraweave.context.turn import Turn

__all__ = ["place_of", "stays", "without"]


def stays(turn: Turn) -> bool:
    """Whether no window drops it: it is pinned, or the system's."""
    return turn.pinned or turn.role == "system"


def place_of(pinned: Sequence[int], rank: int) -> int:
    """Index of the droppable turn that `rank` others come before; after the last: the length.

    `pinned` are the indices of the turns that stay, ascending. Logarithmic in their number.
    """
    return rank + bisect_right(range(len(pinned)), rank, key=lambda at: pinned[at] - at)


def without(turns: Sequence[Turn], pinned: Sequence[int], first: int, last: int) -> list[Turn]:
    """The turns less the droppable ones of ranks `first` to `last`, which is not among them."""
    begin, end = place_of(pinned, first), place_of(pinned, last)
    inside = pinned[bisect_left(pinned, begin) : bisect_left(pinned, end)]
    return [*turns[:begin], *(turns[index] for index in inside), *turns[end:]]
