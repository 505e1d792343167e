"""What a line is spoken in: who, to whom, after what, knowing what."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from astraweave.context.turn import Turn
from astraweave.core.text import CleanText
from astraweave.core.worldview import WorldSnapshot
from astraweave.dialogue.events import retell_event
from astraweave.dialogue.facts import Source
from astraweave.dialogue.grammar import language_of
from astraweave.dialogue.group import Answered
from astraweave.dialogue.tellings import straight
from astraweave.persona import (
    Mood,
    Persona,
    PersonaState,
    feeling_line,
    mood_at,
    relationship_at,
    relationship_line,
)
from astraweave.rag import GameCalendar
from astraweave.rag.memory import Memory
from astraweave.rag.retrieved import Retrieved

__all__ = ["RECENT_LINES", "Situation", "sources_of", "world_texts"]

RECENT_LINES = 20
"""No line is said again within so many lines of the same character."""

_MAX_WORLD_FACTS = 24
_NOTED = 0.25
"""From how far on a relationship is worth words in a prompt."""
_ENDS = (".", "!", "?", '"', "”", "»")
_TALKED_OF = 20
"""Turns of the conversation that may be answered from, beside the memories."""


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
    mind : PersonaState
        How the character feels, and how it stands to the others.
    present : tuple of str
        Ids of those who hear the line beside the speaker; empty: the two are alone.
    scopes : frozenset of str
        Scopes ("@town:harrow") whose memories everybody who hears the line shares; what is secret
        within one of them is no secret here.
    lately : sequence of Memory
        What the character learned lately, newest first, whatever the utterance brought back.
    addressed : bool
        Whether it was said to the character, and not just in its hearing.
    answered : tuple of Answered
        What others present have already said to the same utterance.
    knower : str
        Id of somebody present who seems to know more of what was said; empty: nobody.
    unsaid : str
        The rest of a line in which the character was interrupted; empty: there is none.
    overturned : sequence of Memory
        What the character believed until now and what the utterance says is so no longer.
    calendar : GameCalendar
        How long a day of the game is, for "yesterday" and "three days ago".
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
    mind: PersonaState = PersonaState()
    present: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()
    lately: Sequence[Memory] = ()
    addressed: bool = True
    answered: tuple[Answered, ...] = ()
    knower: str = ""
    unsaid: str = ""
    overturned: Sequence[Memory] = ()
    calendar: GameCalendar = GameCalendar()

    def mood(self) -> Mood:
        """The character's mood as of now."""
        return mood_at(self.persona, self.mind, max(self.now, self.mind.at))

    def feeling(self) -> str:
        """A word for the mood; empty where it is nothing in particular."""
        return feeling_line(self.persona, self.mind, max(self.now, self.mind.at))

    def stance(self) -> str:
        """How the character takes the speaker, said to it; empty where they are like any other."""
        stands = relationship_at(self.mind, self.speaker, max(self.now, self.mind.at))
        axes = (stands.trust, stands.affinity, stands.respect, stands.fear)
        if max(map(abs, axes)) < _NOTED:
            return ""
        return relationship_line(self.mind, self.speaker, max(self.now, self.mind.at))

    def recent_lines(self) -> list[str]:
        """The character's latest lines, newest last."""
        shown = [t.text for t in self.history if t.role == "assistant"]
        return shown[-RECENT_LINES:]

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
            text = _witnessed(text, persona.id, listener, names)
        told.append(
            (
                memory.game_time,
                memory.id,
                Source(
                    straight(text),
                    memory.speaker or persona.id,
                    listener,
                    memory.id,
                    memory.game_time,
                    retrieved.score,
                ),
            )
        )
    for index, turn in enumerate(situation.history[-_TALKED_OF:]):
        if turn.role == "user" and turn.text not in seen:
            seen.add(turn.text)
            told.append(
                (
                    turn.game_time,
                    10**12 + index,
                    Source(straight(turn.text), turn.speaker, persona.id, 0, turn.game_time),
                )
            )
    told.sort(key=lambda entry: entry[:2])
    found += [replace(source, order=order) for order, (_, _, source) in enumerate(told)]
    found += [
        Source(text, persona.id, situation.speaker, order=-2000) for text in world_texts(situation)
    ]
    return found


def _witnessed(text: str, me: str, you: str, names: Mapping[str, str]) -> str:
    """What somebody saw, as they say it to another: "You returned my hammer."."""
    told = retell_event(text, speaker=me, listener=you, names=names, language=language_of(text))
    ended = told if told.endswith(_ENDS) else f"{told}."
    return ended[:1].upper() + ended[1:]


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
