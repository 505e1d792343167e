"""Feelings: what the character says of its own, and how it meets those of others."""

from __future__ import annotations

import re

from astraweave.dialogue.answer import Answer
from astraweave.dialogue.events import retell_event
from astraweave.dialogue.moves.choice import Choice, Scene
from astraweave.dialogue.plan import PlannedFact
from astraweave.persona import Cause, Explanation, Mood, explain, feeling

__all__ = ["ask_why", "be_well", "explained", "how_it_feels", "meet_apology", "meet_insult"]
__all__ += ["meet_praise", "meet_threat", "with_cause"]

_NOTABLE = 0.3
"""From so far from the middle on, a mood is worth a word."""
_STRONG = 0.5

_FELT = (
    r"angry|mad|cross|furious|annoyed|upset|sad|unhappy|gloomy|down|miserable|happy|glad|pleased|"
    r"cheerful|merry|afraid|scared|frightened|nervous|worried|grumpy|cold|distant|bitter|proud|"
    r"calm|"
    r"hurt|offended|jealous|ashamed|excited"
)
_PLEASANT = frozenset("happy glad pleased cheerful merry proud calm excited".split())
_ASKS_WHY = re.compile(
    r"\bwhy (?:are|were|do|did|don't|didn't) (?:you|ye)(?: \w+){0,2}? (?:so |this |that |very |"
    r"such )*"
    rf"(?:{_FELT}|(?:in (?:a|such a) (?:good|bad|foul|fine) mood)|"
    r"(?:hate|dislike|like|trust|distrust|fear) me)\b",
    re.IGNORECASE,
)
_ASKS_WRONG = re.compile(
    r"\b(?:why the long face|what(?:'s| is) (?:wrong|the matter)(?: with (?:you|"
    r"ye))?\s*(?:,[^?]*)?[?!.]*$"
    r"|what(?:'s| is) (?:eating|troubling|bothering|upsetting) (?:you|ye)|what(?:'s| has) got into"
    r" (?:you|ye)|what (?:troubles|bothers|ails|worries) (?:you|ye)|what(?:'s| has) (?:made|upset)"
    r" (?:you|ye)|what have i done\s*[?!.]*$|what did i do(?: wrong)?\s*[?!.]*$)",
    re.IGNORECASE,
)
_ASKS_WHETHER = re.compile(
    rf"(?<!what )(?<!who )(?<!whom )\bare (?:you|ye) (?:still |really |so )?(?:{_FELT})\b"
    r"|\bhave i (?:upset|offended|angered|wronged|hurt) (?:you|ye)\b"
    r"|\bdid i (?:do (?:something|anything) wrong|offend you|upset you|hurt you|hurt your "
    r"feelings)\b"
    r"|\bis (?:something|anything) (?:wrong|the matter|troubling you|bothering you)\b"
    rf"|\b(?:you|ye) (?:look|seem|sound|appear)(?: (?:so|very|rather|quite|a bit|a little))*"
    rf" (?:{_FELT}|tired|hungry|thirsty|pale|ill|lonely|thoughtful|well)\b",
    re.IGNORECASE,
)
_ASKS_HOW = re.compile(
    r"\bhow (?:do|are|did) (?:you|ye) (?:really )?(?:feel|feeling)\b(?! about)",
    re.IGNORECASE,
)


def ask_why(scene: Scene) -> Choice | None:
    """Say how it feels, and what made it so, to somebody who asks."""
    if _ASKS_WHY.search(scene.text):
        return with_cause(scene, "because")
    if _ASKS_WRONG.search(scene.text):
        return with_cause(scene, "wrong")
    if _ASKS_WHETHER.search(scene.text):
        return with_cause(scene, "confirmed_self")
    if _ASKS_HOW.search(scene.text):
        return how_it_feels(scene)
    return None


def with_cause(scene: Scene, act: str, question: str | None = None) -> Choice:
    """Name what made it feel so; or say that it does not feel so, or has no cause."""
    question = scene.text if question is None else question
    why = explained(scene, question)
    asked = re.search(rf"\b(?:{_FELT})\b", question, re.IGNORECASE)
    pleasant = asked is not None and asked[0].casefold() in _PLEASANT
    if pleasant and act == "wrong":
        act = "because"
    low = why.about or pleasant or act == "because" or scene.mood.valence < 0
    reason = f"asked about its feelings: {why.asked or why.word} at {why.value:.2f}"
    answer = Answer("known" if why.reasons else "unknown", teller="self")
    if why.holds and why.reasons and low:
        return _because(scene, why, act, reason)
    if why.holds and low and (pleasant or act != "wrong") and strength(scene.mood) >= _NOTABLE:
        fields, reasons = {"feeling": why.word}, (reason, "no event is behind it")
        return Choice("feeling", reasons, fields=fields, answer=answer, model_clauses=0, whole=True)
    reasons = (reason, "it does not feel so")
    if pleasant:
        return Choice("wellbeing", reasons, answer=answer, model_clauses=0, whole=True)
    if why.about:
        return Choice("stance", reasons, answer=answer, model_clauses=0, whole=True)
    if scene.relation.affinity <= -_NOTABLE:
        return Choice("stance", reasons, answer=answer, model_clauses=0, whole=True)
    return Choice("untroubled", reasons, answer=answer, model_clauses=0, whole=True)


def _because(scene: Scene, why: Explanation, act: str, reason: str) -> Choice:
    facts = tuple(
        PlannedFact(
            text=each.text,
            retold=retold_event(each.text, scene),
            memory=each.cause.outcome.memory,
            teller=scene.persona.id,
        )
        for each in why.reasons
    )
    parts = (f"{each.text!r} has {each.contribution:.2f} to do with it" for each in why.reasons)
    return Choice(
        act,
        (reason, *parts),
        facts=facts,
        fields={"feeling": why.word, "retold": facts[0].retold},
        answer=Answer("known", teller="self"),
        model_clauses=0,
        whole=True,
    )


def how_it_feels(scene: Scene) -> Choice:
    """Say how it feels, where it feels anything in particular."""
    why = explained(scene)
    reason = f"asked how it feels: {why.word}"
    if strength(scene.mood) < _NOTABLE:
        return Choice("wellbeing", (reason,), model_clauses=0, whole=True)
    if why.reasons:
        return _because(scene, why, "feeling", reason)
    return Choice("feeling", (reason,), fields={"feeling": why.word}, model_clauses=0, whole=True)


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
    return Choice("insult", ("insulted",))


def meet_threat(scene: Scene) -> Choice:
    """Answer a threat by how strong it feels beside who makes it."""
    if scene.relation.fear >= _STRONG or scene.mood.dominance <= -_NOTABLE:
        return _afraid("threatened, and it feels weak")
    if _bold(scene):
        return Choice("threaten", ("threatened, and it feels strong",), model_clauses=0)
    return Choice("threatened", ("threatened",), model_clauses=0)


_OF_WORK = re.compile(
    r"\b(?:work|job|done|made|craft\w*|skilled|best|talent\w*|play|sing|bake|forge|cook|fight)\b",
    re.IGNORECASE,
)


def meet_praise(scene: Scene) -> Choice:
    """Answer praise, a gift or a blessing: who likes to shine does, where it is of their work."""
    temperament = scene.persona.temperament
    shines = temperament.extraversion > 0.6 and temperament.agreeableness < 0.6
    if shines and scene.relation.affinity > -_STRONG and _OF_WORK.search(scene.text):
        return Choice("boast", ("praised, and it likes to shine",))
    return Choice("gratitude", ("praised",))


def meet_apology(scene: Scene) -> Choice:
    """Forgive, or not yet: the wording goes by what lies between the two."""
    return Choice("apology", ("asked for pardon",))


def explained(scene: Scene, question: str | None = None) -> Explanation:
    """Why the character feels as it does, as far as a question (or the utterance) asks."""
    situation = scene.situation
    return explain(
        scene.persona,
        situation.mind,
        scene.text if question is None else question,
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
