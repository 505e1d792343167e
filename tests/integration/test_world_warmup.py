"""Prompts are read into the model ahead, and no line waits for that."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import astraweave as aw
from astraweave.llm import GenerationRequest, ModelInfo, ScriptedModel
from astraweave.llm.stream import ChunkStream

SETTINGS = aw.Settings(model="none", embedder="mock")


class Keeping(ScriptedModel):
    """A scripted model that says it keeps prompts."""

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(id="keeping", context_tokens=4096, slots=2, keeps_prompts=True)


class Stuck(Keeping):
    """Reads ahead until it is told to stop."""

    def generate(self, request: GenerationRequest):
        if not is_warm_up(request):
            return super().generate(request)
        self.requests.append(request)
        stream = ChunkStream(on_cancel=lambda: stream.finish("cancelled"))
        return stream


def until(done, seconds: float = 10.0) -> bool:
    for _ in range(int(seconds * 100)):
        if done():
            return True
        threading.Event().wait(0.01)
    return False


def is_warm_up(request: GenerationRequest) -> bool:
    return request.max_tokens == 1


def test_a_new_character_is_warmed_up_with_the_start_of_its_prompts(tmp_path: Path) -> None:
    model = Keeping(["Aye."] * 10)
    with aw.World.open(tmp_path, settings=SETTINGS, model=model, deadline_s=2.0) as world:
        tam = world.npc("tam", persona="tam")
        assert until(lambda: world.telemetry.counters["dialogue.warmed_up"] == 1)
        tam.say("Good morning!").wait()
    warm, line = model.requests[:2]
    assert is_warm_up(warm)
    assert warm.owner == line.owner == "tam"
    assert (warm.priority, line.priority) == ("background", "high")
    assert warm.messages[:-1] == line.messages[: len(warm.messages) - 1]
    assert len(warm.messages) > 1


def test_a_loaded_character_is_warmed_up_with_what_was_said_last(tmp_path: Path) -> None:
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        world.npc("tam", persona="tam").say("I have 14 horses.").wait()
        world.save()
    model = Keeping(["Aye."] * 10)
    with aw.World.open(tmp_path, settings=SETTINGS, model=model) as world:
        assert until(lambda: world.telemetry.counters["dialogue.warmed_up"] == 1)
        assert not world.recoverable
    assert any("14 horses" in message.content for message in model.requests[0].messages)
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        assert not world.recoverable  # nothing of it is in the journal


def test_a_line_stops_the_warming_up_and_it_goes_on_behind_it(tmp_path: Path) -> None:
    model = Stuck(["Aye, a fine morning for it."] * 20)
    with aw.World.open(tmp_path, settings=SETTINGS, model=model, deadline_s=2.0) as world:
        tam = world.npc("tam", persona="tam")
        assert until(lambda: len(model.requests) == 1)
        world.npc("joe", persona="tam")
        assert "model" in tam.say("Good morning!").wait().tiers
        assert until(lambda: len(model.requests) == 3)
    assert [(r.owner, is_warm_up(r)) for r in model.requests] == [
        ("tam", True),
        ("tam", False),
        ("joe", True),
    ]


def test_no_more_are_warmed_up_than_the_model_keeps(tmp_path: Path) -> None:
    model = Stuck(["Aye, a fine morning for it."] * 20)
    with aw.World.open(tmp_path, settings=SETTINGS, model=model, deadline_s=2.0) as world:
        for n in range(6):
            world.npc(f"npc{n}", persona="tam")
        assert until(lambda: len(model.requests) == 1)
        world.npc("npc5").say("Good morning!").wait()
        assert until(lambda: len(model.requests) == 3)
    assert [request.owner for request in model.requests[1:]] == ["npc5", "npc4"]


def test_a_model_that_keeps_nothing_is_not_asked(tmp_path: Path) -> None:
    model = ScriptedModel(["Aye."] * 3)
    with aw.World.open(tmp_path, settings=SETTINGS, model=model) as world:
        world.npc("tam", persona="tam")
        threading.Event().wait(0.1)
    assert model.requests == []


@pytest.mark.models
def test_the_first_line_finds_its_prompt_read(tmp_path: Path, decoder_files) -> None:
    from astraweave.llm import LocalLanguageModel

    with (
        LocalLanguageModel(decoder_files) as model,
        aw.World.open(tmp_path, settings=SETTINGS, model=model, deadline_s=20.0) as world,
    ):
        tam = world.npc("tam", persona="tam")
        assert until(lambda: world.telemetry.counters["dialogue.warmed_up"] == 1)
        before = model.report().kv.used_tokens
        tam.say("Good morning!").wait()
        assert before > 50
        prefills = world.telemetry.spans()
        assert prefills["dialogue.warm_up"].count == 1
