"""Talk of third persons: what was heard about somebody, and what somebody told."""

from __future__ import annotations

import re
from collections.abc import Iterable

from astraweave.dialogue.facts import Source
from astraweave.dialogue.moves.choice import Choice, Scene, planned, short_fact
from astraweave.dialogue.reported import in_third_person
from astraweave.dialogue.retell import retell, retell_event
from astraweave.rag.memory import Memory
from astraweave.rag.salience import is_question

__all__ = ["gossip", "gossip_sometimes", "heard_of_speaker", "tell_news"]

_WORTH_TELLING = 0.4
_GOSSIP_CHANCE = 0.35
_TO_ITS_HEARER = re.compile(r"\b(?:you|your|yours|yourself)\b", re.IGNORECASE)
_ASKS_NEWS = re.compile(
    r"^(?:(?:so|well|and|hello|good day)[\s,.!]+)*(?:any(?:thing)? (?:news|new|fresh)\b|"
    r"what(?:'s| is)"
    r" (?:new|the news|the latest)\b|what news\b|is there any(?:thing)? (?:news|new)\b|have you "
    r"heard"
    r" (?:any ?(?:thing|news))\b(?: new)?\s*\?|(?:do you have|have you(?: got)?) any news\b"
    r"|what (?:do|are) (?:they|people|folk) (?:say|saying|talking about)\b)",
    re.IGNORECASE,
)


def gossip(scene: Scene) -> Choice | None:
    """Pass on what somebody else told, to one who is trusted enough and was not there."""
    if scene.relation.trust < -0.2 or scene.relation.affinity < -0.2:
        return None
    speaker = scene.situation.speaker
    told = (
        m
        for m in _others_told(scene)
        if speaker not in m.entities and m.importance >= _WORTH_TELLING
    )
    return _passed_on(scene, told, "it has something to pass on")


def tell_news(scene: Scene) -> Choice | None:
    """Tell what it has heard to somebody who asks for news, or that it has heard nothing."""
    if not _ASKS_NEWS.match(scene.text) or " about " in scene.text.casefold():
        return None
    found = gossip(scene)
    if found is not None:
        return found.because("asked for news")
    reason = "asked for news, and it has none to pass on"
    return Choice("no_news", (reason,), model_clauses=0, whole=True)


def gossip_sometimes(scene: Scene) -> Choice | None:
    """`gossip`, when there is some and the character feels like it."""
    chance = _GOSSIP_CHANCE * 2 * scene.persona.temperament.extraversion
    found = gossip(scene)
    return found if found is not None and scene.rng.random() < chance else None


def heard_of_speaker(scene: Scene) -> Choice | None:
    """Say what others have told about the speaker since the two last met."""
    speaker, last = scene.situation.speaker, scene.situation.last_met
    since = last if last is not None else float("-inf")
    about = (m for m in _others_told(scene) if speaker in m.entities and m.game_time > since)
    return _passed_on(scene, about, "this was told about them since they last met")


def _others_told(scene: Scene) -> Iterable[Memory]:
    """What third persons told the character, newest first."""
    own = {scene.persona.id, scene.situation.speaker, *scene.situation.present, ""}
    return (m for m in scene.situation.lately if m.speaker not in own and not is_question(m.text))


def _passed_on(scene: Scene, memories: Iterable[Memory], reason: str) -> Choice | None:
    names = scene.situation.spoken_names()
    for memory in memories:
        teller = names.get(memory.speaker, "")
        if not teller:
            continue
        source = Source(memory.text, memory.speaker, scene.persona.id, memory.id)
        fact = short_fact(source, swap=False)
        if fact is None:
            continue
        if _TO_ITS_HEARER.search(memory.text):
            continue  # "you" was the character then, and would be somebody else now
        retold = _to_listener(in_third_person(retell(fact, swap=False), teller), scene)
        if scene.lines_since(retold) < 21:
            continue
        return Choice(
            "gossip",
            (reason,),
            facts=(planned(source, retold),),
            fields={"teller": teller, "retold": retold},
            model_clauses=0,
            whole=True,
        )
    return None


def _to_listener(told: str, scene: Scene) -> str:
    """With the listener as "you" where the news is of them."""
    situation = scene.situation
    names = situation.spoken_names()
    if not situation.speaker_name or situation.speaker_name not in told:
        return told
    return retell_event(told, speaker="", listener=situation.speaker, names=names)
