"""The timeline of a world: state hashes, older saves, branches, and replays without a model."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import astraweave as aw
from astraweave.errors import Cancelled, CorruptDataError, InputError, UsageError
from astraweave.llm import ScriptedModel
from astraweave.world import World

SETTINGS = aw.Settings(model="none", embedder="mock")
TOLD = ("My dog is called Biscuit.", "My sister Mira lives in the old mill.", "The bridge is down.")
ASKED = "What is my dog called?"


def open_world(path: Path, **more) -> World:
    return World.open(path, settings=SETTINGS, seed=5, clock=aw.ManualClock(), **more)


def texts(world: World, npc: str = "tam") -> list[str]:
    return [memory.text for memory in world._block(world._keeper.store.for_owner, npc)]


def test_the_hash_after_a_load_is_the_one_at_the_save(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        tam = world.npc("tam", persona="tam")
        tam.say(TOLD[0]).wait()
        world.put("gold", {"tam": 5})
        info = world.save()
        assert info.state_hash == world.state_hash
        told = texts(world)
        tam.say(TOLD[1]).wait()
        assert world.state_hash != info.state_hash
        world.load(info.id)
        assert world.state_hash == info.state_hash
        assert texts(world) == told
        assert world.get("gold", dict) == {"tam": 5}
        assert len(tam.history) == 2
    with open_world(tmp_path) as world:
        assert world.state_hash == info.state_hash


def test_equal_worlds_have_equal_hashes_whatever_their_ways(tmp_path: Path) -> None:
    hashes = []
    for way in ("one session", "saved between", "loaded between"):
        world = open_world(tmp_path / way)
        world.npc("tam", persona="tam")
        world.view.add(aw.Entity(id="mill", name="the old mill", kind="place"))
        world.npc("tam").say(TOLD[0]).wait()
        if way == "saved between":
            world.save()
            world.close()
            world = open_world(tmp_path / way)
        if way == "loaded between":
            world.save(name="here")
            world.npc("tam").say(TOLD[2]).wait()
            world.view.remove("mill")
            world.load("here")
        world.npc("tam").say(TOLD[1]).wait()
        world.npc("tam").remember("The bell rang.")
        world.tick()
        hashes.append(world.state_hash)
        world.close()
    assert len(set(hashes)) == 1


def test_a_branch_is_kept_beside_the_others(tmp_path: Path) -> None:
    with open_world(tmp_path, keep_saves=2) as world:
        tam = world.npc("tam", persona="tam")
        tam.say(TOLD[0]).wait()
        first = world.save({"chapter": 1}, name="first")
        tam.say(TOLD[1]).wait()
        second = world.save()
        world.load("first")
        tam.say(TOLD[2]).wait()
        third = world.save()
        kept = {info.id: info for info in world.saves()}
        assert list(kept) == [first.id, second.id, third.id]
        assert kept[second.id].parent == kept[third.id].parent == first.id
        assert kept[first.id].note == {"chapter": 1}
        world.load(second.id[:16])
        assert TOLD[1] in [turn.text for turn in tam.history]
        assert TOLD[2] not in [turn.text for turn in tam.history]
        world.load(third.id)
        assert world.state_hash == third.state_hash
        with pytest.raises(InputError, match="first"):
            world.save(name="first")
        with pytest.raises(InputError, match="latest"):
            world.delete_save(third.id)
        world.delete_save(second.id)
        with pytest.raises(InputError, match="no save"):
            world.load(second.id)
        for _ in range(3):
            tam.remember("Another day.")
            last = world.save()
        assert [info.name for info in world.saves()] == ["first", "", ""]
        assert world.saves()[-1] == last
    with open_world(tmp_path) as world:
        world.load("first")
        assert world.state_hash == first.state_hash


def test_a_branch_that_was_left_is_kept_by_a_name(tmp_path: Path) -> None:
    with open_world(tmp_path, keep_saves=2) as world:
        tam = world.npc("tam", persona="tam")
        first = world.save()
        tam.say(TOLD[0]).wait()
        left = world.save({"chapter": 2})
        named = world.name_save(left.id[:12], "the dog's way")
        assert (named.id, named.name, named.note) == (left.id, "the dog's way", {"chapter": 2})
        assert world.save().parent == left.id
        world.load(first.id)
        with pytest.raises(InputError, match="already"):
            world.name_save(first.id, "the dog's way")
        for text in TOLD[1:] + TOLD[1:]:
            tam.say(text).wait()
            world.save()
        assert [info.name for info in world.saves()] == ["the dog's way", "", ""]
        world.load("the dog's way")
        assert world.state_hash == left.state_hash
        world.name_save("the dog's way", "")
        assert left.id not in [info.id for info in (world.save(), *world.saves())]
        assert world.save(name="now").id == world.saves()[-1].id
        assert [info.name for info in world.saves()] == ["", "", "now"]
        assert world.name_save("now", "then").name == "then"
    with open_world(tmp_path) as world:
        assert world.saves()[-1].name == "then"


def test_a_load_ends_what_is_being_said_and_what_came_after(tmp_path: Path) -> None:
    model = ScriptedModel(["A long, long story."] * 9, first_token_delay=20.0)
    with open_world(tmp_path, model=model, deadline_s=30.0) as world:
        tam = world.npc("tam", persona="tam")
        info = world.save()
        joe = world.npc("joe", persona="tam")
        world.tick()
        replies = [tam.say("Tell me of the war."), joe.say("Hello!")]
        world.load(info.id)
        assert all(reply.done for reply in replies)
        assert all(isinstance(reply.error, Cancelled) for reply in replies)
        world.tick()
        assert world.state_hash == info.state_hash
        assert list(world.npcs) == ["tam"]
        assert tam.history == ()
        with pytest.raises(UsageError, match="joe"):
            joe.say("Are you there?")
        world.npc("joe", persona="tam")
        assert joe.history == ()
    model.close()


def test_an_older_save_is_recovered_as_it_was_gone_on_from(tmp_path: Path) -> None:
    world = open_world(tmp_path)
    tam = world.npc("tam", persona="tam")
    tam.say(TOLD[0]).wait()
    first = world.save()
    tam.say(TOLD[1]).wait()
    second = world.save()
    world.load(first.id)
    tam.say(TOLD[2]).wait()
    world.flush()
    then = world.state_hash
    world.close()
    with open_world(tmp_path) as world:
        assert world.state_hash == second.state_hash
        assert world.recoverable
    with open_world(tmp_path, recover=True) as world:
        assert world.state_hash == then
        third = world.save()
        assert third.parent == first.id


def test_ticks_without_events_leave_nothing(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        world.npc("tam", persona="tam")
        world.tick()
        before = world.state_hash
        for _ in range(50):
            world.tick()
        assert world.ticks == 51
        assert world.state_hash == before
        record = world.export_journal(tmp_path / "session.awj")
        assert len(record.ticks) == 1


def test_what_threads_have_finished_is_state_from_the_next_tick_on(tmp_path: Path) -> None:
    with open_world(tmp_path / "slot") as world:
        tam = world.npc("tam", persona="tam")
        world.tick()
        before = world.state_hash
        reply = tam.say(TOLD[0])
        while not world._timeline._finished:
            threading.Event().wait(0.001)
        assert world.state_hash == before
        assert texts(world) == []
        while not reply.done:
            world.tick()
        assert world.state_hash != before
        assert texts(world)[0] == TOLD[0]
        tam.say(TOLD[1])
        while not world._timeline._finished:
            threading.Event().wait(0.001)
        info = world.save()  # takes in what has ended, though nobody was shown it
        assert info.state_hash == world.state_hash
        assert TOLD[1] in texts(world)


def test_two_things_said_at_once_are_answered_with_the_first_in_mind(tmp_path: Path) -> None:
    with open_world(tmp_path / "slot") as world:
        tam = world.npc("tam", persona="tam")
        tam.say(TOLD[0])
        assert "Biscuit" in tam.say(ASKED).wait().text


def test_a_save_that_cannot_be_read_is_not_loaded(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        tam = world.npc("tam", persona="tam")
        tam.say(TOLD[0]).wait()
        old = world.save(name="old")
        tam.say(TOLD[1]).wait()
        new = world.save()
        tam.say(TOLD[2]).wait()
        world.tick()
        now, said = world.state_hash, texts(world)
        whole = (tmp_path / "world.aw").read_bytes()
        (tmp_path / "world.aw").write_bytes(whole[:-9] + b"X" + whole[-8:])
        with pytest.raises(CorruptDataError):
            world.load("old")
        assert (world.state_hash, texts(world)) == (now, said)
        (tmp_path / "world.aw").write_bytes(whole)
        with pytest.raises(InputError, match="no save"):
            world.load("never made")
        assert world.load("old").state_hash == old.state_hash
        assert world.saves()[-1] == new


def test_the_games_own_values_are_checked_and_kept(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        world.put("quest", {"stage": 2, "open": True})
        world.put("gold", 5)
        world.put("gold", None)
        with pytest.raises(InputError, match="gold"):
            world.put("gold", object())
        with pytest.raises(InputError):
            world.put("", 1)
        with pytest.raises(InputError, match="64 bits"):
            World.open(tmp_path / "x", settings=SETTINGS, seed=1 << 70)
        with pytest.raises(InputError, match="keep"):
            World.open(tmp_path / "x", settings=SETTINGS, keep_saves=0)
        world.save()
    with open_world(tmp_path) as world:
        assert world.get("quest", dict) == {"stage": 2, "open": True}
        assert world.get("gold", int) is None
        with pytest.raises(CorruptDataError, match="quest"):
            world.get("quest", int)


PLAYED = """
    import sys, threading
    from astraweave.world import World
    sys.setswitchinterval(1e-5)  # threads take turns as they never did when this was recorded
    for _ in range(2):
        threading.Thread(target=lambda: [sum(range(99)) for _ in iter(int, 1)], daemon=True).start()
    play = World.replay(sys.argv[1], lambda mark, play: print(mark.tick, play.hash))
    print("end", play.hash)
"""


def replayed_elsewhere(path: Path) -> list[str]:
    code = textwrap.dedent(PLAYED)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split("\n")[:-1]


def play(world: World, ticks: int, draw: random.Random, cast: int) -> dict[int, str]:
    """A town that talks, is told things, and moves about; the hash after every tick."""
    npcs = [world.npc(f"npc{n}", persona="tam") for n in range(cast)]
    hashes: dict[int, str] = {}
    for _ in range(ticks):
        world.clock.advance(1 / 30)
        chance = draw.random()
        if chance < 0.10:
            draw.choice(npcs).say(draw.choice((*TOLD, ASKED)), speaker=draw.choice("abc"))
        elif chance < 0.13:
            draw.choice(npcs).remember(f"Cart {draw.randrange(99)} came through the gate.")
        elif chance < 0.16:
            world.view.add(aw.Entity(id=f"cart{draw.randrange(9)}", name=f"cart {chance:.4f}"))
        elif chance < 0.18:
            world.put("gold", draw.randrange(1000))
        world.tick()
        hashes[world.ticks] = world.state_hash
    return hashes


def replays(tmp_path: Path, ticks: int, cast: int, seed: int) -> int:
    draw = random.Random(seed)
    model = ScriptedModel(["Aye, that I know well."] * 9, delay=0.002)
    with open_world(tmp_path / "slot", model=model) as world:
        # The first line of a process reads rules and words: the ticks below would all be over.
        world.npc("npc0", persona="tam").say("Good morning!").wait()
        hashes = play(world, ticks // 2, draw, cast)
        world.save()
        hashes |= play(world, ticks - ticks // 2, draw, cast)
        world.export_journal(tmp_path / "session.awj")
        end = world.state_hash
    model.close()
    again = World.replay(tmp_path / "session.awj")
    assert {tick: again.hash_at(tick) for tick in hashes} == hashes
    assert again.hash == end
    lines = replayed_elsewhere(tmp_path / "session.awj")
    assert lines[-1] == f"end {end}"
    assert dict(line.split() for line in lines[:-1]) == {
        str(mark.tick): mark.hash for mark in again.ticks
    }
    assert len(hashes) == ticks
    return again.events


def test_a_replay_has_the_same_hash_after_every_tick(tmp_path: Path) -> None:
    assert replays(tmp_path, ticks=300, cast=5, seed=11) > 50


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_ten_minutes_of_twenty_characters_replay(tmp_path: Path) -> None:
    events = replays(tmp_path, ticks=18_000, cast=20, seed=12)
    print(f"{events} events")
    assert events > 5000


def rewinds(tmp_path: Path, points: int, seed: int) -> None:
    """Saves at random points, and back to random ones of them: the hash is the same every time."""
    draw = random.Random(seed)
    with open_world(tmp_path, keep_saves=8) as world:
        checked = 0
        while checked < points:
            play(world, draw.randrange(1, 12), draw, cast=3)
            info = world.save(name=f"n{checked}" if draw.random() < 0.05 else "")
            assert info.state_hash == world.state_hash
            if draw.random() < 0.5:
                play(world, draw.randrange(6), draw, cast=3)
            chosen = draw.choice(world.saves())
            world.load(chosen.id)
            assert world.state_hash == chosen.state_hash
            checked += 1
            named = [each for each in world.saves() if each.name]
            if len(named) > 5:
                world.delete_save(named[0].name)


def test_the_hash_comes_back_at_random_points(tmp_path: Path) -> None:
    rewinds(tmp_path, points=25, seed=3)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_hash_comes_back_at_a_thousand_random_points(tmp_path: Path) -> None:
    rewinds(tmp_path, points=1000, seed=4)


def test_a_replay_goes_on_from_a_save(tmp_path: Path) -> None:
    with open_world(tmp_path / "slot") as world:
        tam = world.npc("tam", persona="tam")
        tam.say(TOLD[0]).wait()
        middle = world.save()
        tam.say(TOLD[1]).wait()
        world.save()
        tam.say(ASKED).wait()
        whole = world.export_journal(tmp_path / "whole.awj")
        part = world.export_journal(tmp_path / "part.awj", since=middle.id)
        end = world.state_hash
        assert part.start.hash == middle.state_hash
        assert len(part.events) < len(whole.events)
        assert World.replay(part).hash == World.replay(whole).hash == end
        again = World.replay(part)
        assert [turn.text for turn in again.turns("tam")] == [t.text for t in tam.history]
        assert [memory.text for memory in again.memories("tam")] == texts(world)
        assert again.persona("tam") == tam.persona
        with pytest.raises(InputError):
            world.export_journal(tmp_path / "x.awj", since="nonsense")


def test_a_replay_that_differs_says_where(tmp_path: Path) -> None:
    import msgspec

    from astraweave.world.events import LineSpoken, decode_event, encode_event
    from astraweave.world.recording import Recorded

    with open_world(tmp_path / "slot") as world:
        world.npc("tam", persona="tam").say(TOLD[0]).wait()
        record = world.export_journal(tmp_path / "session.awj")
    events = list(record.events)
    place = next(
        n for n, each in enumerate(events) if isinstance(decode_event(each.data), LineSpoken)
    )
    line = decode_event(events[place].data)
    turn = msgspec.structs.replace(line.turns[1], text="Something else.")
    line = msgspec.structs.replace(line, turns=(line.turns[0], turn))
    old = events[place]
    events[place] = Recorded(old.tick, encode_event(line), old.touched)
    with pytest.raises(CorruptDataError, match="comes out differently") as caught:
        World.replay(msgspec.structs.replace(record, events=tuple(events)))
    assert caught.value.event == (place, "line")
    assert caught.value.tick == old.tick
    assert caught.value.key == "turn/3:tam/00000001"
    data = (tmp_path / "session.awj").read_bytes()
    for damaged in (b"", data[:40], data[:-1], data[:99] + b"x" + data[100:]):
        (tmp_path / "session.awj").write_bytes(damaged)
        with pytest.raises(CorruptDataError):
            World.replay(tmp_path / "session.awj")
