"""Opinions: what the character thinks of somebody, of the one who asks, or of something."""

from __future__ import annotations

import re

from astraweave.dialogue.answer import Answer
from astraweave.dialogue.moves.choice import Choice, Scene
from astraweave.persona import Relationship, relationship_at

__all__ = ["ask_agreement", "ask_forgiveness", "ask_opinion", "ask_stance", "asks_view"]
__all__ += ["opinion_of"]

_NOTABLE = 0.2
_ASKS_STANCE = re.compile(
    r"\bwhat do you (?:really )?think (?:of|about) me\b"
    r"|\bdo you (?:still |really |even )?(?:like|trust|hate|love|respect|mind|dislike) me\b"
    r"|\b(?:are|aren't) we (?:still |not )?(?:friends|enemies|good|even)\b"
    r"|\b(?:am i|are you) (?:still )?(?:your|my|a) (?:friend|enemy)\b"
    r"|\bcan we (?:still )?be friends\b|\bdo i (?:bore|annoy|bother|disturb) you\b"
    r"|\bdo you find me\b|\bam i an? (?:good|bad|kind|terrible) (?:person|man|woman|friend|soul)\b"
    r"|\bdid you miss me\b",
    re.IGNORECASE,
)
_ASKS_FORGIVENESS = re.compile(
    r"\b(?:do|can|could|will|would|won't|have|did) you (?:ever |please |not )?(?:forgive|forgiven|"
    r"pardon) (?:me|us)\b|\bam i forgiven\b|\bcan we start (?:over|again|afresh)\b",
    re.IGNORECASE,
)
_ASKS_OPINION = re.compile(
    r"(?i:\bwhat (?:do|did) you (?:\w+ )?(?:think|make) (?:of|about) (?P<of>[^?]+)"
    r"|\bhow do you (?:like|find) (?P<like>[^?]+)"
    r"|\bdo you (?:\w+ )?(?:like|trust|hate|love|respect|fear|get (?:on|along) with) (?P<do>[^?]+)"
    r"|\bwhat (?:kind|sort) of (?:a )?(?:man|woman|person|neighbour) is (?P<kind>[^?]+)"
    r"|\bis (?P<friend>[^?]+?) (?:a )?(?:good )?(?:friend of yours|your friend)\b"
    r"|\bwho is (?P<who>[^?]+?) to you\b)"
    r"|^And (?:what about )?(?P<and>[A-Z][\w' ]{1,24})\?$"
)
_ASKS_VIEW = re.compile(
    r"\bwhat (?:do|did|would) you (?:\w+ )?(?:think|say|make|reckon|like|prefer|enjoy|dream)\b"
    r"|\bdo you (?:\w+ )?(?:like|believe|enjoy|prefer|love|hate|want|wish|dream|mind|ever|often|get"
    r"|miss|fancy|feel|think)\b|\bwhich (?:\w+ )?(?:do|would) you (?:\w+ )?(?:like|prefer)\b"
    r"|\bwhat(?:'s| is| was) (?:it|your \w+) like\b|\bwould you (?:rather|like|want|prefer)\b"
    r"|\bwhat(?:'s| is) your (?:opinion|view|favourite opinion)\b|\bdo i (?:look|sound|seem)\b"
    r"|\bhow do you (?:like|feel about)\b|\bwhat (?:makes|would make) you\b",
    re.IGNORECASE,
)
_ASKS_AGREEMENT = re.compile(
    r"^(?:(?:and|so|well|now|but|oh)[\s,]+)*(?:what do (?:you|ye) (?:think|say|reckon)"
    r"(?: (?:of|about|to) (?:that|it|this))?|can you (?:believe|imagine) (?:it|that|this)"
    r"|(?:isn't|wasn't|is not) (?:it|that|this) (?:a |an )?[\w ]{2,24}|(?:aren't|isn't|wasn't|"
    r"weren't) (?:they|he|she|we)(?: \w+){1,3}|don't you (?:think|agree)"
    r"(?: so)?|do you (?:believe|understand|hear|follow) me|you (?:know|see)(?: what i mean)?"
    r"|(?:am i|is that|isn't that|ain't that) (?:not )?(?:right|true|so|wrong))\s*[?!.]*$",
    re.IGNORECASE,
)


_ASKS_TO_ASK = re.compile(
    r"^(?:(?:and|so|well|oh|now)[\s,]+)*(?:guess (?:what|who|where|how|why)\b[^.?!]*[!?.]*$"
    r"|you(?:'ll| will) never guess\b|(?:do )?you know what[?!.]*$|have you heard[?!.]*$)",
    re.IGNORECASE,
)


def ask_agreement(scene: Scene) -> Choice | None:
    """Side with somebody who only asks to be agreed with: "Can you believe it?"."""
    if _ASKS_TO_ASK.match(scene.text):
        reason = "asked to ask on"
        return Choice("listening", (reason,), model_clauses=0, whole=True)
    if not _ASKS_AGREEMENT.match(scene.text):
        return None
    if scene.situation.answered:
        return Choice("silence", ("another has said so",), model_clauses=0, whole=True)
    reason = "asked no more than to agree"
    return Choice("telling_opinion", (reason,), model_clauses=1, whole=True)


def ask_forgiveness(scene: Scene) -> Choice | None:
    """Say whether it forgives, by how it stands to who asks."""
    if not _ASKS_FORGIVENESS.search(scene.text):
        return None
    return Choice("apology", ("asked whether it forgives",), model_clauses=0, whole=True)


def ask_stance(scene: Scene) -> Choice | None:
    """Say what it thinks of the one who asks."""
    if not _ASKS_STANCE.search(scene.text):
        return None
    relation = scene.relation
    if _plain(relation) and not scene.met_before:
        reason = "asked what it thinks of somebody whom it hardly knows"
        return Choice("recap_nothing", (reason,), model_clauses=0, whole=True)
    return Choice("stance", ("asked how it stands to them",), model_clauses=0, whole=True)


def ask_opinion(scene: Scene) -> Choice | None:
    """Say what it thinks of somebody whom it knows."""
    found = _ASKS_OPINION.search(scene.text)
    if found is None:
        return None
    about = next(text for text in found.groupdict().values() if text is not None)
    return opinion_of(scene, about)


def opinion_of(scene: Scene, about: str) -> Choice | None:
    """What it thinks of somebody who is named; None: of nobody that it knows."""
    known = _known(scene, about)
    if known is None:
        return None
    name, relation = known
    return Choice(
        "opinion",
        (f"asked what it thinks of {name}",),
        fields={"other": name},
        answer=Answer("known", teller="self"),
        model_clauses=0,
        whole=True,
        towards=relation,
    )


def asks_view(text: str) -> bool:
    """Whether a question asks for a taste or a view, and for no fact.

    Examples
    --------
    >>> asks_view("What do you think about the king?"), asks_view("Where were you born?")
    (True, False)
    """
    return _ASKS_VIEW.search(text) is not None


def _known(scene: Scene, about: str) -> tuple[str, Relationship] | None:
    """Who of those it has a relationship with is meant, by name, and that relationship."""
    situation, persona = scene.situation, scene.persona
    said = {word.casefold() for word in re.findall(r"[^\W\d_]+", about)}
    names = situation.spoken_names()
    for other in {**persona.relationships, **situation.mind.relationships}:
        name = names.get(other, other[:1].upper() + other[1:])
        parts = {part.casefold() for part in name.split()}
        if other in {situation.speaker, persona.id} or not ({other.casefold()} | parts) & said:
            continue
        if len(said - parts - {other.casefold()} - _TITLES):
            continue  # "the bridge that Rosamund wants" is no person
        towards = (
            relationship_at(situation.mind, other, max(situation.now, situation.mind.at))
            if other in situation.mind.relationships
            else persona.relationships[other]
        )
        return name, towards
    return None


_TITLES = frozenset("lady lord old young sir master mistress the smith captain sergeant".split())


def _plain(relation: Relationship) -> bool:
    felt = (relation.affinity, relation.trust, relation.respect, relation.fear)
    return max(map(abs, felt)) < _NOTABLE
