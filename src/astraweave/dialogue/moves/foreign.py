"""Utterances in a language that is not read: kept as they are, and answered honestly."""

from __future__ import annotations

from astraweave.dialogue.answer import Answer
from astraweave.dialogue.grammar import language_of
from astraweave.dialogue.moves.by_tables import read_by_tables
from astraweave.dialogue.moves.choice import Choice, Scene
from astraweave.rag.salience import is_question

__all__ = ["hear_foreign", "is_foreign"]


def hear_foreign(scene: Scene) -> Choice | None:
    """Claim nothing about what was not understood; it is remembered word for word."""
    if not is_foreign(scene.text) or read_by_tables(scene.text, scene.persona) is not None:
        return None
    if is_question(scene.text) or scene.text.rstrip().endswith((";", "՞", "፧", "⸮")):
        return Choice(
            "unknown",
            ("a question in a language that it cannot read",),
            answer=Answer("unknown"),
            model_clauses=0,
            whole=True,
        )
    return Choice(
        "telling",
        ("said in a language that it cannot read",),
        told=scene.text,
        model_clauses=0,
        whole=True,
    )


def is_foreign(text: str) -> bool:
    """Whether a text is in a language that the rules do not read: they read English."""
    return language_of(text) != "en"
