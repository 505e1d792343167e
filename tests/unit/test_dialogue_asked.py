"""What is asked of the character itself, and what is said to it in kindness or in anger."""

from __future__ import annotations

import random

import pytest

from astraweave.core.text import sanitize
from astraweave.dialogue import DialogueGenerator, Situation, act_of
from astraweave.dialogue.echoes import echo_of, follows_on
from astraweave.dialogue.facts import Source, facts_of
from astraweave.dialogue.reported import in_third_person
from astraweave.dialogue.retell import retell
from astraweave.persona import (
    Mood,
    Outcome,
    Persona,
    PersonaState,
    Relationship,
    evolve_from_outcome,
    initial_state,
)
from astraweave.rag import Memory

TAM = Persona.builtin("tam")


def insulted(times=3):
    state = initial_state(TAM)
    for _ in range(times):
        outcome = Outcome(kind="insulted", by="player", game_time=5.0)
        state = evolve_from_outcome(TAM, state, outcome)
    return state


def planned(said, *, persona=TAM, **more):
    situation = Situation(
        persona=persona,
        speaker="player",
        utterance=sanitize(said),
        rng=random.Random(more.pop("seed", 1)),
        **more,
    )
    return DialogueGenerator().planner(persona).plan(situation)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Your work is rubbish.", "insult"),
        ("You couldn't guard a chicken.", "insult"),
        ("Nobody likes you.", "insult"),
        ("You play beautifully.", "praise"),
        ("Your raven is a clever bird.", "praise"),
        ("I brought you a jar of honey.", "praise"),
        ("God bless you.", "praise"),
        ("I'm sorry for your loss.", "praise"),
        ("Please forgive me, sergeant.", "apology"),
        ("All right, I apologise. That was uncalled for.", "apology"),
        ("I broke your jug, I am so sorry.", "apology"),
        ("I am very grateful.", "thanks"),
        ("How can I ever repay you?", "thanks"),
        ("You look tired.", "wellbeing"),
        ("It is good to see you all together.", "greeting"),
        ("I'll burn down your forge.", "threat"),
        ("Jory, an ale please!", "request"),
        ("Excuse me, may I sit down?", "request"),
        ("Can you read?", "question"),
        ("Your sister lost a good ring under the mill.", "smalltalk"),
        ("You told me that the king is stupid.", "telling"),
        ("My sister says that you are kind.", "telling"),
        ("My horse is called Bramble.", "telling"),
    ],
)
def test_what_a_line_does(said, kind):
    assert act_of(said, "Tam").kind == kind


@pytest.mark.parametrize("said", ["What is wrong?", "What's the matter?", "What troubles you?"])
def test_what_is_wrong_is_answered_with_what_is_wrong(said):
    plan = planned(said, mind=insulted(), now=6.0)
    assert plan.line.act == "wrong"
    assert "you insulted me" in plan.opening.casefold()
    assert not plan.opening.startswith("Because")
    assert planned(said).line.act == "untroubled"


def test_whether_it_is_angry_is_answered_by_yes_or_no():
    plan = planned("Are you angry with me?", mind=insulted(), now=6.0)
    assert plan.line.act == "confirmed_self"
    assert "insulted" in plan.opening
    assert planned("Are you angry with me?").line.act == "untroubled"
    assert planned("You look sad.").line.act == "untroubled"


def test_what_is_wrong_with_something_else_is_an_ordinary_question():
    assert planned("What is wrong with the well?", mind=insulted(), now=6.0).line.act == "unknown"
    assert planned("What are you afraid of?").line.act == "unknown"


@pytest.mark.parametrize(
    ("affinity", "word"), [(0.8, "stool tongs like"), (-0.8, "patience Friends? rusty")]
)
def test_what_it_thinks_of_one_goes_by_the_relationship(affinity, word):
    mind = PersonaState(relationships={"player": Relationship(affinity=affinity)})
    plan = planned("What do you think of me?", mind=mind)
    assert plan.line.act == "stance"
    assert any(each in plan.opening for each in word.split())


@pytest.mark.parametrize(
    ("said", "act"),
    [
        ("What do you think of Agnes?", "opinion"),
        ("Do you like Nell?", "opinion"),
        ("And Hild?", "opinion"),
        ("What do you think about the king?", "no_opinion"),
        ("What do you think of the bridge that Nell wants?", "no_opinion"),
        ("Any news?", "no_news"),
        ("What do you think?", "telling_opinion"),
        ("Can you believe it?", "telling_opinion"),
        ("Guess what he did with his first pay!", "listening"),
        ("Do you forgive me?", "apology"),
    ],
)
def test_questions_for_views(said, act):
    assert planned(said).line.act == act


def test_news_is_what_others_told_with_nobody_left_saying_i():
    heard = Memory(
        id=1, owner="tam", text="I come from Dunmorrow.", speaker="robin", addressee="tam",
        importance=0.9,
    )  # fmt: skip
    plan = planned("Any news?", lately=(heard,), names={"robin": "Robin"})
    assert plan.line.act == "gossip"
    assert "Robin comes from Dunmorrow" in plan.opening


def test_a_threat_is_not_answered_with_advice():
    assert planned("I will kill you!").line.act == "threatened"
    assert planned("I will kill you!", mind=PersonaState(mood=Mood(dominance=0.8))).line.act == (
        "threaten"
    )


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("I am a tanner and I have two sons", "Robin is a tanner and they have two sons"),
        ("I've lost my ring", "Robin has lost their ring"),
        ("my niece carries our water", "Robin's niece carries their water"),
        ("I can't swim", "Robin can't swim"),
        ("the king taxed us", "the king taxed them"),
        ("I always keep my word", "Robin always keeps their word"),
    ],
)
def test_in_another_mouth(told, said):
    assert in_third_person(told, "Robin") == said


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("I knew Edric, the father of the smith.", "you knew Edric, the father of the smith"),
        ("I remember the great flood.", "you remember the great flood"),
        (
            "My cousin Bettine laughed so hard that she fell off the fence.",
            "your cousin Bettine laughed so hard that she fell off the fence",
        ),
        ("The neighbours' cow ate our cabbages.", "the neighbours' cow ate your cabbages"),
        ("Will is a soldier in the king's army.", "Will is a soldier in the king's army"),
        ("Once I fought a bear.", "once you fought a bear"),
        ("My lady, I have returned.", "you have returned"),
        ("So my landlord came by.", "your landlord came by"),
        ("Life is hard.", "life is hard"),
    ],
)
def test_whole_clauses_are_said_back(told, said):
    fact = facts_of(Source(told, "player", "tam"))[0]
    assert retell(fact, swap=True) == said


def test_what_is_said_back_names_more_than_a_bare_noun():
    assert echo_of("My husband Piet is a fisherman.", "player", "tam")["echo"] == (
        "your husband Piet is a fisherman"
    )
    assert follows_on("She is marrying a cooper.")
    assert not follows_on("My sister is marrying a cooper.")


def test_pronouns_and_unknown_names_keep_their_letters():
    told = facts_of(Source("He locked the parrot in the pantry.", "player", "tam"))[0]
    assert retell(told, swap=True).startswith("he locked")
    told = facts_of(Source("Edda, the older one, married a miller.", "player", "tam"))[0]
    assert retell(told, swap=True).startswith("Edda, the")
    told = facts_of(Source("I send her half of my pay.", "player", "tam"))[0]
    assert retell(told, swap=True) == "you send her half of your pay"
