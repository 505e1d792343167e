"""Who a character is: name, role, voice, what they know about themselves, and how they change."""

from __future__ import annotations

from astraweave.persona.config import PersonaLlmConfig
from astraweave.persona.evolution import (
    EvolutionRules,
    evolve_from_outcome,
    evolve_from_outcomes,
    initial_state,
    mood_at,
    relationship_at,
    state_at,
)
from astraweave.persona.explain import Explanation, Reason, explain
from astraweave.persona.feelings import Feeling, Stance, feeling, feeling_of, stance
from astraweave.persona.lint import lint_persona
from astraweave.persona.outcomes import OUTCOMES, OutcomeRule, Outcomes
from astraweave.persona.persona import Example, Persona
from astraweave.persona.prompt import feeling_line, generate_prompt, relationship_line
from astraweave.persona.state import BigFive, Cause, Mood, Outcome, PersonaState, Relationship
from astraweave.persona.temperament import resting_mood

__all__ = [
    "OUTCOMES",
    "BigFive",
    "Cause",
    "EvolutionRules",
    "Example",
    "Explanation",
    "Feeling",
    "Mood",
    "Outcome",
    "OutcomeRule",
    "Outcomes",
    "Persona",
    "PersonaLlmConfig",
    "PersonaState",
    "Reason",
    "Relationship",
    "Stance",
    "evolve_from_outcome",
    "evolve_from_outcomes",
    "explain",
    "feeling",
    "feeling_line",
    "feeling_of",
    "generate_prompt",
    "initial_state",
    "lint_persona",
    "mood_at",
    "relationship_at",
    "relationship_line",
    "resting_mood",
    "stance",
    "state_at",
]
