"""Questions: what is known is said, what is not known is said to be not known."""

from __future__ import annotations

from collections.abc import Sequence

from astraweave.dialogue.acts import act_of
from astraweave.dialogue.answer import Answer
from astraweave.dialogue.facts import Source
from astraweave.dialogue.language.questions import Question
from astraweave.dialogue.language.words import words
from astraweave.dialogue.moves.choice import Choice, Scene
from astraweave.dialogue.plan import PlannedFact
from astraweave.dialogue.recall import resolved_question
from astraweave.dialogue.recollect import Candidate, fits, recollect, sought_in
from astraweave.dialogue.retell import retell_text
from astraweave.dialogue.situation import Situation

__all__ = ["answer", "found_in", "recap"]

_MINE = frozenset(["i", "my", "me", "we", "our", "us"])


def answer(scene: Scene) -> Choice | None:
    """Answer what was asked, from what is remembered and known."""
    question = scene.heard.question
    if question is None:
        return None
    situation = scene.situation
    asked = resolved_question(scene.text, situation.history)
    if asked != scene.text:
        question = act_of(asked, scene.persona.name).question or question
    found = found_in(scene, question, scene.sources)
    if found.kind == "known" and found.teller == "asker" and not _fits(asked, situation, found):
        found = Answer("unknown", topic=found.topic)
    if found.kind == "unknown":
        open_ended = question.gap in {"yesno", "about"}
        if not (open_ended and _about_listener(question)):
            found = _recollected(asked, situation, open_ended=open_ended) or found
        if found.kind == "unknown" and _about_listener(question):
            found.teller = "self"
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


def _fits(asked: str, situation: Situation, found: Answer) -> bool:
    """Whether what was told holds the sort of thing that is asked for."""
    ignore = situation.persona.name.split()
    told = [r.memory.text for r in situation.memories if r.memory.speaker != situation.persona.id]
    return any(fits(asked, text, told, ignore=ignore) for text in found.texts)


def _recollected(asked: str, situation: Situation, *, open_ended: bool) -> Answer | None:
    """The memory that a question is about, said back whole, where no clause of any answers it."""
    if open_ended and sought_in(asked).kind == "thing":
        return None
    persona = situation.persona
    told = [r for r in situation.memories if r.memory.speaker != persona.id]
    candidates = [Candidate(r.memory.text, r.score, r.similarity) for r in told]
    index = recollect(asked, candidates, ignore=persona.name.split())
    if index is None:
        return None
    memory = told[index].memory
    asker = memory.speaker == situation.speaker
    retold = retell_text(memory.text, swap=asker)
    if not retold:
        return None
    names = situation.spoken_names()
    others = names.get(memory.speaker, memory.speaker) or "self"  # what nobody said, it saw
    return Answer(
        "known",
        retold=(retold,),
        teller="asker" if asker else others,
        memories=(memory.id,),
        texts=(memory.text,),
    )


def _about_listener(question: Question) -> bool:
    """Whether a question asks the character about themselves."""
    clause = question.clause
    phrases = [*clause.phrases(), *([question.target] if question.target else [])]
    yours = any(
        p.head.low == "you" or (p.owner is not None and p.owner.head.low == "your") for p in phrases
    )
    mine = any(w.low in _MINE for w in words(question.text))
    return yours and not mine
