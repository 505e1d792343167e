"""Questions: what is known is said, what is not known is said to be not known."""

from __future__ import annotations

from collections.abc import Sequence

from astraweave.dialogue.acts import act_of
from astraweave.dialogue.answer import Answer
from astraweave.dialogue.facts import Source
from astraweave.dialogue.knowing import known, told_then, when_told
from astraweave.dialogue.language.questions import Question
from astraweave.dialogue.moments import asked_period, asked_telling
from astraweave.dialogue.moves.choice import Choice, Scene
from astraweave.dialogue.plan import PlannedFact
from astraweave.dialogue.recall import resolved_question

__all__ = ["answer", "found_in", "look_back", "recap"]


def answer(scene: Scene) -> Choice | None:
    """Answer what was asked, from what is remembered and known."""
    question = scene.heard.question
    if question is None:
        return None
    situation = scene.situation
    asked = resolved_question(scene.text, situation.history)
    if asked != scene.text:
        question = act_of(asked, scene.persona.name).question or question
    return _said(known(asked, question, situation, scene.answerer), scene)


def look_back(scene: Scene) -> Choice | None:
    """Say what was told at some time, or when something was told."""
    if asked_period(scene.text) is not None:
        return _said(told_then(scene.situation), scene)
    telling = asked_telling(scene.text)
    if telling is None:
        return None
    return _said(when_told(telling, scene.situation, scene.answerer), scene)


def _said(found: Answer, scene: Scene) -> Choice:
    if found.kind == "unknown":
        return Choice(
            "unknown",
            ("a question, and nothing that is known answers it",),
            fields=_topic(found),
            answer=found,
            model_clauses=0,
            whole=True,
        )
    return Choice(
        "answer",
        (f"a question, answered from {_whose(found)}",),
        facts=_facts(found, scene),
        answer=found,
        model_clauses=1,
        whole=True,
    )


def recap(scene: Scene) -> Choice:
    """Say what is remembered of the speaker."""
    told = scene.tellings[:3]
    texts = tuple(
        PlannedFact(text=s.text, memory=s.memory_id, teller=s.speaker) for _, s in told[:2]
    )
    reason = "asked what is remembered of them"
    return Choice("recap", (reason,), facts=texts, model_clauses=1, whole=True)


def found_in(scene: Scene, question: Question, sources: Sequence[Source]) -> Answer:
    """The best answer that these sources support."""
    situation = scene.situation
    return scene.answerer.answer(
        question,
        sources,
        asker=situation.speaker,
        listener=scene.persona.id,
        names=situation.spoken_names(),
    )


def _topic(found: Answer) -> dict[str, str]:
    return {"topic": found.topic} if found.topic else {}


def _whose(found: Answer) -> str:
    who = {"asker": "what the asker told", "self": "what the character knows itself"}
    return who.get(found.teller, f"what {found.teller} told")


def _facts(found: Answer, scene: Scene) -> tuple[PlannedFact, ...]:
    tellers = {"asker": scene.situation.speaker, "self": scene.persona.id}
    teller = tellers.get(found.teller, found.teller)
    ids = {r.memory.text: r.memory.id for r in scene.situation.memories}
    return tuple(
        PlannedFact(text=text, retold=retold, memory=ids.get(text, 0), teller=teller)
        for text, retold in zip(found.texts, found.retold, strict=False)
    )
