"""The card of a character for a language model: who it is, how it feels, how it stands to you."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from astraweave.context.rough import RoughCounter
from astraweave.persona.config import PersonaLlmConfig
from astraweave.persona.evolution import EvolutionRules, mood_at, relationship_at
from astraweave.persona.explain import explain
from astraweave.persona.feelings import feeling_of, stance
from astraweave.persona.state import PersonaState, Relationship
from astraweave.persona.temperament import resting_mood
from astraweave.prompts import PromptLibrary

if TYPE_CHECKING:
    from astraweave.persona.persona import Persona

__all__ = ["feeling_line", "generate_prompt", "relationship_line"]

_CONFIG = PersonaLlmConfig()
_RULES = EvolutionRules()
_FRAME_TOKENS = 12
"""What the words around lists cost."""
_NOTED = 0.3
_STIRRED = 0.12
"""How far from its rest a mood is worth a word."""
_COUNT = RoughCounter().count


def generate_prompt(
    persona: Persona,
    state: PersonaState,
    *,
    speaker: str = "",
    now: float | None = None,
    config: PersonaLlmConfig = _CONFIG,
    names: Mapping[str, str] = {},
    prompts: PromptLibrary | None = None,
    rules: EvolutionRules = _RULES,
) -> str:
    """The text that tells a language model who it is to be, as of now. Thread-safe.

    It is rendered from the prompt library's entry ``persona`` (see ``prompts/builtin``), which a
    game changes in a file of its own. What players said or wrote (their names, the texts of
    outcomes) stands in it cleaned and quoted.

    Parameters
    ----------
    persona : Persona
        Who it is.
    state : PersonaState
        How it feels.
    speaker : str
        Id of who it talks to; empty: nobody in particular.
    now : float, optional
        Game time in seconds; by default `state.at`.
    config : PersonaLlmConfig
        What goes in, and how much of it.
    names : mapping of str to str
        Spoken names by id.
    prompts : PromptLibrary, optional
        By default the built-in one.
    rules : EvolutionRules
        How fast moods pass.

    Raises
    ------
    MissingExtraError
        minijinja is not installed: a prompt is a template.
    ConfigError
        The library has no such prompt.
    """
    now = state.at if now is None else now
    library = _builtin_prompts() if prompts is None else prompts
    prompt = library[config.prompt]
    fixed: dict[str, object] = {
        "name": persona.name,
        "role": persona.role,
        "voice": config.voice or persona.voice,
    }
    if config.traits:
        fixed["traits"] = list(persona.traits)
    if config.mood:
        fixed["mood"] = feeling_line(persona, state, now, rules=rules)
    if config.taboos:
        fixed["taboos"] = list(persona.taboos)
    if config.relationship and speaker:
        fixed["listener"] = names.get(speaker, speaker)
        fixed["stance"] = relationship_line(state, speaker, now, rules=rules)
    room = config.max_tokens - _FRAME_TOKENS - sum(_cost(value) for value in fixed.values())
    lists: list[tuple[str, Sequence[str]]] = []
    if config.goals:
        lists.append(("goals", persona.goals))
    if config.facts:
        lists.append(("facts", persona.facts))
    if config.causes and fixed.get("mood") and state.causes:
        why = explain(persona, state, now=now, names=names, limit=config.causes, rules=rules)
        lists.append(("causes", [reason.text for reason in why.reasons]))
    shown = persona.examples[: config.examples]
    lists.append(
        ("examples", [f"- {each.player}\n- {persona.name}: {each.character}" for each in shown])
    )
    for name, items in lists:
        kept, room = _fitting(items, room)
        fixed[name] = kept
    values = {name: value for name, value in fixed.items() if name in prompt.variables}
    return "\n".join(message.content for message in prompt.render(**values))


def feeling_line(
    persona: Persona,
    state: PersonaState,
    now: float,
    *,
    rules: EvolutionRules = _RULES,
) -> str:
    """What the character feels, in a word or two; empty when it feels as it always does."""
    mood, rest = mood_at(persona, state, now, rules=rules), resting_mood(persona.temperament)
    away = math.hypot(
        mood.valence - rest.valence, mood.arousal - rest.arousal, mood.dominance - rest.dominance
    )
    felt = feeling_of(mood)
    return felt.word if felt.name and away >= _STIRRED else ""


def relationship_line(
    state: PersonaState, other: str, now: float, *, rules: EvolutionRules = _RULES
) -> str:
    """How the character takes somebody, said to it: "a friend of yours; you look up to them"."""
    if other not in state.relationships:
        return stance(state, other).card
    value = relationship_at(state, other, now, rules=rules)
    return "; ".join((stance(value).card, *_notes(value)))


def _notes(value: Relationship) -> list[str]:
    """What the stance alone may not say."""
    taken = stance(value).name
    notes: list[str] = []
    if abs(value.trust) >= _NOTED and taken not in {"beloved", "traitor", "distrusted", "friend"}:
        notes.append("you trust them" if value.trust > 0 else "you do not trust them")
    if abs(value.respect) >= _NOTED and taken not in {"admired", "rival"}:
        notes.append("you look up to them" if value.respect > 0 else "you look down on them")
    if value.fear >= _NOTED and taken not in {"feared", "nemesis"}:
        notes.append("you are a little afraid of them")
    return notes


def _cost(value: object) -> int:
    if isinstance(value, str):
        return _COUNT(value)
    return sum(map(_COUNT, value)) if isinstance(value, list) else 1


def _fitting(items: Sequence[str], room: int) -> tuple[list[str], int]:
    """The first items that fit, and the room that is left."""
    kept: list[str] = []
    for item in items:
        cost = _COUNT(item) + 2
        if cost > room:
            break
        room -= cost
        kept.append(item)
    return kept, room


@functools.cache
def _builtin_prompts() -> PromptLibrary:
    return PromptLibrary.load()
