"""Feelings: what the character says of its own, and how it meets those of others."""

from __future__ import annotations

import re

from astraweave.dialogue.answer import Answer
from astraweave.dialogue.events import retell_event
from astraweave.dialogue.moves.choice import Choice, Scene
from astraweave.dialogue.plan import PlannedFact
from astraweave.persona import Cause, Explanation, Mood, explain, feeling

__all__ = ["ask_why", "be_well", "meet_apology", "meet_insult", "meet_praise", "meet_threat"]

_NOTABLE = 0.3
"""From so far from the middle on, a mood is worth a word."""
_STRONG = 0.5

_ASKS_WHY = re.compile(
    r"\bwhy (?:are|were|do|did) (?:you|ye)(?: \w+){0,2}? (?:so |this |that |very |such )*"
    r"(?P<why>angry|mad|cross|furious|annoyed|upset|sad|unhappy|gloomy|down|miserable|happy|glad|"
    r"cheerful|merry|afraid|scared|frightened|nervous|worried|grumpy|cold|distant|bitter|"
    r"proud|calm|"
    r"(?:in (?:a|such a) (?:good|bad|foul|fine) mood)|hate me|dislike me|like me|trust me|"
    r"distrust me|fear me)\b"
    r"|\b(?:what(?:'s| is) (?:wrong|the matter|eating you|troubling you|bothering you|"
    r"got into you)|"
    r"what (?:troubles|bothers|ails|worries) you|what(?:'s| has) (?:made|upset) you|have i"
    r" (?:upset|offended|angered|wronged) you|what have i done|did i do something wrong)\b",
    re.IGNORECASE,
)
_ASKS_HOW = re.compile(
    r"\bhow (?:do|are|did) (?:you|ye) (?:really )?(?:feel|feeling)\b(?! about)|\bare (?:you|ye)"
    r" (?:still )?(?P<named>angry|mad|cross|upset|sad|unhappy|happy|glad|afraid|scared|worried)\b"
    r"|\bwhat do you think of me\b|\bdo you (?:still )?(?:like|trust|hate|fear) me\b",
    re.IGNORECASE,
)


_ASKS_OPINION = re.compile(
    r"\bwhat do you think of me\b|\bdo you (?:like|trust|hate|fear) me\b", re.IGNORECASE
)


def _unmoved(scene: Scene) -> bool:
    relation = scene.relation
    felt = (relation.affinity, relation.trust, relation.respect, relation.fear)
    return max(map(abs, felt)) < _NOTABLE and moved_by(scene) is None


def ask_why(scene: Scene) -> Choice | None:
    """Say how it feels, and what made it so, to somebody who asks."""
    if not (_ASKS_WHY.search(scene.text) or _ASKS_HOW.search(scene.text)):
        return None
    if _ASKS_OPINION.search(scene.text) and _unmoved(scene):
        reason = "asked what it thinks of somebody whom it hardly knows"
        return Choice("recap_nothing", (reason,), model_clauses=0, whole=True)
    why = explained(scene)
    fields = {"feeling": why.word}
    reason = f"asked about its feelings: {why.asked or why.word} at {why.value:.2f}"
    answer = Answer("known" if why.reasons else "unknown", teller="self")
    if not why.holds or not why.reasons:
        reasons = (reason, "no event is behind it" if why.holds else "it does not feel so")
        return Choice("feeling", reasons, fields=fields, answer=answer, model_clauses=0, whole=True)
    facts = tuple(
        PlannedFact(
            text=each.text,
            retold=retold_event(each.text, scene),
            memory=each.cause.outcome.memory,
            teller=scene.persona.id,
        )
        for each in why.reasons
    )
    return Choice(
        "because",
        (
            reason,
            *(f"{each.text!r} has {each.contribution:.2f} to do with it" for each in why.reasons),
        ),
        facts=facts,
        fields={**fields, "retold": facts[0].retold},
        answer=answer,
        model_clauses=0,
        whole=True,
    )


def be_well(scene: Scene) -> Choice:
    """Answer "how are you": truly, where there is something to say."""
    if strength(scene.mood) < _NOTABLE or moved_by(scene) is None:
        return Choice("wellbeing", ("asked how it is, and all is as ever",))
    word = feeling(scene.mood)
    liked = scene.relation.affinity > -_NOTABLE
    if not liked:
        return Choice("wellbeing", ("asked how it is by somebody whom that does not concern",))
    reason = f"asked how it is, and it feels {word}"
    return Choice("feeling", (reason,), fields={"feeling": word}, model_clauses=1)


def meet_insult(scene: Scene) -> Choice:
    """Answer an insult as it is: in fear, in anger, in jest, or with patience."""
    relation, mood = scene.relation, scene.mood
    if relation.fear >= _STRONG:
        return _afraid("insulted by somebody whom it fears")
    if relation.affinity >= _STRONG and mood.valence > -_NOTABLE:
        return Choice("tease", ("insulted by a friend, which is taken in jest",))
    if relation.affinity <= -_STRONG and _bold(scene):
        return Choice("threaten", ("insulted by somebody whom it dislikes, and it feels strong",))
    if mood.valence <= -_NOTABLE and _bold(scene):
        return Choice("warn", ("insulted while it is in no mood for it",))
    return Choice("insult", ("insulted",))


def meet_threat(scene: Scene) -> Choice:
    """Answer a threat by how strong it feels beside who makes it."""
    if scene.relation.fear >= _STRONG or scene.mood.dominance <= -_NOTABLE:
        return _afraid("threatened, and it feels weak")
    if _bold(scene):
        return Choice("threaten", ("threatened, and it feels strong",), model_clauses=0)
    return Choice("warn", ("threatened",), model_clauses=0)


def meet_praise(scene: Scene) -> Choice | None:
    """Answer praise: those who like to shine do."""
    temperament = scene.persona.temperament
    if scene.relation.affinity <= -_STRONG:
        return Choice("disagree_with", ("praised by somebody whom it dislikes",))
    if temperament.extraversion > 0.6 and temperament.agreeableness < 0.6:
        return Choice("boast", ("praised, and it likes to shine",))
    return Choice("thanks", ("praised",))


def meet_apology(scene: Scene) -> Choice:
    """Forgive, or not yet."""
    if scene.relation.affinity <= -_STRONG or scene.relation.trust <= -_STRONG:
        return Choice("decline", ("asked for pardon, and too much lies between them",))
    return Choice("apology", ("asked for pardon",))


def explained(scene: Scene) -> Explanation:
    """Why the character feels as it does, as far as the utterance asks."""
    situation = scene.situation
    return explain(
        scene.persona,
        situation.mind,
        scene.text,
        about=situation.speaker,
        now=max(situation.now, situation.mind.at),
        names=situation.spoken_names(),
    )


def moved_by(scene: Scene) -> Cause | None:
    """What moved the character last; None: nothing did."""
    causes = scene.situation.mind.causes
    return causes[-1] if causes else None


def retold_event(text: str, scene: Scene) -> str:
    """An event as the character says it to who is with it."""
    situation = scene.situation
    return retell_event(
        text,
        speaker=scene.persona.id,
        listener=situation.speaker,
        names=situation.spoken_names(),
        language=scene.persona.language,
        rng=scene.rng,
    )


def strength(mood: Mood) -> float:
    """How far a mood is from none at all, 0 to 1."""
    return max(abs(mood.valence), abs(mood.arousal), abs(mood.dominance))


def _bold(scene: Scene) -> bool:
    return scene.mood.dominance >= _NOTABLE or scene.persona.temperament.agreeableness < 0.35


def _afraid(reason: str) -> Choice:
    return Choice("feeling", (reason,), fields={"feeling": "afraid"}, model_clauses=0)
