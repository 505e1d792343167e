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
