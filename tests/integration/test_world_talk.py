"""Talk as a game has it: groups, interruptions, plans, barks, feelings; saved and equal again."""

from __future__ import annotations

import asyncio

import pytest

from astraweave.core.clock import ManualClock
from astraweave.core.settings import Settings
from astraweave.core.worldview import Entity
from astraweave.dialogue import VoiceLibrary
from astraweave.dialogue.repair import normal
from astraweave.errors import InputError
from astraweave.llm import ScriptedModel
from astraweave.persona import BigFive, Persona
from astraweave.world import World

BARE = Settings(model="none", embedder="mock", threads=1)
TOLD = "My sister Mira hid a silver key under the old mill."
DAY = 86_400.0


def person(npc, name, **more):
    return Persona(id=npc, name=name, role=f"the {npc} keeper", **more)


def open_world(path, *, seed=1, clock=None, **more):
    return World.open(path, settings=BARE, seed=seed, clock=clock or ManualClock(), **more)


def table(world):
    return [
        world.npc("orla", persona=person("orla", "Orla", temperament=BigFive(extraversion=0.9))),
        world.npc("bren", persona=person("bren", "Bren")),
        world.npc("hob", persona=person("hob", "Hob", temperament=BigFive(extraversion=0.1))),
    ]


def test_all_who_are_there_hear_and_nobody_else(tmp_path):
    with open_world(tmp_path) as world:
        cast = table(world)
        absent = world.npc("tam", persona="tam")
        talk = world.gather(cast[:2], place="inn")
        talk.say("Orla, my horse is called Bramble.").wait()
        for npc in cast[:2]:
            assert any("Bramble" in turn.text for turn in npc.history)
            assert any("Bramble" in r.memory.text for r in npc.recall("What is my horse called?"))
        for npc in (cast[2], absent):
            assert not npc.history
            assert not npc.recall("What is my horse called?")
        assert "Bramble" in cast[1].say("What is my horse called?").wait().text


def test_who_is_called_by_name_answers_first(tmp_path):
    with open_world(tmp_path) as world:
        talk = world.gather(table(world))
        for name in ("orla", "bren", "hob"):
            said = talk.say(f"{name.capitalize()}, how are you?").wait()
            assert said.replies[0].npc == name
            assert said.lines[0][1]
        everyone = talk.say("Good evening, everybody!").wait()
        assert [npc for npc, _ in everyone.lines] == ["orla", "bren", "hob"]
        looked_at = talk.say("How are you?", to="hob").wait()
        assert looked_at.replies[0].npc == "hob"
        with pytest.raises(InputError, match="not there"):
            talk.say("How are you?", to="tam")


def test_replies_of_a_round_are_bounded_and_heard_by_the_others(tmp_path):
    with open_world(tmp_path) as world:
        cast = table(world)
        talk = world.gather(cast)
        said = talk.say("What a day it was.").wait()
        assert 1 <= len(said.lines) <= 3
        speaker, line = said.lines[0]
        for npc in cast:
            roles = {turn.role for turn in npc.history if turn.text == line}
            assert roles == ({"assistant"} if npc.id == speaker else {"user"})


def test_who_does_not_know_hands_over_to_who_may(tmp_path):
    with open_world(tmp_path) as world:
        cast = table(world)
        cast[2].remember("The ferry leaves at noon.")
        talk = world.gather(cast)
        said = talk.say("Bren, when does the ferry leave?").wait()
        acts = [(reply.npc, reply.plan.act) for reply in said.replies]
        assert ("hob", "answer") in acts
        assert "noon" in dict(said.lines)["hob"]


def test_who_leaves_hears_no_more_and_who_comes_has_not_heard(tmp_path):
    with open_world(tmp_path) as world:
        cast = table(world)
        talk = world.gather(cast[:2])
        talk.say("I have five goats.").wait()
        talk.leave("bren")
        talk.join("hob")
        talk.say("I have a red boat.").wait()
        assert not any("boat" in turn.text for turn in cast[1].history)
        assert not any("goats" in turn.text for turn in cast[2].history)
        assert any("boat" in turn.text for turn in cast[2].history)


def talked(path, *, threads=1):
    lines = []
    with open_world(path, seed=5) as world:
        talk = world.gather(table(world))
        for text in ("Good evening!", TOLD, "Orla, where is the key?", "What a day.", "Farewell!"):
            lines += talk.say(text).wait().lines
        world.tick()
        return lines, world.state_hash


def test_group_talk_is_seeded(tmp_path):
    assert talked(tmp_path / "a") == talked(tmp_path / "b")


def test_a_round_can_be_awaited_and_polled(tmp_path):
    with open_world(tmp_path) as world:
        talk = world.gather(table(world))

        async def run():
            return [reply.npc async for reply in talk.say("Good evening, everybody!")]

        assert asyncio.run(run()) == ["orla", "bren", "hob"]
        said, shown = talk.say("Good evening, everybody!"), {}
        while not said.done:
            world.tick()
            for npc, text in said.take():
                shown[npc] = shown.get(npc, "") + text
        for npc, text in said.take():
            shown[npc] = shown.get(npc, "") + text
        assert shown == dict(said.lines)


def test_what_was_heard_of_a_line_is_what_was_said(tmp_path):
    with open_world(tmp_path) as world:
        tam = world.npc("tam", persona="tam")
        reply = tam.say(TOLD).wait()
        whole = reply.text
        heard = whole[: len(whole) // 2]
        reply.interrupt(heard)
        world.deliver_until(lambda: tam.history[-1].text == heard.rstrip(), 10)
        assert tam.history[-1].text == heard.rstrip() == reply.text
        assert reply.interrupted
        resumed = tam.say("Go on.").wait()
        assert resumed.plan.act == "resume"
        assert whole.split(". ")[-1].rstrip(".!?") in resumed.text
        world.save()
    with open_world(tmp_path) as world:
        assert heard.rstrip() in [turn.text for turn in world.npc("tam").history]


def test_what_is_left_unsaid_is_saved(tmp_path):
    with open_world(tmp_path) as world:
        tam = world.npc("tam", persona="tam")
        reply = tam.say(TOLD).wait()
        whole = reply.text
        reply.interrupt("")
        world.deliver_until(lambda: tam.history[-1].role == "user", 10)
        assert tam.history[-1].role == "user"
        world.save()
    with open_world(tmp_path) as world:
        resumed = world.npc("tam").say("Go on.").wait()
        assert resumed.plan.act == "resume"
        assert whole in resumed.text


def test_saying_more_cuts_in_on_a_line_that_is_being_shown(tmp_path):
    model = ScriptedModel([" The fire is warm today, and the iron is good."], delay=0.2)
    with open_world(tmp_path, model=model, deadline_s=20.0) as world:
        tam = world.npc("tam", persona="tam")
        first = tam.say("It looks like rain.")
        world.deliver_until(lambda: bool(first.text), 10)
        shown = first.take()
        second = tam.say("Wait, I must go.")
        assert first.done
        assert first.interrupted
        second.wait(30)
        texts = [turn.text for turn in tam.history]
        assert texts[:2] == ["It looks like rain.", shown]
        assert second.text == texts[-1]
    model.close()


def test_a_line_cannot_be_cut_to_what_it_did_not_say(tmp_path):
    with open_world(tmp_path) as world:
        reply = world.npc("tam", persona="tam").say("Hello!").wait()
        with pytest.raises(InputError, match="does not begin"):
            reply.interrupt("Something else")


def test_a_plan_says_nothing_and_changes_nothing(tmp_path):
    with open_world(tmp_path) as world:
        tam = world.npc("tam", persona="tam")
        tam.say(TOLD).wait()
        before, turns = world.state_hash, tuple(tam.history)
        plan = tam.plan_line("Where is the key?")
        assert plan.act == "answer"
        assert "mill" in plan.facts[0].text
        assert plan.memories
        assert (world.state_hash, tuple(tam.history)) == (before, turns)
        reply = tam.say("Where is the key?").wait()
        assert reply.plan == plan
        assert reply.report.plan == plan


def test_barks_are_at_once_and_never_in_a_line(tmp_path):
    with open_world(tmp_path) as world:
        tam = world.npc("tam", persona="tam")
        assert tam.bark("work")
        assert tam.bark("work") == ""
        world.clock.advance(100)
        reply = tam.say("Hello!")
        assert tam.bark("idle", force=True) == ""
        reply.wait()
        assert tam.bark("idle")
        assert len(tam.history) == 2
        with pytest.raises(InputError, match="no bark"):
            tam.bark("sing")


def test_what_happens_is_felt_said_and_saved(tmp_path):
    clock = ManualClock()
    with open_world(tmp_path, clock=clock) as world:
        tam = world.npc("tam", persona="tam")
        world.view.add(Entity(id="player", name="Ash", kind="person"))
        for _ in range(3):
            tam.experience("betrayed", by="player", text="Ash sold Tam's hammer")
        tam.say("Hello.").wait()
        world.tick()
        hurt = tam.state
        assert hurt.mood.valence < 0
        assert hurt.towards("player").trust < -0.3
        why = tam.say("Why are you angry with me?").wait()
        assert "hammer" in why.text
        world.save()
    with open_world(tmp_path, clock=clock) as world:
        assert world.npc("tam").state.relationships == hurt.relationships
        assert world.npc("tam").say("Hello again!").wait().plan.act == "greet_rival"
        with pytest.raises(InputError, match="no such thing"):
            world.npc("tam").experience("no such thing")


def test_insults_and_apologies_move_what_one_thinks(tmp_path):
    with open_world(tmp_path) as world:
        tam = world.npc("tam", persona="tam")
        tam.say("You are a fool and a liar!").wait()
        world.deliver_until(lambda: False, 0.2)
        low = tam.state.towards("player").affinity
        assert low < 0
        tam.say("I am so sorry. Forgive me.").wait()
        world.deliver_until(lambda: False, 0.2)
        assert tam.state.towards("player").affinity > low


def test_days_between_are_counted(tmp_path):
    clock = ManualClock()
    with open_world(tmp_path, clock=clock) as world:
        tam = world.npc("tam", persona="tam")
        tam.say("Hello!").wait()
        clock.advance(3 * DAY)
        plan = tam.plan_line("Hello again!")
        assert plan.fields["gap"] == "three days"
        clock.advance(60)
        tam.say("Hello again!").wait()
        assert tam.plan_line("Hello!").fields["gap"] == "three days"


def test_secrets_of_one_are_not_told_to_another(tmp_path):
    with open_world(tmp_path) as world:
        tam = world.npc("tam", persona="tam")
        tam.say("Between you and me, I hid the gold in the well.", speaker="ash").wait()
        asked = tam.say("Where is the gold?", speaker="bren").wait()
        assert "well" not in asked.text.lower().split()
        assert not asked.memories
        assert "well" in tam.say("Where is the gold?", speaker="ash").wait().text


@pytest.mark.parametrize("said", ["أين أختي؟", "我的妹妹在哪里？", "Где моя сестра?", "妹はどこ？"])
def test_other_scripts_survive_and_are_remembered_as_they_are(tmp_path, said):
    with open_world(tmp_path) as world:
        tam = world.npc("tam", persona="tam")
        reply = tam.say(said).wait()
        assert reply.text
        assert reply.error is None
        assert tam.history[0].text == said
        assert said in [r.memory.text for r in tam.recall(said, k=5)]


def test_no_line_comes_again_within_twenty_whatever_the_tier(tmp_path):
    model = ScriptedModel([" The fire is warm today.", " Sit down by the fire.", " Aye, so it is."])
    said = ["What a day.", "Hello!", "Where is my hat?", "Thanks!", "You fool!", "Farewell."]
    for number, with_model in enumerate((False, True)):
        more = {"model": model} if with_model else {}
        with open_world(tmp_path / str(number), **more) as world:
            tam = world.npc("tam", persona="tam")
            lines = []
            for turn in range(90):
                # First in turn, then each fifteen times in a row.
                text = said[turn % 6] if turn < 30 else said[turn // 15]
                line = normal(tam.say(text).wait().text)
                assert line not in lines[-20:], (turn, text, line)
                lines.append(line)
    model.close()


def test_a_studios_own_voice_speaks_and_a_question_is_explained(tmp_path):
    folder = tmp_path / "voices"
    folder.mkdir()
    lines = [f"State your business, number {n}." for n in range(6)]
    (folder / "terse.toml").write_text(
        f'name = "terse"\nextends = "plain"\nlanguage = "en"\n[acts]\ngreeting = {lines}\n'.replace(
            "'", '"'
        ),
        encoding="utf-8",
    )
    persona = person("guard", "Guard", patterns="terse")
    with open_world(tmp_path / "slot", voices=VoiceLibrary.load(folder)) as world:
        guard = world.npc("guard", persona=persona)
        reply = guard.say("Good morning.")
        reply.wait()
        assert reply.text.startswith("State your business")
        guard.remember("The bridge at Fallowmere is closed.")
        world.tick()
        found = guard.explain("What of the bridge?")
        assert any("bridge" in each.memory.text and each.reasons for each in found)
