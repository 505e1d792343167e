"""What is told: taken note of, felt with, or doubted."""

from __future__ import annotations

import re
from dataclasses import replace

from astraweave.dialogue.acts import Act, act_of, is_news
from astraweave.dialogue.echoes import follows_on, opines
from astraweave.dialogue.grammar import Grammar
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
    if _in_mid_story(told, scene):
        why = "and only wanted to be heard out"
        return replace(_heard_out(told, scene, why), facts=(fact,), told=told)
    return Choice("telling", (reason,), facts=(fact,), told=told, after=felt_with(told, scene))


_COLD = -0.25
_OF_OTHERS = frozenset("he she it they his her its their one both".split())
_SHARED = 0.6
_ASKS_ON = 0.4
_CONTENT = re.compile(r"[^\W\d_]{4,}")


def _in_mid_story(told: str, scene: Scene) -> bool:
    """Whether to let somebody go on: they are in the middle, or were said back a moment ago."""
    if Grammar.named(scene.persona.language).takes(told) or scene.relation.affinity <= _COLD:
        return False
    if follows_on(told):
        return True
    turns = scene.situation.history
    mine = next((t.text for t in reversed(turns) if t.role == "assistant"), "")
    theirs = next((t.text for t in reversed(turns) if t.role == "user"), "")
    said = set(_CONTENT.findall(theirs.casefold()))
    return bool(said) and len(said & set(_CONTENT.findall(mine.casefold()))) >= _SHARED * len(said)


def _heard_out(text: str, scene: Scene, reason: str) -> Choice:
    """Let somebody go on: an event may have gone on as well."""
    asks = _happened(text) and scene.rng.random() < _ASKS_ON
    return Choice("what_next" if asks else "listening", (reason,))


def _happened(told: str) -> bool:
    """Whether what was told is an event, which may have gone on."""
    return any(
        w.forms & {"past"} and "base" not in w.forms
        for c in read(told)
        if c.subject is not None and not c.relative and not c.auxiliaries
        for w in c.verbs[:1]
    )


def chat(scene: Scene) -> Choice:
    """Small talk; who goes on with a story is heard out."""
    if scene.heard.kind == "smalltalk" and _goes_on(scene):
        return _heard_out(scene.text, scene, "told more of what was told before")
    return Choice("smalltalk", ("nothing in particular was said",))


def _goes_on(scene: Scene) -> bool:
    """Whether a remark is of what the speaker told a moment ago: "Her husband is furious."."""
    if scene.relation.affinity <= _COLD or not scene.recent or scene.text.endswith("?"):
        return False
    first = scene.text.split()[0].casefold().strip(",.")
    return first in _OF_OTHERS and any(
        c.subject is not None and (c.verbs or c.auxiliaries) for c in read(scene.text)
    )


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
