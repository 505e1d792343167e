"""Whether a clause belongs where it would stand."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from astraweave.dialogue.check.judge import Moment

__all__ = ["faults_of_fit"]

_CHEER = re.compile(
    r"\b(?:well done|congratulations|fine day|great name|happy|wonderful|glad)\b", re.IGNORECASE
)
"""Cheer from a model that has not understood what it was told."""
_TAKES_BACK = re.compile(
    r"n't\b|\b(?:not|never|but|no,|wrong|actually|instead|maybe|perhaps)(?!\w)", re.IGNORECASE
)


def faults_of_fit(clause: str, moment: Moment, line: str) -> Iterable[str]:
    """What is wrong with a clause in its place, however well it is formed and supported."""
    if moment.answer and _TAKES_BACK.search(clause):
        yield "contradiction"
    if moment.act in {"telling", "apology"} and _CHEER.search(clause):
        yield "tone"
