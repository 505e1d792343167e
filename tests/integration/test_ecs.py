"""Components follow the world they are views of."""

from __future__ import annotations

from pathlib import Path

import pytest

import astraweave as aw
from astraweave.ecs import (
    CConversationHistory,
    CDialogueState,
    CMemoryStore,
    CPersonaLlm,
    DialogueSystem,
    dialogue_processor,
)

SETTINGS = aw.Settings(model="none", embedder="mock")


@pytest.fixture
def world(tmp_path: Path):
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        world.npc("tam", persona="tam")
        yield world


def test_a_system_brings_every_component_up_to_date(world: aw.World) -> None:
    dialogue, history, memory = CDialogueState(), CConversationHistory(), CMemoryStore()
    rows = [(CPersonaLlm("tam"), dialogue, history, memory)]
    system = DialogueSystem(world)
    system.run(rows)
    assert (dialogue.text, dialogue.speaking, memory.count) == ("", False, 0)
    dialogue.reply = world.npc("tam").say("Good morning!")
    shown = ""
    for _ in range(100_000):
        system.run(rows)
        shown += dialogue.new_text
        if not dialogue.speaking:
            break
    assert shown == dialogue.text == dialogue.reply.text != ""
    assert [turn.role for turn in history.turns] == ["user", "assistant"]
    world.flush()  # what was said has been written down by then
    system.run(rows)
    assert (memory.count, dialogue.new_text) == (2, "")
    dialogue.reply = None
    system.run(rows)
    assert dialogue.text == ""


def test_an_entity_may_lack_any_component(world: aw.World) -> None:
    DialogueSystem(world).run([(CPersonaLlm("tam"), None, None, None)])
    DialogueSystem(world).run([])


def test_the_processor_of_esper_runs_it(world: aw.World) -> None:
    esper = pytest.importorskip("esper")
    esper.switch_world("astraweave test")
    try:
        dialogue = CDialogueState(reply=world.npc("tam").say("Good morning!"))
        esper.create_entity(CPersonaLlm("tam"), dialogue)
        esper.add_processor(dialogue_processor(world))
        for _ in range(100_000):
            esper.process()
            if not dialogue.speaking:
                break
        assert dialogue.text
    finally:
        esper.switch_world("default")
        esper.delete_world("astraweave test")
