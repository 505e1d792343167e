"""All parts of a mind together: one line and one memory through the house, and days of life."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

import astraweave as aw
from astraweave.errors import ConfigError, InputError
from astraweave.persona import Outcome
from astraweave.rag import LifeSettings, Swept
from astraweave.rag.life_gists import GistSettings
from astraweave.world import MemoryRules, World

SETTINGS = aw.Settings(model="none", embedder="mock")
DAY = 86_400.0
TOLD = "My dog is called Biscuit."


def open_world(path: Path, clock: aw.ManualClock | None = None, **more) -> World:
    clock = clock or aw.ManualClock(1000.0)
    return World.open(path, settings=SETTINGS, seed=5, clock=clock, **more)


def idle(world: World) -> None:
    """Until nothing is left that waits for an idle hour."""
    while True:
        world.tick()
        for step in (world._keeper.embed_one, world._keeper.tend):
            while world._block(step):
                pass
        if not world._timeline._finished:
            break
    world.tick()


def settle(world: World) -> str:
    """What was sent has happened."""
    world.tick()
    return world.state_hash


def memories(world: World, owner: str) -> list:
    return world._block(world._keeper.store.for_owner, owner)


def lived(world: World, memory_id: int):
    return world._block(world._keeper.memories.life.lived, memory_id)


def test_one_line_and_one_memory_through_the_whole_house(tmp_path: Path) -> None:
    clock = aw.ManualClock(1000.0)
    with open_world(tmp_path / "slot", clock) as world:
        tam = world.npc("tam", persona="tam")
        heard = tam.say(TOLD).wait()
        # Written: what was heard is a memory of its own, and an event.
        told = next(m for m in memories(world, "tam") if m.text == TOLD)
        assert (told.speaker, told.addressee, told.game_time) == ("player", "tam", 1000.0)
        assert heard.done
        # Felt: the words move him, and he knows which words they were.
        clock.advance(DAY)
        tam.say("You are the best smith in all of Harrow, thank you!").wait()
        settle(world)
        state = tam.state
        assert state.towards("player").affinity > 0
        (cause,) = state.causes
        assert cause.outcome.by == "player"
        assert tam.memory(cause.outcome.memory).text.startswith("You are the best smith")
        assert tam.why("Why do you like me?").reasons
        # Retrieved, planned, spoken.
        clock.advance(DAY)
        assert lived(world, told.id) is None
        weak = tam.strength(told.id)
        plan = tam.plan_line("What is my dog called?")
        assert told.id in plan.memories
        assert lived(world, told.id) is None  # a plan says nothing, and brings nothing to mind
        reply = tam.say("What is my dog called?").wait()
        assert "Biscuit" in reply.text
        assert told.id in reply.memories
        # Strengthened, by an event.
        assert tam.strength(told.id) > weak
        once = lived(world, told.id)
        assert once.recalls == 1
        assert once.last == clock.now()
        # Saved, loaded, replayed equal.
        info = world.save()
        assert info.state_hash == world.state_hash
        tam.experience("betrayed", by="player", text="Ash sold Tam's hammer")
        tam.say("What is my dog called?").wait()
        assert lived(world, told.id) != once
        world.load(info.id)
        assert (tam.state, lived(world, told.id)) == (state_after(state, tam), once)
        assert world.state_hash == info.state_hash
        record = world.export_journal(tmp_path / "session.awj", since="")
    replayed = World.replay(record)
    assert replayed.hash == info.state_hash
    assert told in replayed.memories("tam")
    assert replayed.mind("tam").causes == state.causes
    with open_world(tmp_path / "slot") as world:
        assert world.state_hash == info.state_hash
        assert lived(world, told.id) == once


def state_after(before, tam):
    """The same causes; the mood has rested for a day."""
    now = tam.state
    assert now.causes[:1] == before.causes
    return now


def test_what_happens_is_remembered_and_felt(tmp_path: Path) -> None:
    with open_world(tmp_path) as world:
        tam = world.npc("tam", persona="tam")
        tam.experience("betrayed", by="player", text="Ash sold Tam's hammer")
        tam.feel(Outcome(kind="gift", by="hild"))
        settle(world)
        first, second = tam.state.causes
        assert tam.memory(first.outcome.memory).text == "Ash sold Tam's hammer"
        assert second.outcome.memory == 0
        assert [m.text for m in memories(world, "tam")] == ["Ash sold Tam's hammer"]
        why = tam.why("Why don't you trust me?")
        assert "sold Tam's hammer" in why.reasons[0].text
        with pytest.raises(InputError):
            tam.experience("betrayed", text="x" * 100_000)


def test_what_is_weak_is_forgotten_when_time_has_gone_by(tmp_path: Path) -> None:
    rules = MemoryRules(life=LifeSettings(half_lives={"episodic": 3600.0}))
    clock = aw.ManualClock()
    with open_world(tmp_path / "slot", clock, memories=rules) as world:
        tam = world.npc("tam", persona="tam")
        tam.remember("A cart went by.", importance=0.0)
        tam.remember("Tam has sworn to find the ring.", importance=0.0, tags=("oath",))
        idle(world)
        assert tam.memory_count == 2
        (cart, oath) = [m.id for m in memories(world, "tam")]
        clock.advance(3600.0)
        assert tam.strength(cart) == pytest.approx(0.5)
        before = world.save()
        clock.advance(DAY)
        idle(world)
        assert [m.id for m in memories(world, "tam")] == [oath]
        assert tam.memory_count == 1
        then = world.state_hash
        record = world.export_journal(tmp_path / "session.awj", since="")
        assert World.replay(record).hash == then
        world.load(before.id)
        assert tam.memory_count == 2  # she remembers again: that day has not been
        assert world.state_hash == before.state_hash


def test_a_sweep_of_what_was_rewound_forgets_nothing(tmp_path: Path) -> None:
    clock = aw.ManualClock()
    rules = MemoryRules(life=LifeSettings(half_lives={"episodic": 60.0}))
    with open_world(tmp_path, clock, memories=rules) as world:
        tam = world.npc("tam", persona="tam")
        tam.remember("A cart went by.", importance=0.0)
        info = world.save()
        clock.advance(DAY)
        old = world._keeper.memories
        world.load(info.id)
        (cart,) = world._block(world._keeper.store.ids, "tam").tolist()
        swept = Swept(now=DAY, memories=1, faded=(cart,), crowded=("tam",))
        gist = msgspec.structs.replace(tam.memory(cart), sources=(cart,))
        for job, what in ((old.forget, swept), (old.sum_up, gist)):
            world._timeline.happen(job, what)
        assert settle(world) == info.state_hash
        clock.advance(DAY)
        world._timeline.happen(old.forget, swept)
        settle(world)
        assert [m.id for m in memories(world, "tam")] == [cart]
        world._timeline.happen(world._keeper.memories.forget, swept)
        settle(world)
        assert memories(world, "tam") == []


def test_nobody_keeps_more_than_they_may(tmp_path: Path) -> None:
    rules = MemoryRules(life=LifeSettings(max_memories=20), sweep_every_s=60.0)
    clock = aw.ManualClock()
    with open_world(tmp_path, clock, memories=rules) as world:
        tam = world.npc("tam", persona="tam")
        for day in range(40):
            tam.remember(f"Cart number {day} came by.", importance=day / 100)
            clock.advance(30.0)
            idle(world)
        clock.advance(60.0)
        idle(world)
        assert tam.memory_count <= 20
        assert tam.memory_capacity == 20
        assert "39" in memories(world, "tam")[-1].text
        tam.strongest_memories  # noqa: B018 - asks for them
        idle(world)
        best = tam.memory(tam.strongest_memories[0])
        assert "Cart number 39" in best.text


def test_old_days_are_summed_up(tmp_path: Path) -> None:
    rules = MemoryRules(gists=GistSettings(), sum_up_every_s=3600.0)
    clock = aw.ManualClock()
    with open_world(tmp_path / "slot", clock, memories=rules) as world:
        tam = world.npc("tam", persona="tam")
        world.npc("hild", persona=aw.Persona(id="hild", name="Hild", role="baker"))
        for _ in range(4):
            tam.remember("Hild came to the forge to have a blade mended.", importance=0.2)
            clock.advance(DAY)
            idle(world)
        clock.advance(2 * DAY)
        idle(world)
        gists = [m for m in memories(world, "tam") if m.sources]
        assert gists, [m.text for m in memories(world, "tam")]
        for source in gists[0].sources:
            assert lived(world, source).gain < 1.0
        replayed = World.replay(world.export_journal(tmp_path / "session.awj", since=""))
        then = world.state_hash
        assert replayed.hash == then
        assert gists[0] in replayed.memories("tam")
        world.save()
    with open_world(tmp_path / "slot", memories=rules) as world:
        assert world.state_hash == then


def test_what_a_town_knows_and_what_friends_tell(tmp_path: Path) -> None:
    with open_world(tmp_path / "slot") as world:
        world.view.add(
            aw.Entity(id="harrow", name="Harrow", kind="place"),
            aw.Entity(id="tam", name="Tam", kind="person", place="harrow"),
            aw.Entity(id="hild", name="Hild", kind="person", place="road"),
        )
        tam = world.npc("tam", persona="tam")
        hild = world.npc("hild", persona=aw.Persona(id="hild", name="Hild", role="baker"))
        world.note("The mill burned down in spring.", "@town:harrow")
        world.note("The baron is the thief.", "@author")
        world.note("The king is called Edric.")
        tam.remember("The ring lies under the anvil.")
        world.tick()
        found = {npc.id: {r.memory.text for r in npc.recall("mill king baron ring", 9)}
                 for npc in (tam, hild)}  # fmt: skip
        assert found["hild"] == {"The king is called Edric."}
        assert "The mill burned down in spring." in found["tam"]
        assert not any("baron" in text for text in found["tam"] | found["hild"])
        (ring,) = [r for r in tam.recall("ring", 9) if "ring" in r.memory.text][:1]
        tam.tell(hild, ring)
        tam.tell(hild, ring)
        world.share(ring, "@faction:guild", by="hild")
        world.tick()
        (known,) = memories(world, "hild")
        assert known.provenance == ("tam",)
        assert known.sources == (ring.memory.id,)
        mill = next(r for r in tam.recall("mill", 9) if "mill" in r.memory.text)
        assert tam.memory(mill.memory.id) == mill.memory
        assert hild.memory(mill.memory.id) is None
        for wrong in (
            lambda: tam.tell("tam", ring),
            lambda: tam.tell("@author", ring),
            lambda: tam.tell("@nobody", ring),
            lambda: tam.tell(hild, aw.Memory(owner="tam", text="Never kept.")),
            lambda: world.note("Nothing.", "@nowhere"),
            lambda: world.note("", "@world"),
        ):
            with pytest.raises(InputError):
                wrong()
        then = world.state_hash
        replayed = World.replay(world.export_journal(tmp_path / "session.awj", since=""))
        assert (replayed.hash, replayed.memories("hild")) == (then, [known])


def test_what_is_noted_is_found_by_its_meaning_at_once(tmp_path: Path) -> None:
    with open_world(tmp_path / "slot") as world:
        world.view.add(
            aw.Entity(id="harrow", name="Harrow", kind="place"),
            aw.Entity(id="tam", name="Tam", kind="person", place="harrow"),
        )
        tam = world.npc("tam", persona="tam")
        world._block(lambda: setattr(world._keeper.memories, "embed_one", lambda: False))
        noted = ("The mill burned down.", "@town:harrow"), ("Edric is king.", "@world")
        for text, scope in (*noted, ("The baron is the thief.", "@author")):
            world.note(text, scope)
        world.tick()
        tam.recall("Who rules?")
        waiting = world._block(world._keeper.store.pending)
        assert [memory.text for memory in waiting] == ["The baron is the thief."]


def test_a_games_own_scopes_and_rules(tmp_path: Path) -> None:
    class Nobody:
        def may_know(self, owner: str, scope: str) -> bool:
            return owner == "seer"

    def never(age, half_life, importance, recalls):
        return 0.0 * age + 1.0

    rules = MemoryRules(scopes=Nobody(), decay=never)
    clock = aw.ManualClock()
    with open_world(tmp_path / "slot", clock, memories=rules) as world:
        tam = world.npc("tam", persona="tam")
        seer = world.npc("seer", persona="tam")
        world.note("The king is called Edric.")
        tam.remember("A cart went by.", importance=0.0)
        world.tick()
        assert not [r for r in tam.recall("king") if "Edric" in r.memory.text]
        assert [r.memory.text for r in seer.recall("king")] == ["The king is called Edric."]
        clock.advance(3650 * DAY)
        idle(world)
        assert tam.memory_count == 1
    with pytest.raises(ConfigError):
        open_world(tmp_path / "other", memories=MemoryRules(decay=lambda a, h, i, r: a / 0.0 * h))
    with open_world(tmp_path / "other"):
        pass  # nothing of it stays behind


_LINES = (
    "Good morning!", "My {thing} is called {name}.", "What is my {thing} called?", "You fool!",
    "Thank you, that was kind of you.", "I saw {name} at the mill.", "Where did I see {name}?",
    "The {thing} of {name} is gone.", "How are you?", "I promise to bring you a {thing}.",
)  # fmt: skip


def days(path: Path, *, seconds_between: float, days: float, cast: int) -> None:
    """A town of talk with everything on: caps hold, and it all comes out again in a replay."""
    draw = random.Random(11)
    cap = 60
    rules = MemoryRules(
        life=LifeSettings(
            half_lives={"working": 600.0, "episodic": 6 * 3600.0, "semantic": DAY},
            max_memories=cap,
        ),
        gists=GistSettings(oldest_first_s=DAY / 2),
        sum_up_every_s=DAY / 2,
    )
    clock = aw.ManualClock()
    names = ("Biscuit", "Mira", "Ode", "Wat", "Joss")
    things = ("dog", "sister", "ring", "horse", "sword")
    saves = []
    with open_world(path / "slot", clock, memories=rules, keep_saves=1000) as world:
        npcs = [world.npc(f"npc{i}", persona="tam") for i in range(cast)]
        while clock.now() < days * DAY:
            npc = draw.choice(npcs)
            line = draw.choice(_LINES).format(thing=draw.choice(things), name=draw.choice(names))
            what = draw.random()
            if what < 0.7:
                npc.say(line, draw.choice(("player", "ash"))).wait()
            elif what < 0.8:
                npc.experience("helped", by="player", text=f"the player helped {npc.persona.name}")
            elif what < 0.9:
                npc.remember(line, importance=draw.random())
            else:
                world.note(f"{draw.choice(names)} came to town.", "@world")
            clock.advance(draw.random() * 2 * seconds_between)
            if draw.random() < 0.05:
                idle(world)
            if draw.random() < 0.01:
                saves.append(world.save())
                assert saves[-1].state_hash == world.state_hash
        clock.advance(rules.sweep_every_s)
        idle(world)
        assert all(npc.memory_count <= cap for npc in npcs)
        counters = world.telemetry.counters
        assert counters["rag.forgotten"] > 0
        then = world.state_hash
        record = world.export_journal(path / "session.awj", since="")
        kept = {npc.id: memories(world, npc.id) for npc in npcs}
        states = {npc.id: world._keeper.minds.get(npc.id) for npc in npcs}
        world.save()
    replayed = World.replay(path / "session.awj")
    assert replayed.hash == record.ticks[-1].hash == then
    for npc, had in kept.items():
        assert replayed.memories(npc) == had
        assert replayed.mind(npc) == states[npc]
    with open_world(path / "slot", memories=rules) as world:
        assert world.state_hash == then


def test_an_afternoon_with_everything_on(tmp_path: Path) -> None:
    days(tmp_path, seconds_between=300.0, days=0.7, cast=4)


@pytest.mark.slow
def test_five_days_of_a_town_with_everything_on(tmp_path: Path) -> None:
    days(tmp_path, seconds_between=120.0, days=5.0, cast=20)
