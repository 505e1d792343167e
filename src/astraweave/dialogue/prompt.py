"""The chat that the language model goes on with: small, and what changes least stands first."""

from __future__ import annotations

import re

from astraweave.dialogue.acts import Act
from astraweave.dialogue.situation import Situation
from astraweave.llm.protocol import Message
from astraweave.persona import Persona

__all__ = ["card_of", "messages_for"]

_MAX_EXAMPLES = 4
_MAX_TURNS = 6
_MAX_TURN_CHARS = 240


def card_of(persona: Persona) -> str:
    """Who the model is to be; the same for every line of a character, so that its work is reused."""  # noqa: E501
    traits = f" You are {', '.join(persona.traits)}." if persona.traits else ""
    role = f", {persona.role}" if persona.role else ""
    voice = f" {persona.voice}" if persona.voice else ""
    return (
        f"You are {persona.name}{role}.{traits}{voice} "
        "Answer in one short sentence. Never invent names, numbers or events."
    )


def messages_for(situation: Situation, act: Act) -> tuple[Message, ...]:
    """Card, examples, the latest turns, and what was said just now."""
    del act
    persona = situation.persona
    found = [Message("system", card_of(persona))]
    for example in persona.examples[:_MAX_EXAMPLES]:
        found += [Message("user", example.player), Message("assistant", example.character)]
    turns = [t for t in situation.history if t.role in {"user", "assistant"}][-_MAX_TURNS:]
    while turns and turns[0].role != "user":
        turns = turns[1:]
    for turn in turns:
        if found[-1].role == turn.role:
            found[-1] = Message(turn.role, f"{found[-1].content} {_short(turn.text)}")
        else:
            found.append(Message(turn.role, _short(turn.text)))
    if found[-1].role == "user":
        found.pop()
    found.append(Message("user", _short(situation.utterance.text)))
    return tuple(found)


def _short(text: str) -> str:
    if len(text) <= _MAX_TURN_CHARS:
        return text
    return re.sub(r"\s+\S*$", "", text[:_MAX_TURN_CHARS]) + "..."
