"""A whole conversation in German, by tables alone."""

from __future__ import annotations

import pytest

from astraweave.core.clock import ManualClock
from astraweave.core.settings import Settings
from astraweave.dialogue.grammar import Grammar, language_of
from astraweave.dialogue.moves.by_tables import act_in
from astraweave.world import World

BARE = Settings(model="none", embedder="mock", threads=1)
DAY = 86_400.0
FIRST = (
    ("Guten Morgen!", {"introduce", "greeting"}, ()),
    ("Ich heiße Anna.", {"telling"}, ("Anna",)),
    (
        "Meine Schwester Mira hat ihren Ring in der Mühle verloren.",
        {"telling"},
        ("eine Schwester",),
    ),
    ("Wie geht es dir?", {"wellbeing", "feeling"}, ()),
    ("Wie alt bist du?", {"answer"}, ("achtunddreißig",)),
    ("Wie heißt meine Mutter?", {"unknown"}, ()),
    ("Danke!", {"thanks"}, ()),
    ("Bis morgen!", {"farewell"}, ()),
)
SECOND = (
    ("Guten Tag!", {"greeting_recall"}, (":",)),
    ("Wo hat meine Schwester ihren Ring verloren?", {"answer"}, ("in der Mühle",)),
    ("Wann hat meine Schwester geheiratet?", {"unknown"}, ()),
    ("Wie heiße ich?", {"answer"}, ("Anna",)),
    ("Was weißt du über mich?", {"summary_of_talk"}, ("Ring",)),
    ("Auf Wiedersehen!", {"farewell"}, ()),
)


def test_a_conversation_in_german_over_two_days(tmp_path):
    clock = ManualClock()
    lines = []
    with World.open(tmp_path, settings=BARE, seed=5, clock=clock) as world:
        greta = world.npc("greta", persona="greta")
        for sitting in (FIRST, SECOND):
            for said, acts, words in sitting:
                clock.advance(60.0)
                reply = greta.say(said).wait()
                assert reply.plan.act in acts, (said, reply.text, reply.plan)
                assert all(word in reply.text for word in words), reply.text
                if reply.plan.act == "unknown":
                    assert not reply.plan.facts
                lines.append(reply.text)
            clock.advance(3 * DAY)
    assert len(set(lines)) == len(lines)
    assert all(language_of(line, default="de") == "de" for line in lines)


@pytest.mark.parametrize(
    ("said", "act"),
    [
        ("Hallo Greta!", "greeting"),
        ("Tschüss!", "farewell"),
        ("Vielen Dank!", "thanks"),
        ("Du bist ein Narr!", "insult"),
        ("Entschuldige bitte.", "apology"),
        ("Kann ich dir helfen?", "offer"),
        ("Kannst du mir ein Brot geben?", "request"),
        ("Das Nordtor ist offen.", "telling"),
        ("Es regnet.", "smalltalk"),
        ("Was weißt du über mich?", "recap"),
        ("Wo ist Mira?", "question"),
        ("Ja.", "agreement"),
        ("Ich bringe dich um!", "threat"),
        ("Gut gemacht!", "praise"),
    ],
)
def test_what_a_german_line_does(said, act):
    assert act_in(said, Grammar.named("de")).kind == act


@pytest.mark.parametrize(
    ("said", "act"),
    [
        ("Du bist eine dumme Kuh!", "insult"),
        ("Dein Brot ist scheußlich.", "insult"),
        ("Dein Brot schmeckt wunderbar.", "praise"),
        ("Ich habe dir einen Kuchen mitgebracht.", "praise"),
        ("Es tut mir leid, dass ich dich beleidigt habe.", "apology"),
        ("Mira wohnt in Lindau.", "telling"),
        ("Meine Kuh ist krank.", "telling"),
    ],
)
def test_kind_and_unkind_words_in_german(said, act):
    assert act_in(said, Grammar.named("de")).kind == act


def talk(world, *said):
    greta = world.npc("greta", persona="greta")
    return [greta.say(text).wait() for text in said]


@pytest.mark.parametrize(
    ("said", "act"),
    [
        ("Was hältst du von mir?", "recap_nothing stance"),
        ("Magst du mich?", "recap_nothing stance"),
        ("Was hältst du von Tam?", "opinion"),
        ("Was hältst du vom König?", "no_opinion"),
        ("Gibt es etwas Neues?", "no_news"),
        ("Verzeihst du mir?", "apology"),
        ("Was ist los?", "untroubled"),
        ("Ich glaube, dass der Winter hart wird.", "telling_opinion"),
        ("Kannst du dir das vorstellen?", "telling_opinion"),
        ("Erzähl mir etwas von dir.", "answer"),
        ("Ich bringe dich um!", "threatened threaten"),
    ],
)
def test_what_is_asked_of_her_is_answered_as_such(tmp_path, said, act):
    with World.open(tmp_path, settings=BARE, seed=3, clock=ManualClock()) as world:
        (reply,) = talk(world, said)
    assert reply.plan.act in act.split(), reply.text
    assert language_of(reply.text, default="de") == "de"


def test_german_insults_and_thanks_move_a_relationship_and_are_named(tmp_path):
    with World.open(tmp_path, settings=BARE, seed=3, clock=ManualClock()) as world:
        talk(world, "Danke dir!", "Du bist sehr nett.")
        world.tick()
        liked = world.npc("greta").state.towards("player").affinity
        assert liked > 0
        replies = talk(world, *["Du bist dumm!", "Ich hasse dich.", "Du bist eine Lügnerin!"] * 2)
        assert all(reply.plan.heard == "insult" for reply in replies)
        world.tick()
        assert world.npc("greta").state.towards("player").affinity < liked
        (why,) = talk(world, "Warum bist du wütend?")
    assert why.plan.act == "because"
    assert "du hast mich beleidigt" in why.text.replace("Du", "du")


def test_corrections_and_names_for_kin_in_german(tmp_path):
    with World.open(tmp_path, settings=BARE, seed=3, clock=ManualClock()) as world:
        *_, cows, where, dog = talk(
            world,
            "Meine Schwester heißt Mira.",
            "Mira wohnt in Lindau.",
            "Miras Hund heißt Rex.",
            "Ich habe drei Kühe.",
            "Nein, ich habe vier Kühe.",
            "Wie viele Kühe habe ich?",
            "Wo wohnt meine Schwester?",
            "Wie heißt der Hund meiner Schwester?",
        )
    assert "vier" in cows.text
    assert "drei" not in cows.text
    assert "Nein" not in cows.text
    assert "Lindau" in where.text
    assert "Rex" in dog.text


def test_what_was_never_told_of_kin_stays_unknown_in_german(tmp_path):
    with World.open(tmp_path, settings=BARE, seed=3, clock=ManualClock()) as world:
        *_, reply = talk(
            world,
            "Meine Schwester heißt Mira.",
            "Jan wohnt in Lindau.",
            "Wo wohnt meine Schwester?",
        )
    assert reply.plan.act == "unknown"
