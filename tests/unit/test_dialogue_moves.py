"""What a character does with a line: by memories, mood and relationship, always for a reason."""

from __future__ import annotations

import random
from itertools import pairwise

import msgspec
import pytest

from astraweave.context import Turn
from astraweave.core.text import sanitize
from astraweave.core.worldview import Entity, WorldView
from astraweave.dialogue import Answered, DialogueGenerator, LinePlan, Situation
from astraweave.dialogue.moves import LINE_ACTS
from astraweave.dialogue.moves.meeting import span_of
from astraweave.dialogue.moves.reserve import confided, taboo_in, touches_taboo
from astraweave.persona import (
    BigFive,
    Mood,
    Outcome,
    Persona,
    PersonaState,
    Relationship,
    evolve_from_outcome,
    initial_state,
)
from astraweave.rag import Memory, Retrieved

TAM = Persona.builtin("tam")
DAY = 86_400.0
NEUTRAL, EVEN = Relationship(), Mood()
FRIEND = Relationship(trust=0.7, affinity=0.7)
FOE = Relationship(trust=-0.7, affinity=-0.7)
FEARED = Relationship(fear=0.8)


def feeling(relation=NEUTRAL, mood=EVEN, causes=()):
    return PersonaState(mood=mood, relationships={"player": relation}, causes=causes)


def memory(text, number=1, speaker="player", **more):
    return Memory(id=number, owner="tam", text=text, speaker=speaker, addressee="tam", **more)


def plan(said, *, persona=TAM, memories=(), seed=1, **more):
    situation = Situation(
        persona=persona,
        speaker=more.pop("speaker", "player"),
        utterance=sanitize(said),
        memories=tuple(Retrieved(memory=m, score=1.0, similarity=0.8) for m in memories),
        rng=random.Random(seed),
        **more,
    )
    made = DialogueGenerator().plan(situation)
    assert made.act in {*LINE_ACTS, "silence"}
    assert made.reasons
    assert made.addressee == situation.speaker
    return made


@pytest.mark.parametrize(
    ("relation", "act"),
    [(FRIEND, "greet_friend"), (FOE, "greet_rival"), (FEARED, "greet_feared")],
)
def test_a_greeting_is_by_relationship(relation, act):
    assert plan("Hello!", mind=feeling(relation)).act == act


def test_strangers_and_acquaintances_are_greeted_apart():
    assert plan("Hello!").act == "greeting"
    assert plan("Hello!", last_met=-60.0).act == "greeting_again"
    outgoing = Persona(id="o", name="Orla", role="the host", temperament=BigFive(extraversion=0.9))
    assert plan("Hello!", persona=outgoing).act == "introduce"


def test_a_greeting_knows_how_long_it_was():
    made = plan("Hello!", last_met=0.0, now=3 * DAY)
    assert made.fields["gap"] == "three days"
    assert any("three days ago" in reason for reason in made.reasons)
    assert "gap" not in plan("Hello!", last_met=0.0, now=600.0).fields


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3600, "an hour"),
        (DAY, "a day"),
        (7 * DAY, "a week"),
        (61 * DAY, "two months"),
        (5, "a while"),
    ],
)
def test_spans(seconds, said):
    assert span_of(seconds) == said


def test_an_open_promise_is_brought_up_until_it_is_kept():
    promised = memory("I will bring you a sack of coal.", 4)
    made = plan("Hello!", memories=[promised], lately=(promised,), now=DAY, last_met=0.0)
    assert made.act == "greeting_recall"
    assert "coal" in made.facts[0].retold
    assert any("promised" in reason for reason in made.reasons)
    kept = memory("I have brought the sack of coal.", 9)
    later = plan("Hello!", memories=[promised], lately=(kept, promised), now=DAY, last_met=0.0)
    assert not any("promised" in reason for reason in later.reasons)


def test_what_was_heard_of_them_is_said():
    view = WorldView()
    view.add(Entity(id="bren", name="Bren", kind="person"))
    news = memory("Ash won the race at Fenwick.", 5, "bren", game_time=50.0, entities=("ash",))
    made = plan(
        "Hello!", speaker="ash", lately=(news,), now=DAY, last_met=10.0, names={"bren": "Bren"}
    )
    assert (made.act, made.fields["teller"], made.memories) == ("gossip", "Bren", (5,))
    old = plan("Hello!", speaker="ash", lately=(news,), now=DAY, last_met=60.0, names={"bren": "B"})
    assert old.act != "gossip"


def test_taboos_are_refused_and_told_apart():
    tam = Persona(id="tam", name="Tam", taboos=("the war", "my brother"))
    assert plan("What did you do in the war?", persona=tam).act == "taboo"
    assert plan("Tell me about your brother.", persona=tam).act == "taboo"
    assert plan("My brother is a monk.", persona=tam).act == "telling"
    assert taboo_in("Was Tam's brother here?", tam) == "my brother"
    assert touches_taboo("My brother died.", tam)
    assert not touches_taboo("Your brother is a monk.", tam)


SECRET = memory("The gold is buried under the old oak.", 8, "", tags=("secret",))


def test_a_secret_is_kept_below_trust():
    asked = "Where is the gold buried?"
    kept = plan(asked, memories=[SECRET])
    assert kept.act == "secret"
    assert not kept.facts
    assert not kept.memories
    told = plan(asked, memories=[SECRET], mind=feeling(Relationship(trust=0.8)))
    assert (told.act, told.memories) == ("answer", (8,))
    heard_by_others = plan(
        asked, memories=[SECRET], mind=feeling(Relationship(trust=0.8)), present=("bren",)
    )
    assert heard_by_others.act == "secret"
    assert plan("How old is Mira?", memories=[SECRET]).act == "unknown"


def test_what_was_confided_goes_back_to_its_teller_only():
    told = memory("I hid the gold in the well.", 8, "ash", tags=("secret",))
    assert plan("Where is the gold?", memories=[told], speaker="ash").act == "answer"
    others = plan("Where is the gold?", memories=[told], mind=feeling(FRIEND))
    assert others.act == "secret"
    shared = plan(
        "Where is the gold?", memories=[msg(told, owner="@town:h")], scopes=frozenset(["@town:h"])
    )
    assert shared.act == "answer"


def msg(found, **changes):
    return msgspec.structs.replace(found, **changes)


def test_turns_told_in_confidence_are_not_answered_from():
    history = [
        Turn(role="user", speaker="ash", text="Between you and me, I hid the gold in the well."),
        Turn(role="assistant", speaker="tam", text="It's safe with me, the gold in the well."),
    ]
    assert confided(history[0].text)
    assert plan("Where is the gold?", history=history, speaker="bren").act == "unknown"
    assert plan("Where is the gold?", history=history, speaker="ash").act == "answer"


def test_a_confidence_is_promised_to_be_kept():
    assert plan("Don't tell anyone: my brother is the thief.").act == "promise"


def insulted():
    outcome = Outcome(kind="insulted", by="player", text="the player insulted Tam", game_time=5.0)
    state = initial_state(TAM)
    for _ in range(3):
        state = evolve_from_outcome(TAM, state, outcome)
    return state


@pytest.mark.parametrize("asked", ["Why are you angry?", "Why are you so angry with me, Tam?"])
def test_why_are_you_angry_names_the_event(asked):
    made = plan(asked, mind=insulted(), now=6.0)
    assert made.act == "because"
    assert "insulted" in made.facts[0].text
    assert "insulted" in made.fields["retold"]


def test_nobody_is_angry_without_a_cause():
    assert plan("Why are you angry?").act == "untroubled"
    assert plan("What is wrong?").act == "untroubled"
    assert plan("How do you feel?").act == "wellbeing"


@pytest.mark.parametrize(
    ("relation", "mood", "act"),
    [
        (Relationship(), Mood(), "insult"),
        (Relationship(affinity=0.8), Mood(), "tease"),
        (FEARED, Mood(), "feeling"),
        (FOE, Mood(dominance=0.6), "threaten"),
        (Relationship(), Mood(valence=-0.8, dominance=0.6), "insult"),
    ],
)
def test_insults_are_met_by_mood_and_relationship(relation, mood, act):
    assert plan("You are a fool!", mind=feeling(relation, mood)).act == act


def test_threats_are_met_by_strength():
    assert plan("I will kill you!", mind=feeling(mood=Mood(dominance=0.8))).act == "threaten"
    assert plan("I will kill you!", mind=feeling(mood=Mood(dominance=-0.8))).act == "feeling"
    assert plan("I will kill you!").act == "threatened"


@pytest.mark.parametrize(
    ("relation", "act"),
    [(FRIEND, "accept"), (FOE, "refuse"), (FEARED, "accept"), (Relationship(), "request")],
)
def test_requests_are_granted_by_relationship(relation, act):
    assert plan("Please fix my shield.", mind=feeling(relation)).act == act


def test_help_that_is_offered_is_taken_for_what_is_wanted():
    made = plan("Can I help you?")
    assert (made.act, made.also) == ("accept", ("seek_help",))
    assert plan("Can I help you?", mind=feeling(FOE)).act == "decline"


def test_wishes_come_now_and_then():
    history: list[Turn] = []
    said = []
    generator, rng = DialogueGenerator(), random.Random(4)
    for number in range(60):
        made = generator.plan(
            Situation(
                persona=TAM,
                speaker="player",
                utterance=sanitize("Hm, a fine day."),
                rng=rng,
                history=tuple(history),
            )
        )
        said.append("seek_help" in made.also)
        wish = made.fields.get("goal", "")
        history += [
            Turn(role="user", speaker="player", text="Hm, a fine day."),
            Turn(role="assistant", speaker="tam", text=f"Line {number}. {wish}"),
        ]
    places = [place for place, wished in enumerate(said) if wished]
    assert len(places) >= 2
    assert all(b - a > 12 for a, b in pairwise(places))


def test_what_was_left_unsaid_is_taken_up_again():
    made = plan("Go on.", unsaid="The bridge is down.")
    assert (made.act, made.fields["rest"]) == ("resume", "The bridge is down.")
    assert plan("Go on.").act != "resume"


SAYINGS = {
    "Arabic": "أين أختي؟",
    "Chinese": "我的妹妹在哪里？",
    "Greek": "Πού είναι η αδελφή μου;",
    "Hebrew": "איפה אחותי?",
    "Hindi": "मेरी बहन कहाँ है?",
    "Japanese": "妹はどこですか？",
    "Korean": "내 여동생은 어디 있어요?",
    "Russian": "Где моя сестра?",
    "Thai": "น้องสาวของฉันอยู่ที่ไหน?",
    "Tamil": "என் தங்கை எங்கே?",
    "Georgian": "სად არის ჩემი და?",
    "Amharic": "እህቴ የት ናት?",
    "Armenian": "Որտե՞ղ է իմ քույրը?",
}


@pytest.mark.parametrize("script", SAYINGS)
def test_any_script_is_answered_honestly(script):
    made = plan(SAYINGS[script], memories=[memory("My sister lives in Fenwick.")])
    assert made.act == "unknown"
    assert not made.facts
    assert plan(SAYINGS[script].rstrip("?？؟;")).act in {"telling", "unknown"}


KNOWN = memory("The mill burned down in the spring.", 3, "")


def answered(text, act="answer", speaker="bren"):
    facts = tuple(plan("What burned down?", memories=[memory(text, 3, "")]).facts)
    said = LinePlan(act=act, facts=facts if act == "answer" else (), reasons=("so",))
    return Answered(speaker=speaker, name="Bren", text=text, plan=said)


def test_in_company_what_is_known_is_agreed_with_or_not():
    asked = "What burned down?"
    same = plan(asked, memories=[KNOWN], answered=(answered(KNOWN.text),), present=("bren",))
    assert (same.act, same.fields["other"]) == ("agree_with", "Bren")
    other = answered("The old granary burned down in winter.")
    unlike = plan(asked, memories=[KNOWN], answered=(other,), present=("bren",))
    assert (unlike.act, unlike.also) == ("disagree_with", ("answer",))
    late = plan(asked, memories=[KNOWN], answered=(answered("", "unknown"),), present=("bren",))
    assert late.act == "answer"
    assert plan(asked, answered=(answered(KNOWN.text),), present=("bren",)).act == "silence"


def test_who_does_not_know_hands_over():
    made = plan("What burned down?", present=("bren",), knower="bren", names={"bren": "Bren"})
    assert (made.act, made.fields["other_id"]) == ("hand_over", "bren")


def test_a_plan_draws_what_the_line_draws():
    for said in ("Hello!", "Hm, a fine day.", "Where is Mira?", "My cow is ill."):
        assert plan(said, seed=9) == plan(said, seed=9)
