"""Questions: what is known is said, what is not known is said to be not known."""

from __future__ import annotations

import re
from collections.abc import Sequence

from astraweave.dialogue.acts import act_of
from astraweave.dialogue.answer import Answer
from astraweave.dialogue.facts import Source
from astraweave.dialogue.grammar import Grammar
from astraweave.dialogue.knowing import known, told_then, when_told
from astraweave.dialogue.language.lexicon import lexicon
from astraweave.dialogue.language.questions import Question
from astraweave.dialogue.moments import asked_period, asked_telling
from astraweave.dialogue.moves.choice import Choice, Scene, planned
from astraweave.dialogue.moves.opinions import asks_view
from astraweave.dialogue.plan import PlannedFact
from astraweave.dialogue.recall import resolved_question
from astraweave.dialogue.retell import retell, retell_text

__all__ = ["answer", "found_in", "look_back", "of_itself", "recap", "summary"]


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


_ASKS_FOR_OWN = re.compile(r"\b(?:do|did) you (?:have|own|keep)\b", re.IGNORECASE)


def _said(found: Answer, scene: Scene) -> Choice:
    if found.kind == "denied" and found.teller == "self" and _ASKS_FOR_OWN.search(scene.text):
        found = Answer("unknown", teller="self")  # who owns a knife may yet own a dog
    if found.teller == "self" and asks_view(scene.text) and not _touches(scene.text, found):
        found = Answer("unknown", teller="self")  # what one wishes for is no answer to "like cake"
    if found.kind == "unknown":
        if asks_view(scene.text):
            reason = "asked for a view of something that it has no view of"
            return Choice(
                "no_opinion", (reason,), fields=_topic(found), answer=found, model_clauses=0,
                whole=True,
            )  # fmt: skip
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


_CONTENT = re.compile(r"[^\W\d_]{4,}")


def _touches(asked: str, found: Answer) -> bool:
    """Whether an answer has any word of weight in common with the question."""
    lex = lexicon()
    wanted = {key for w in _CONTENT.findall(asked.casefold()) for key in lex.keys(w) or {w}}
    said = {
        k for t in found.texts for w in _CONTENT.findall(t.casefold()) for k in lex.keys(w) or {w}
    }
    return bool((wanted - _ASKING) & said)


_ASKING = frozenset(
    "what which would like want enjoy prefer love hate believe wish think most best your".split()
)
_ASKS_OF_ITSELF = re.compile(
    r"^(?:(?:so|well|please|and|now)[\s,]+)*(?:(?:can|could|will|would) you )?tell me (?:something|"
    r"a (?:bit|little)|more|anything|all)?(?: (?:more|else))? ?(?:about|of) (?:you|yourself)\b"
    r"|^who are you\b|^what is your story\b",
    re.IGNORECASE,
)


_ASKS_WHO = re.compile(r"^(?:\w+, )?(?:and |und )?(?:who are you|wer bist du)\b", re.IGNORECASE)


def of_itself(scene: Scene, *, asked: bool = False) -> Choice | None:
    """Tell something of itself that it has not said lately; `asked`: that is what was asked for."""
    facts = scene.persona.facts
    if not facts or not (asked or _ASKS_OF_ITSELF.match(scene.text)):
        return None
    if _ASKS_WHO.match(scene.text):
        facts = tuple(f for f in facts if scene.persona.name.split()[-1] in f) or facts
    ages = [scene.lines_since(fact) for fact in facts]
    unsaid = [fact for fact, age in zip(facts, ages, strict=True) if age == max(ages)]
    fact = unsaid[scene.rng.randrange(len(unsaid))]
    return Choice(
        "answer",
        ("asked about itself: this it has not said for longest",),
        facts=(PlannedFact(text=fact, retold=fact.rstrip(".!"), teller=scene.persona.id),),
        answer=Answer(
            "known", retold=(retell_text(fact, swap=False) or fact,), teller="self", texts=(fact,)
        ),
        model_clauses=1,
        whole=True,
    )


_ASKS_SUMMARY = re.compile(
    r"\b(?:what (?:did|have|were) we (?:talk|talked|talking|speak|spoke|spoken|discuss|discussed)|"
    r"(?:sum|summed) (?:it|that|this|us)? ?up|where were we|what was all that about)\b",
    re.IGNORECASE,
)
_MOST_SUMMED_UP = 3


def summary(scene: Scene, *, most: int = _MOST_SUMMED_UP) -> Choice | None:
    """Put in one sentence what the two have talked about; None: too little."""
    told = sorted(scene.tellings[:most], key=lambda pair: pair[1].order)
    if len(told) < 2:
        return None
    said = [retell(fact, swap=True).rstrip(".!?,;: ") for fact, _ in told]
    facts = tuple(planned(source, retold) for (_, source), retold in zip(told, said, strict=True))
    joined = Grammar.named(scene.persona.language).joined(list(dict.fromkeys(said)))
    return Choice(
        "summary_of_talk",
        (f"{len(facts)} things were told that it remembers",),
        facts=facts,
        fields={"retold": joined},
        model_clauses=0,
        whole=True,
    )


def recap(scene: Scene) -> Choice:
    """Say what is remembered of the speaker, or of what the two talked about."""
    if _ASKS_SUMMARY.search(scene.text) and (found := summary(scene)) is not None:
        return found.because("asked what the two have talked about")
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
