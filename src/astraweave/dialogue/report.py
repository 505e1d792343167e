"""What was shown of a line, and what became of it."""

from __future__ import annotations

from typing import Literal

import msgspec

from astraweave.dialogue.plan import LinePlan

__all__ = ["Clause", "LineReport", "Tier"]

Tier = Literal["model", "composed"]


class Clause(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a line that was shown.

    Attributes
    ----------
    text : str
        With the space in front that joins it to the piece before.
    tier : str
        Who made it: ``"model"`` or ``"composed"``.
    memories : tuple of int
        Ids of the memories that it rests on.
    """

    text: str
    tier: Tier
    memories: tuple[int, ...] = ()


class LineReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a line; times in milliseconds from `DialogueGenerator.begin`.

    Attributes
    ----------
    act : str
        What the utterance did: ``"question"``, ``"telling"``...
    answer : str
        For questions: ``"known"``, ``"confirmed"``, ``"denied"``, ``"about"``, ``"unknown"``.
    drafted, passed, shown : int
        Clauses that the model drafted, that passed the check, that were shown.
    tier : str
        Who answered: ``"model"`` where it added anything, else ``"composed"``.
    tiers : dict of str to int
        Shown clauses of each tier.
    failed : dict of str to int
        Reasons for which clauses were refused.
    repaired : dict of str to int
        Small faults of the model's clauses that were mended before they were shown.
    plan : LinePlan or None
        What the line does and says, and why.
    first_clause_ms, total_ms : float
        First shown clause; the whole line.
    model_asked : bool
        Whether a model was asked at all.
    model_first_clause_ms, model_line_ms : float or None
        First checked clause of the model; the end of its draft. None: there was none.
    model_error : str
        Class of the error that ended the model's part; empty when there was none.
    """

    act: str = ""
    answer: str = ""
    drafted: int = 0
    passed: int = 0
    shown: int = 0
    tier: Tier = "composed"
    tiers: dict[str, int] = {}
    failed: dict[str, int] = {}
    repaired: dict[str, int] = {}
    plan: LinePlan | None = None
    first_clause_ms: float = 0.0
    total_ms: float = 0.0
    model_asked: bool = False
    model_first_clause_ms: float | None = None
    model_line_ms: float | None = None
    model_error: str = ""
