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
    CThought,
    DialogueSystem,
    ThoughtSystem,
    dialogue_processor,
    thought_processor,
)
from astraweave.errors import CapacityError, ModelError, UsageError
from astraweave.llm import ChunkStream, GenerationRequest, Message, ScriptedModel
from astraweave.serving import LlmScheduler

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
    assert memory.count == world.npc("tam").memory_count >= 2
    assert memory.capacity == world.npc("tam").memory_capacity > memory.count
    world.flush()  # what stands out is worked out once somebody has asked
    system.run(rows)
    assert world.npc("tam").memory(memory.strongest[0]) is not None
    assert dialogue.new_text == ""
    assert (dialogue.act, dialogue.speaks_to) == (dialogue.plan.act, "player")
    assert not dialogue.interrupted
    dialogue.reply.interrupt(dialogue.text[:4])
    system.run(rows)
    assert dialogue.interrupted
    dialogue.reply = None
    system.run(rows)
    assert (dialogue.text, dialogue.act, dialogue.speaks_to) == ("", "", "")


def test_in_a_group_each_finds_its_own_words(world: aw.World) -> None:
    names = ("orla", "bren")
    cast = [world.npc(name, aw.Persona(id=name, name=name.capitalize())) for name in names]
    states = {npc.id: CDialogueState() for npc in cast}
    rows = [(CPersonaLlm(npc.id), states[npc.id], None, None) for npc in cast]
    system = DialogueSystem(world)
    said = world.gather(cast).say("Good evening, everybody!")
    for state in states.values():
        state.group = said
    shown = dict.fromkeys(names, "")
    while not said.done:
        system.run(rows)
        for name, state in states.items():
            shown[name] += state.new_text
    system.run(rows)
    for name, state in states.items():
        shown[name] += state.new_text
    assert shown == dict(said.lines)
    assert all(shown.values())
    assert states["orla"].company == ("bren",)
    assert {state.speaks_to for state in states.values()} == {"player"}


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


def ask(text: str, owner: str = "tam") -> GenerationRequest:
    return GenerationRequest(messages=(Message("user", text),), owner=owner)


class Spoken(ScriptedModel):
    """Its answers are written by the test."""

    def __init__(self) -> None:
        super().__init__(["x"])
        self.streams: list[ChunkStream] = []

    def generate(self, request: GenerationRequest) -> ChunkStream:
        self.requests.append(request)
        self.streams.append(ChunkStream())
        return self.streams[-1]


def test_a_thought_changes_only_when_the_system_runs() -> None:
    model = Spoken()
    scheduler = LlmScheduler(model, max_queue=1)
    system = ThoughtSystem(scheduler)
    thoughts = [CThought() for _ in range(3)]
    system.run(thoughts)
    for number, thought in enumerate(thoughts):
        thought.request = ask(f"What now, {number}?")
        thought.deadline_s = 60.0
        assert not thought.thinking
    system.run(thoughts)
    assert [thought.thinking for thought in thoughts] == [True, True, False]
    assert isinstance(thoughts[2].error, CapacityError)  # known in the frame that asked
    model.streams[0].push("To the")
    assert thoughts[0].text == ""
    system.run(thoughts)
    assert (thoughts[0].new_text, thoughts[0].text) == ("To the", "To the")
    model.streams[0].finish("stop", text=" mill.")
    assert (thoughts[0].text, thoughts[0].thinking) == ("To the", True)
    system.run(thoughts)
    assert (thoughts[0].new_text, thoughts[0].text) == (" mill.", "To the mill.")
    assert not thoughts[0].thinking
    model.streams[1].fail(ModelError("broken"))
    system.run(thoughts)
    assert isinstance(thoughts[1].error, ModelError)
    assert thoughts[0].new_text == ""
    scheduler.close()
    thoughts[0].request = ask("And now?")
    with pytest.raises(UsageError):
        system.run(thoughts)


def test_a_new_question_drops_the_old_one_and_the_world_may_move_past_it() -> None:
    model = Spoken()
    scheduler = LlmScheduler(model)
    system = ThoughtSystem(scheduler)
    still = {"here": True}
    thought = CThought(request=ask("one"), valid_while=lambda: still["here"])
    system.run([thought])
    first = thought.ticket
    thought.request = ask("two")
    system.run([thought])
    assert first is not None
    assert first.finish_reason == "cancelled"
    model.streams[0].finish("cancelled")
    model.streams[1].push("Too")
    still["here"] = False
    model.streams[1].push(" late")
    system.run([thought])
    assert (thought.text, thought.stale, thought.thinking) == ("Too", True, False)
    model.streams[1].finish("cancelled")
    scheduler.close()


def test_thoughts_go_through_the_scheduler_of_a_world(tmp_path: Path) -> None:
    esper = pytest.importorskip("esper")
    model = ScriptedModel(["To the mill."])
    with aw.World.open(tmp_path, settings=SETTINGS, model=model) as world:
        assert world.scheduler is not None
        esper.switch_world("astraweave thoughts")
        try:
            thought = CThought(request=ask("What now?"))
            esper.create_entity(thought)
            esper.add_processor(thought_processor(world.scheduler))
            for _ in range(100_000):
                esper.process()
                world.tick()
                if not thought.thinking:
                    break
            assert thought.text == "To the mill."
        finally:
            esper.switch_world("default")
            esper.delete_world("astraweave thoughts")
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        assert world.scheduler is None
