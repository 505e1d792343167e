"""What a character does with a line: families of acts, and the table that chooses among them."""

from __future__ import annotations

from astraweave.dialogue.moves.choice import LINE_ACTS, Choice, Scene
from astraweave.dialogue.moves.table import decide

__all__ = ["LINE_ACTS", "Choice", "Scene", "decide"]
