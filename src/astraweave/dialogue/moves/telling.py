"""What is told: taken note of, felt with, or doubted."""

from __future__ import annotations

from dataclasses import replace

from astraweave.dialogue.acts import Act, act_of, is_news
from astraweave.dialogue.compose import opines
from astraweave.dialogue.language.clauses import read
from astraweave.dialogue.language.words import sentences, words
from astraweave.dialogue.moves import by_tables
from astraweave.dialogue.moves.by_tables import act_in, read_by_tables
from astraweave.dialogue.moves.choice import Choice, Scene
from astraweave.dialogue.moves.meeting import greet
from astraweave.dialogue.moves.sympathy import felt_with
from astraweave.dialogue.plan import PlannedFact
from astraweave.dialogue.recall import corrected
from astraweave.dialogue.situation import Situation

__all__ = ["chat", "heard_act", "take_note"]

_MINE = frozenset(["i", "my", "me", "we", "our", "us"])


def heard_act(situation: Situation) -> Act:
    """What the utterance does; one that mends what was told before tells it anew."""
    tables = read_by_tables(situation.utterance.text, situation.persona)
    if tables is not None:
        return act_in(situation.utterance.text, tables)
    act = act_of(situation.utterance.text, situation.persona.name)
    if act.kind in {"telling", "smalltalk", "agreement"}:
        mended = corrected(situation.utterance.text, situation.history)
        if mended is not None and (told := act_of(mended).told):
            return Act(kind="telling", greets=act.greets, told=told)
    return act


def take_note(scene: Scene) -> Choice | None:
    """Take note of something told, where it deserves to be named."""
    if (noted := by_tables.take_note(scene)) is not None:
        return replace(noted, after=felt_with(noted.told, scene))
    told = scene.heard.told
    if scene.heard.greets and opines(told):
        return greet(scene)
    if not weighty(told):
        return None
    fact = PlannedFact(text=told, teller=scene.situation.speaker)
    reason = "told something worth keeping"
    return Choice("telling", (reason,), facts=(fact,), told=told, after=felt_with(told, scene))


def chat(scene: Scene) -> Choice:
    """Small talk."""
    return Choice("smalltalk", ("nothing in particular was said",))


def weighty(told: str) -> bool:
    """Whether something told deserves to be named: somebody, a number, a place or a deed is in it."""  # noqa: E501
    for sentence in sentences(told):
        if is_news(sentence):
            return True
        if any(w.is_("EM") or w.low in _MINE for w in words(sentence)):
            return True
        for clause in read(sentence):
            if (clause.verbs and clause.objects) or any(p != "@time" for p, _ in clause.places):
                return True
    return False
