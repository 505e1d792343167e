"""What a line is spoken in: who, to whom, after what, knowing what."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import msgspec

from astraweave.context.turn import Turn
from astraweave.core.text import CleanText
from astraweave.core.worldview import WorldSnapshot
from astraweave.dialogue.facts import Source
from astraweave.dialogue.witness import as_witness
from astraweave.persona import Persona
from astraweave.rag.retrieved import Retrieved

__all__ = ["RECENT_LINES", "Situation", "sources_of"]

RECENT_LINES = 20
"""No line is said again within so many lines of the same character."""

_MAX_WORLD_FACTS = 24


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one line may depend on.

    Attributes
    ----------
    persona : Persona
        Who speaks.
    speaker : str
        Id of who spoke to the character.
    speaker_name : str
        Their name, when the character knows it; empty otherwise.
    utterance : CleanText
        What they said.
    history : sequence of Turn
        The conversation before this utterance, oldest first.
    memories : sequence of Retrieved
        What the utterance brought back, best first.
    world : WorldSnapshot or None
        What the game says is true.
    now : float
        Game time in seconds.
    rng : random.Random
        Draws among variants; equal states give equal lines.
    last_met : float or None
        Game time at which the two last talked before this sitting; None: never.
    names : dict of str to str
        Ids of others to the names by which the character knows them.
    """

    persona: Persona
    speaker: str
    utterance: CleanText
    rng: random.Random
    speaker_name: str = ""
    history: Sequence[Turn] = ()
    memories: Sequence[Retrieved] = ()
    world: WorldSnapshot | None = None
    now: float = 0.0
    last_met: float | None = None
    names: dict[str, str] = {}

    def recent_lines(self) -> list[str]:
        """The character's latest lines, newest last."""
        return [t.text for t in self.history if t.role == "assistant"][-RECENT_LINES:]

    def spoken_names(self) -> dict[str, str]:
        """Ids to names: the persona, the speaker, others, and the world's persons."""
        known = {self.persona.id: self.persona.name, **self.names}
        if self.speaker_name:
            known[self.speaker] = self.speaker_name
        if self.world is not None:
            for retrieved in self.memories:
                teller = retrieved.memory.speaker
                if teller and teller not in known and (entity := self.world.entities.get(teller)):
                    known[teller] = entity.name
        return known


def sources_of(situation: Situation) -> list[Source]:
    """What the character may answer from: themselves, what they were told, the world.

    The character's own lines are no source: they only repeat what is known from elsewhere.
    """
    persona = situation.persona
    found = [
        Source(text, persona.id, situation.speaker, order=index - 1000)
        for index, text in enumerate((*persona.facts, *persona.goals))
    ]
    told: list[tuple[float, int, Source]] = []
    seen: set[str] = set()
    for retrieved in situation.memories:
        memory = retrieved.memory
        if memory.speaker == persona.id:
            continue
        seen.add(memory.text)
        text, listener = memory.text, memory.addressee or persona.id
        if not memory.speaker:  # what nobody said, the character saw
            names = situation.spoken_names()
            listener = situation.speaker
            text = as_witness(text, me=persona.id, you=listener, names=names)
        told.append(
            (
                memory.game_time,
                memory.id,
                Source(
                    text,
                    memory.speaker or persona.id,
                    listener,
                    memory.id,
                    memory.game_time,
                    retrieved.score,
                ),
            )
        )
    for index, turn in enumerate(situation.history):
        if turn.role == "user" and turn.text not in seen:
            seen.add(turn.text)
            told.append(
                (
                    turn.game_time,
                    10**12 + index,
                    Source(turn.text, turn.speaker, persona.id, 0, turn.game_time),
                )
            )
    told.sort(key=lambda entry: entry[:2])
    found += [msgspec_replace(source, order) for order, (_, _, source) in enumerate(told)]
    found += [
        Source(text, persona.id, situation.speaker, order=-2000) for text in world_texts(situation)
    ]
    return found


def msgspec_replace(source: Source, order: int) -> Source:
    """The same source at another place in time."""
    return Source(
        source.text,
        source.speaker,
        source.listener,
        source.memory_id,
        source.game_time,
        source.score,
        order,
    )


def world_texts(situation: Situation) -> list[str]:
    """Facts of the world about what the utterance names, as sentences."""
    world = situation.world
    if world is None:
        return []
    tokens = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", situation.utterance.text)
    named: dict[str, None] = {situation.persona.id: None}
    for size in (1, 2, 3):
        for start in range(len(tokens) - size + 1):
            entity = world.find(" ".join(tokens[start : start + size]))
            if entity is not None:
                named[entity.id] = None
    texts: list[str] = []
    for key in named:
        entity = world.entities.get(key)
        if entity is None:
            continue
        if entity.place is not None and (place := world.entities.get(entity.place)) is not None:
            texts.append(f"{entity.name} is at {place.name}.")
        for fact in world.about(key):
            left, right = world.entities.get(fact.subject), world.entities.get(fact.object)
            texts.append(
                f"{left.name if left else fact.subject} {fact.predicate}"
                f" {right.name if right else fact.object}."
            )
    return list(dict.fromkeys(texts))[:_MAX_WORLD_FACTS]
