"""What of a character goes into a language model's prompt, and how the model is to draw its words."""  # noqa: E501

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from astraweave.errors import InputError
from astraweave.llm.protocol import SamplingParams
from astraweave.persona.evolution import mood_at
from astraweave.persona.state import PersonaState

if TYPE_CHECKING:
    from astraweave.persona.persona import Persona

__all__ = ["PersonaLlmConfig"]

_COLDEST, _HOTTEST = 0.1, 1.5


class PersonaLlmConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What of a character a language model is told, and how it is to speak. Immutable.

    Attributes
    ----------
    traits, facts, goals, taboos, mood, relationship : bool
        Whether each is told.
    causes : int
        How many events that move the character now are told, at most.
    examples : int
        How many exchanges that show the voice, at most.
    max_tokens : int
        About how long the prompt may be, at four bytes a token. Name, role, voice, mood,
        relationship and taboos always stand; goals, facts, causes and examples as far as there is
        room, in this order.
    voice : str
        How the character talks, instead of what the persona says; empty: as the persona says.
    sampling : SamplingParams
        How the model draws its words, from somebody calm.
    warmer_by_arousal, warmer_by_openness : float
        What full arousal and full openness add to the temperature (full calm, none at all: take).
    prompt : str
        Name of the entry in the prompt library.
    """

    traits: bool = True
    facts: bool = True
    goals: bool = True
    taboos: bool = True
    mood: bool = True
    relationship: bool = True
    causes: int = 2
    examples: int = 4
    max_tokens: int = 600
    voice: str = ""
    sampling: SamplingParams = SamplingParams()
    warmer_by_arousal: float = 0.15
    warmer_by_openness: float = 0.1
    prompt: str = "persona"

    def __post_init__(self) -> None:
        for name in ("causes", "examples"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must be 0 or more", field=name)
        if self.max_tokens < 1:
            raise InputError("max_tokens must be 1 or more", field="max_tokens")

    def sampling_for(self, persona: Persona, state: PersonaState, now: float) -> SamplingParams:
        """How the model draws this character's words at a time: who is stirred talks less evenly.

        Examples
        --------
        >>> from astraweave.persona import Mood, Persona
        >>> tam, stirred = Persona.builtin("tam"), PersonaState(mood=Mood(arousal=1.0))
        >>> calm = PersonaLlmConfig().sampling_for(tam, PersonaState(), 0.0)
        >>> calm.temperature < PersonaLlmConfig().sampling_for(tam, stirred, 0.0).temperature
        True
        """
        arousal = mood_at(persona, state, now).arousal
        openness = 2.0 * min(1.0, max(0.0, persona.temperament.openness)) - 1.0
        warmer = self.warmer_by_arousal * arousal + self.warmer_by_openness * openness
        if self.sampling.temperature == 0.0:  # the likeliest word was asked for
            return self.sampling
        temperature = min(_HOTTEST, max(_COLDEST, self.sampling.temperature + warmer))
        return msgspec.structs.replace(self.sampling, temperature=temperature)
