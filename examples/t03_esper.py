"""Lesson 3: a companion as an entity of `esper`. Components are views; the World owns the state."""

import tempfile
import time

import esper

import astraweave as aw
from astraweave import ecs


def main() -> None:
    """One entity, one processor, and a loop that only looks at components."""
    with tempfile.TemporaryDirectory() as folder, aw.World.open(folder) as world:
        esper.add_processor(ecs.dialogue_processor(world))
        tam = esper.create_entity(
            ecs.CPersonaLlm("tam"),
            ecs.CDialogueState(),
            ecs.CConversationHistory(),
            ecs.CMemoryStore(),
        )
        npc = world.npc("tam", persona="tam")
        state = esper.component_for_entity(tam, ecs.CDialogueState)
        for text in ("Hello, Tam!", "My dog is called Biscuit.", "What is my dog called?"):
            print(f"you> {text}")
            state.reply = npc.say(text)
            state.speaking = True
            while state.speaking:
                esper.process()
                time.sleep(1 / 60)
            print(f"Tam> {state.text}")
        assert "Biscuit" in state.text, state
        memory = esper.component_for_entity(tam, ecs.CMemoryStore)
        print(f"({memory.count} memories)")
        esper.clear_database()


if __name__ == "__main__":
    main()
