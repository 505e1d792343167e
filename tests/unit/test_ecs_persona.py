"""A component shows how its character feels, where the world says it."""

from __future__ import annotations

from astraweave.ecs import CPersonaLlm, DialogueSystem
from astraweave.persona import Mood, PersonaState, Relationship


class Silent:
    history = ()
    memory_count = 0


class Feeling(Silent):
    def __init__(self) -> None:
        self.state = PersonaState(
            mood=Mood(valence=-0.3, arousal=0.3, dominance=0.15),
            relationships={"bo": Relationship(trust=0.4, affinity=0.5)},
        )


class Town:
    def __init__(self) -> None:
        self.people = {"ada": Feeling(), "cy": Silent()}
        self.ticks = 0

    def npc(self, npc_id: str):
        return self.people[npc_id]

    def tick(self, budget_us: float = 0.0) -> None:
        self.ticks += 1


def test_mood_and_relationship_are_shown():
    town, ada = Town(), CPersonaLlm("ada", towards="bo")
    DialogueSystem(town).run([(ada, None, None, None)])
    assert (ada.feeling, ada.stance, ada.relationship.trust) == ("angry", "friend", 0.4)
    assert ada.mood == town.people["ada"].state.mood
    town.people["ada"].state = PersonaState()
    DialogueSystem(town).run([(ada, None, None, None)])
    assert (ada.feeling, ada.stance, ada.relationship) == (
        "even-tempered",
        "stranger",
        Relationship(),
    )


def test_a_character_without_a_state_stays_as_it_is():
    cy = CPersonaLlm("cy")
    DialogueSystem(Town()).run([(cy, None, None, None)])
    assert (cy.mood, cy.feeling) == (Mood(), "")
