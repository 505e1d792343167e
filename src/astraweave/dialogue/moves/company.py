"""In company: what is left to say when others have spoken already."""

from __future__ import annotations

import re
from dataclasses import replace

from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.words import words
from astraweave.dialogue.moves.answering import answer
from astraweave.dialogue.moves.choice import Choice, Scene
from astraweave.dialogue.plan import LinePlan

__all__ = ["follow", "hand_over"]

_SAME = 0.6
_AT_ODDS = -0.4
_FOND = 0.2
_STATING = frozenset(
    ["answer", "opinion", "telling_opinion", "agreement", "gossip", "summary_of_talk"]
)
"""Acts that say something with which one can agree."""


def follow(scene: Scene) -> Choice | None:
    """Agree, disagree, add to what was said before, or leave it at that."""
    answered = scene.situation.answered
    if not answered:
        return None
    last = next((a for a in reversed(answered) if a.plan.act == "answer"), answered[-1])
    fields = {"other": last.name}
    if scene.heard.kind == "question":
        return _to_question(scene, last.plan, fields)
    if scene.heard.kind in {"greeting", "farewell"} or scene.situation.addressed:
        return None  # each says it in their own way
    if last.plan.act not in _STATING:
        return _silence(f"{last.name} has answered, and has stated nothing to agree with")
    towards = scene.situation.mind.towards(last.speaker)
    if towards.affinity <= _AT_ODDS:
        reason = f"it does not like {last.name}, who has spoken"
        return Choice("disagree_with", (reason,), fields=fields, model_clauses=0, whole=True)
    outgoing = scene.persona.temperament.extraversion
    if towards.affinity >= _FOND or scene.rng.random() < outgoing * 0.5:
        reason = f"{last.name} has said what there is to say"
        return Choice("agree_with", (reason,), fields=fields, model_clauses=0, whole=True)
    return _silence("others have spoken, and it has nothing to add")


def _to_question(scene: Scene, said: LinePlan, fields: dict[str, str]) -> Choice:
    own = answer(scene)
    if own is None or own.act in {"unknown", "no_opinion"}:
        return _silence("others have spoken, and it does not know")
    if said.act != "answer":
        return own.because(f"{fields['other']} did not know, and it does")
    if _alike(said, own):
        return Choice(
            "agree_with",
            (f"it knows the same as {fields['other']} has said",),
            facts=own.facts,
            fields=fields,
            answer=own.answer,
            model_clauses=0,
            whole=True,
        )
    return Choice(
        "disagree_with",
        (f"it knows otherwise than {fields['other']} has said",),
        fields=fields,
        answer=own.answer,
        model_clauses=0,
        whole=True,
        after=(replace(own, whole=True),),
    )


def hand_over(scene: Scene) -> Choice | None:
    """Let somebody present answer who knows more of it."""
    knower = scene.situation.knower
    if not knower or scene.heard.kind != "question" or scene.situation.answered:
        return None
    if scene.situation.addressed and _OF_YOU.search(scene.text):
        return None  # nobody else answers for what was asked of oneself
    own = answer(scene)
    if own is not None and own.act != "unknown":
        return own
    name = scene.situation.spoken_names().get(knower, "")
    if not name:
        return None
    return Choice(
        "hand_over",
        (f"it does not know, and {name} may",),
        fields={"other": name, "other_id": knower},
        answer=own.answer if own is not None else None,
        model_clauses=0,
        whole=True,
    )


_OF_YOU = re.compile(r"\b(?:you|your|yours|ye|yer)\b", re.IGNORECASE)


def _alike(said: LinePlan, own: Choice) -> bool:
    """Whether two answers say the same."""
    theirs, mine = _content(said.facts), _content(own.facts)
    if not theirs or not mine:
        return False
    return len(theirs & mine) >= _SAME * min(len(theirs), len(mine))


def _content(facts: object) -> frozenset[str]:
    lex = lexicon()
    texts = [getattr(fact, "text", "") for fact in facts] if isinstance(facts, tuple) else []
    return frozenset(
        min(lex.keys(w.low), default=w.low)
        for text in texts
        for w in words(text)
        if w.is_("NEVM") and not w.is_("A")
    )


def _silence(reason: str) -> Choice:
    return Choice("silence", (reason,), model_clauses=0, whole=True)
