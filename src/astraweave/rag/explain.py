"""Why a memory was brought back: what spoke for it and what against it."""

from __future__ import annotations

import msgspec

from astraweave.rag.memory import Memory

__all__ = ["Explanation", "Reason"]

_SHOWN = 8
_SMALL = 0.005


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One feature of a memory as the answer to a question.

    Attributes
    ----------
    feature : str
        Its name, as in ``rag/reranker.toml``; ``"said last"`` for what a memory has from being the
        latest word on something, or from lying on the side of an event that was asked for.
    value : float
        What was measured.
    weight : float
        How much it counts.
    """

    feature: str
    value: float
    weight: float

    @property
    def contribution(self) -> float:
        """What it adds to the score."""
        return self.value * self.weight


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One memory, where a question ranked it, and why.

    Attributes
    ----------
    memory : Memory
        What is remembered.
    rank : int
        1 for the best.
    score : float
        The sum of the contributions; comparable within one question only.
    reasons : tuple of Reason
        All features, those that moved the score most first.
    """

    memory: Memory
    rank: int
    score: float
    reasons: tuple[Reason, ...]

    def __str__(self) -> str:
        told = (
            f"     {reason.contribution:+.2f}  {reason.feature} "
            f"({reason.value:.2f} x {reason.weight:+.2f})"
            for reason in self.reasons[:_SHOWN]
            if abs(reason.contribution) >= _SMALL
        )
        return "\n".join((f"{self.rank}. {self.score:+.2f}  {self.memory.text}", *told))
