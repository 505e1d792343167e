"""What a world keeps: lines whole or not at all, in order, also on a full disk."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

import astraweave as aw
from astraweave.embeddings import MockEmbeddingClient
from astraweave.errors import ConfigError, CorruptDataError, InputError, StorageError
from astraweave.llm import ScriptedModel

SETTINGS = aw.Settings(model="none", embedder="mock")
TOLD = "My sister Mira hid a silver key under the old mill."
ASKED = "Where did my sister hide the key?"


class SlowEmbedder(MockEmbeddingClient):
    """Embeds when it is allowed to, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.open.set()
        self.texts: list[str] = []

    def embed(self, text: str):
        self.open.wait(20)
        self.texts.append(text)
        return super().embed(text)

    def embed_batch(self, texts):
        self.open.wait(20)
        self.texts += texts
        return super().embed_batch(texts)


def settle(world: aw.World) -> None:
    world._block(lambda: None)


def test_a_reply_ends_before_its_memories_are_embedded(tmp_path: Path) -> None:
    embedder = SlowEmbedder()
    with aw.World.open(tmp_path, settings=SETTINGS, embedder=embedder) as world:
        tam = world.npc("tam", persona="tam")
        settle(world)
        embedder.open.clear()
        try:
            assert tam.say("Good morning!").wait(10).text
        finally:
            embedder.open.set()
        settle(world)
        assert tam.memory_count >= 2


def test_the_next_line_of_a_character_finds_the_one_before_embedded(tmp_path: Path) -> None:
    embedder = SlowEmbedder()
    with aw.World.open(tmp_path, settings=SETTINGS, embedder=embedder) as world:
        tam = world.npc("tam", persona="tam")
        tam.say(TOLD).wait()
        tam.remember("The bridge at Redford is down.")
        found = tam.recall("bridge")
        assert any("bridge" in text for text in embedder.texts)
        assert {r.memory.text for r in found} >= {"The bridge at Redford is down."}
        assert all(r.similarity != 0.0 for r in found if "bridge" in r.memory.text)


def test_what_cannot_be_remembered_is_refused_at_once(tmp_path: Path) -> None:
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        tam = world.npc("tam", persona="tam")
        for text in ("", " ", "half a \ud800 character", "a" * 20_000):
            with pytest.raises(InputError):
                tam.remember(text)
        with pytest.raises(InputError):
            tam.remember("The bridge is down.", importance=2.0)
        for name in ("", "a\nb", "\ud800", "\x00"):
            with pytest.raises(InputError):
                tam.say("Hello!", speaker=name)
            with pytest.raises(InputError):
                world.npc(name, persona="tam")


def test_a_full_disk_ends_no_line_and_the_next_commit_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        tam = world.npc("tam", persona="tam")
        world.save()
        slot = world._keeper.slot
        whole = slot._write

        def full() -> bool:
            whole()
            raise StorageError("the disk is full")

        monkeypatch.setattr(slot, "_write", full)
        assert tam.say(TOLD).wait().text
        settle(world)
        assert world.telemetry.counters["world.unkept.StorageError"] == 1
        with pytest.raises(StorageError):
            world.save()
        monkeypatch.setattr(slot, "_write", whole)
        assert "mill" in tam.say(ASKED).wait().text
        world.save()
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        assert [turn.text for turn in world.npc("tam").history][::2] == [TOLD, ASKED]


def test_a_disk_that_stays_full_is_told_by_close_and_lets_go_of_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = aw.World.open(tmp_path, settings=SETTINGS)
    reply = world.npc("tam", persona="tam").say(TOLD)

    def full() -> bool:
        raise StorageError("the disk is full")

    monkeypatch.setattr(world._keeper.slot, "_write", full)
    with pytest.raises(StorageError):
        world.close()
    assert reply.done
    world.close()
    aw.World.open(tmp_path, settings=SETTINGS).close()


def test_an_embedder_that_fails_loses_no_memory(tmp_path: Path) -> None:
    class Broken(MockEmbeddingClient):
        def embed(self, text: str):
            raise aw.errors.ModelError("out of order")

        def embed_batch(self, texts):
            raise aw.errors.ModelError("out of order")

    with aw.World.open(tmp_path, settings=SETTINGS, embedder=Broken()) as world:
        world.npc("tam", persona="tam").say(TOLD).wait()
        world.save()
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        assert "mill" in world.npc("tam").say(ASKED).wait().text


def test_another_embedder_makes_all_vectors_anew_behind_the_lines(tmp_path: Path) -> None:
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        tam = world.npc("tam", persona="tam")
        for n in range(120):
            tam.remember(f"Cart number {n} came through the gate with salt and timber.")
        world.save()
    other = MockEmbeddingClient(dimensions=64)
    with aw.World.open(tmp_path, settings=SETTINGS, embedder=other) as world:
        assert world.npc("tam").say("Hello!").wait().text
        for _ in range(400):
            if not world._block(world._keeper.store.pending, 1):
                break
            threading.Event().wait(0.01)
        assert world._block(world._keeper.store.pending) == []
        world.save()
    with aw.World.open(tmp_path, settings=SETTINGS, embedder=other) as world:
        assert world._block(world._keeper.store.pending) == []


def test_ids_that_begin_alike_keep_their_own_conversations(tmp_path: Path) -> None:
    names = ("a", "a/b", "a/b/00000000", "1:a")
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        for name in names:
            world.npc(name, persona="tam").say(f"I am a friend of {len(name)} people.").wait()
        world.save()
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        for name in names:
            assert len(world.npc(name).history) == 2


def test_two_characters_of_one_persona_are_two(tmp_path: Path) -> None:
    persona = aw.Persona.builtin("tam")
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        first, second = world.npc("one", persona=persona), world.npc("two", persona=persona)
        assert (first.persona.id, second.persona.id) == ("one", "two")
        assert world.npc("one", persona=persona) is first
        first.say(TOLD).wait()
        assert {m.memory.speaker for m in first.recall("key mill")} == {"player", "one"}


def test_the_clock_may_go_back(tmp_path: Path) -> None:
    clock = aw.ManualClock(500.0)
    with aw.World.open(tmp_path, settings=SETTINGS, clock=clock) as world:
        tam = world.npc("tam", persona="tam")
        tam.say("Good morning!").wait()
        clock.set(20.0)
        assert tam.say(TOLD).wait().error is None
        assert len(tam.history) == 4


def test_the_view_alone_is_recovered(tmp_path: Path) -> None:
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        world.save()
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        world.view.add(aw.Entity(id="mill", name="the old mill", kind="place"))
    with aw.World.open(tmp_path, settings=SETTINGS, recover=True) as world:
        assert "mill" in world.view
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        assert "mill" not in world.view
        assert world.recoverable


def test_opening_and_closing_leaves_nothing_to_recover(tmp_path: Path) -> None:
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        world.npc("tam", persona="tam")
        world.save()
    for _ in range(2):
        with aw.World.open(tmp_path, settings=SETTINGS) as world:
            assert not world.recoverable


def test_a_loaded_world_draws_as_the_one_that_went_on(tmp_path: Path) -> None:
    greetings = ["Good morning!", "Lovely weather, isn't it?", "Farewell!"] * 3
    with aw.World.open(tmp_path / "a", settings=SETTINGS, seed=9, clock=aw.ManualClock()) as world:
        tam = world.npc("tam", persona="tam")
        for text in greetings:
            tam.say(text).wait()
        world.save()
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "world.aw").write_bytes((tmp_path / "a" / "world.aw").read_bytes())
        went_on = [tam.say(text).wait().text for text in greetings]
    with aw.World.open(tmp_path / "b", settings=SETTINGS, clock=aw.ManualClock()) as world:
        assert [world.npc("tam").say(text).wait().text for text in greetings] == went_on


def test_a_save_amid_lines_holds_each_whole_or_not_at_all(tmp_path: Path) -> None:
    model = ScriptedModel(["The bread is warm today."] * 100, delay=0.01)
    with aw.World.open(tmp_path, settings=SETTINGS, model=model, deadline_s=1.0) as world:
        cast = [world.npc(f"npc{n}", persona="tam") for n in range(4)]
        for round_ in range(4):
            replies = [npc.say(f"I have {round_} cows.") for npc in cast]
            world.save()
            copy = tmp_path / f"copy{round_}"
            copy.mkdir()
            (copy / "world.aw").write_bytes((tmp_path / "world.aw").read_bytes())
            for reply in replies:
                reply.wait()
    for round_ in range(4):
        with aw.World.open(tmp_path / f"copy{round_}", settings=SETTINGS) as world:
            for npc in world.npcs.values():
                roles = [turn.role for turn in npc.history]
                assert roles == ["user", "assistant"] * (len(roles) // 2)
                assert bool(npc.memory_count) == bool(roles)


@pytest.mark.parametrize("damage", ["save", "persona", "state"])
def test_an_opening_that_fails_lets_go_of_the_slot(tmp_path: Path, damage: str) -> None:
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        world.npc("tam", persona="tam").say("Hello!").wait()
        if damage == "state":
            world._block(world._keeper.slot.state.put, "random/dialogue/tam", ["nonsense"])
        world.save()
    whole = (tmp_path / "world.aw").read_bytes()
    threads = threading.active_count()
    if damage == "save":
        (tmp_path / "world.aw").write_bytes(whole[:-100])
    if damage == "persona":
        with (
            pytest.raises(ConfigError),
            aw.World.open(tmp_path, settings=SETTINGS) as world,
        ):
            world.npc("joe", persona="nobody-of-this-name")
    else:
        with pytest.raises(CorruptDataError):
            aw.World.open(tmp_path, settings=SETTINGS)
    assert threading.active_count() == threads
    (tmp_path / "world.aw").write_bytes(whole)
    if damage != "state":
        aw.World.open(tmp_path, settings=SETTINGS).close()


def test_a_vector_of_the_wrong_size_from_an_embedder_ends_no_line(tmp_path: Path) -> None:
    class Crooked(MockEmbeddingClient):
        def embed(self, text: str):
            return np.full(3, np.nan, np.float32)

    with aw.World.open(tmp_path, settings=SETTINGS, embedder=Crooked()) as world:
        tam = world.npc("tam", persona="tam")
        tam.say(TOLD).wait()
        assert tam.say(ASKED).wait().text


def test_a_persona_that_cannot_be_saved_is_refused(tmp_path: Path) -> None:
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        with pytest.raises(ConfigError, match="cannot be saved"):
            world.npc("joe", persona=aw.Persona(id="joe", name="Joe \ud800"))
        assert "joe" not in world.npcs


def test_what_has_ended_can_be_read_after_the_world(tmp_path: Path) -> None:
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        reply = world.npc("tam", persona="tam").say("Hello!").wait()
    assert reply.wait().text == reply.text != ""


def test_silence_keeps_what_was_shown_and_no_more(tmp_path: Path) -> None:
    model = ScriptedModel(["The bread is warm today. The road is long."] * 40, delay=0.02)
    with aw.World.open(tmp_path, settings=SETTINGS, model=model, deadline_s=2.0) as world:
        tam = world.npc("tam", persona="tam")
        shown = []
        for wait in range(9):
            reply = tam.say("Good morning!")
            threading.Event().wait(wait * 0.004)
            reply.cancel()
            assert world.deliver_until(lambda reply=reply: reply.done, 10)
            shown.append(reply.text)
        spoken = [turn.text for turn in tam.history if turn.role == "assistant"]
        assert spoken == [text for text in shown if text]
