"""News that moves: surprise, comfort, joy; what was talked of; a word that is given."""

from __future__ import annotations

import random

import pytest

from astraweave.context import Turn
from astraweave.core.clock import ManualClock
from astraweave.core.settings import Settings
from astraweave.core.text import sanitize
from astraweave.dialogue import DialogueGenerator, Situation
from astraweave.dialogue.moments import ago, asked_period, period_of
from astraweave.persona import BigFive, Persona, PersonaState, Relationship
from astraweave.rag import GameCalendar, Memory, Retrieved
from astraweave.world import World

BARE = Settings(model="none", embedder="mock", threads=1)
DAY = 86_400.0
FRIEND, FOE = Relationship(trust=0.7, affinity=0.7), Relationship(trust=-0.7, affinity=-0.7)
HARD = Persona(id="tam", name="Tam", temperament=BigFive(agreeableness=0.4))
KIND = Persona(id="tam", name="Tam", temperament=BigFive(agreeableness=0.9))
SHUT = Memory(id=3, owner="tam", text="The north gate is shut.", speaker="player", addressee="tam")
TELLINGS = ("My name is Ash.", "I come from Fenwick.", "My dog died last winter.")


def plan(said, *, persona=HARD, relation=None, memories=(), **more):
    mind = PersonaState(relationships={"player": relation} if relation else {})
    situation = Situation(
        persona=persona,
        speaker="player",
        utterance=sanitize(said),
        memories=tuple(Retrieved(memory=m, score=1.0, similarity=0.8) for m in memories),
        rng=random.Random(1),
        mind=mind,
        **more,
    )
    return DialogueGenerator().plan(situation)


def test_what_overturns_a_belief_surprises():
    made = plan("The north gate is open now.", overturned=(SHUT,), now=DAY)
    assert (made.act, made.fields["retold"]) == ("surprise", "the north gate was shut")
    assert made.memories == (3,)
    assert any("believed otherwise" in reason for reason in made.reasons)


def test_who_puts_a_slip_right_surprises_nobody():
    assert plan("The north gate is open.", overturned=(SHUT,), now=30.0).act == "telling"


def test_another_teller_is_named_or_nobody_is_surprised():
    heard = Memory(id=3, owner="tam", text=SHUT.text, speaker="bren", addressee="tam")
    named = plan("The north gate is open.", overturned=(heard,), now=DAY, names={"bren": "Bren"})
    assert (named.act, named.fields["teller"]) == ("surprise", "Bren")
    assert plan("The north gate is open.", overturned=(heard,), now=DAY).act == "telling"


@pytest.mark.parametrize(
    ("said", "persona", "relation", "also"),
    [
        ("My mother died.", HARD, FRIEND, ("comfort",)),
        ("My mother died.", KIND, None, ("comfort",)),
        ("My mother died.", HARD, None, ()),
        ("My mother died.", KIND, FOE, ()),
        ("I won the archery prize!", HARD, FRIEND, ("congratulate",)),
        ("The old mill burned down.", HARD, FRIEND, ()),
        ("My horse is called Bramble.", KIND, FRIEND, ()),
    ],
)
def test_the_speakers_own_news_are_felt_with_by_friends_and_the_kind(said, persona, relation, also):
    assert plan(said, persona=persona, relation=relation).also == also


def test_comfort_is_no_habit():
    before = [Turn(role="user", speaker="player", text="My dog died last winter.")]
    assert plan("My mother died.", relation=FRIEND, history=before).also == ()


def told(*texts):
    return [
        Memory(id=n, owner="tam", text=text, speaker="player", addressee="tam", game_time=n)
        for n, text in enumerate(texts, start=1)
    ]


def test_what_was_talked_of_is_summed_up_in_its_order():
    made = plan("What have we talked about?", memories=told(*TELLINGS), now=100.0)
    assert made.act == "summary_of_talk"
    assert made.fields["retold"] == (
        "your name is Ash, you come from Fenwick and your dog died last winter"
    )
    assert plan("What have we talked about?", memories=told(TELLINGS[0])).act == "recap"


def test_after_a_long_absence_a_greeting_sums_up():
    known = told(*TELLINGS)
    made = plan("Hello!", memories=known, lately=tuple(known), now=20 * DAY, last_met=9.0)
    assert (made.act, made.also) == ("greeting_again", ("summary_of_talk",))
    soon = plan("Hello!", memories=known, lately=tuple(known), now=3 * DAY, last_met=9.0)
    assert soon.also == ()


@pytest.mark.parametrize(
    ("relation", "act"), [(FRIEND, "promise"), (None, "request"), (FOE, "refuse")]
)
def test_a_word_is_given_to_those_who_are_trusted(relation, act):
    assert plan("Promise me that you will feed my horse.", relation=relation).act == act


def test_it_tells_of_itself_what_it_has_not_said():
    tam = Persona(id="tam", name="Tam", facts=("I was born in Harrow.", "I have an old dog."))
    before = [Turn(role="assistant", speaker="tam", text="I was born in Harrow.")]
    made = plan("Tell me something about yourself.", persona=tam, history=before)
    assert (made.act, made.facts[0].text) == ("answer", "I have an old dog.")


def test_a_day_is_as_long_as_the_calendar_says():
    hourly = GameCalendar(day_seconds=3600.0)
    assert ago(0.0, 3 * 3600.0, hourly) == "three days ago"
    assert period_of(asked_period("What did I tell you yesterday?"), [], 7300.0, hourly) == (
        3600.0,
        7200.0,
    )
    made = plan("Hello!", now=3 * 3600.0, last_met=0.0, calendar=hourly)
    assert made.fields["gap"] == "three days"


def test_yesterday_means_one_thing_in_a_world(tmp_path):
    clock = ManualClock()
    calendar = GameCalendar(day_seconds=4 * 3600.0)
    with World.open(tmp_path, settings=BARE, clock=clock, calendar=calendar) as world:
        tam = world.npc("tam", persona="tam")
        for text in ("My horse is called Bramble.", "I come from Fenwick."):
            tam.say(text).wait()
            clock.advance(4 * 3600.0)
        clock.advance(60.0)
        line = tam.say("What did I tell you yesterday?").wait().text
        assert "Fenwick" in line
        assert "Bramble" not in line


def test_a_world_notices_what_has_changed(tmp_path):
    clock = ManualClock()
    with World.open(tmp_path, settings=BARE, clock=clock) as world:
        tam = world.npc("tam", persona="tam")
        assert tam.say("The north gate is shut.").wait().plan.act == "telling"
        clock.advance(DAY)
        changed = tam.say("The north gate is open now.").wait()
        assert changed.plan.act == "surprise"
        assert "gate was shut" in changed.text
        assert tam.say("The north gate is open.").wait().plan.act != "surprise"
        tam.say("I come from Fenwick.").wait()
        summed_up = tam.say("What have we talked about?").wait()
        assert summed_up.plan.act == "summary_of_talk"
        assert "shut" not in summed_up.text
        assert "open" in tam.say("Is the north gate open?").wait().text


def test_who_owns_one_thing_is_not_said_to_own_no_other():
    wren = Persona(id="w", name="Wren", facts=("I own a good knife that Tam made.",))
    assert plan("Do you have a dog?", persona=wren).act == "unknown"


def test_of_strangers_it_thinks_nothing_yet():
    assert plan("What do you think of me?").act == "recap_nothing"
    assert plan("Do you like me?", relation=FOE).act == "stance"
