"""Who is who, when it was told, and what a character saw."""

from __future__ import annotations

import pytest

from astraweave.dialogue import Answerer
from astraweave.dialogue.events import retell_event
from astraweave.dialogue.facts import Source, facts_of
from astraweave.dialogue.language.questions import read_question
from astraweave.dialogue.moments import ago, asked_period, asked_telling, sittings_of
from astraweave.dialogue.people import People, people_of, rewordings

NAMES = {"player": "Robin", "bren": "Bren", "tam": "Tam"}
DAY_S = 86_400.0


def people(*told: tuple[str, str]) -> People:
    facts = [fact for speaker, text in told for fact in facts_of(Source(text, speaker, "tam"))]
    return People(facts, NAMES)


@pytest.mark.parametrize(
    "link",
    [
        "Isaura has a brother called Fulk.",
        "Fulk is the brother of Isaura.",
        "Fulk is my aunt's brother.",
        "My aunt's brother is Fulk.",
    ],
)
def test_two_steps_lead_to_a_name(link: str) -> None:
    known = people(("player", "My aunt Isaura lives in Harrow."), ("player", link))
    question = read_question("What did the brother of my aunt sell?")
    assert question is not None
    (brother,) = people_of(question)
    assert known.named(brother, "player", "tam") == "fulk"
    assert "What did Fulk sell" in [t for t, _ in rewordings(question, known, "player", "tam")]


def test_my_sister_is_hers_who_speaks() -> None:
    known = people(("player", "My sister Mira is here."), ("bren", "My sister Petra is here."))
    question = read_question("Where is my sister?")
    assert question is not None
    (sister,) = people_of(question)
    assert known.named(sister, "player", "tam") == "mira"
    assert known.named(sister, "bren", "tam") == "petra"
    assert known.named(sister, "osk", "tam") == ""


def test_times_are_counted_in_days_of_the_game() -> None:
    assert ago(0.0, DAY_S + 5) == "yesterday"
    assert ago(0.0, 21 * DAY_S) == "twenty-one days ago"
    assert sittings_of([0.0, 60.0, DAY_S, DAY_S + 60]) == [(0.0, 60.0), (DAY_S, DAY_S + 60)]


@pytest.mark.parametrize("asked", ["Where did I go yesterday?", "What did you eat today?", ""])
def test_other_questions_ask_for_no_time_of_telling(asked: str) -> None:
    assert asked_period(asked) is None
    assert asked_telling(asked) is None


def test_what_was_seen_is_told_to_whom_it_concerns() -> None:
    seen = "On Friday the player brought back Tam's ring."
    for listener, told in (
        ("player", "On Friday you brought back my ring"),
        ("bren", "On Friday Robin brought back my ring"),
    ):
        said = retell_event(seen, speaker="tam", listener=listener, names=NAMES)
        assert said.rstrip(".").casefold() == told.casefold()


@pytest.mark.parametrize(
    ("asked", "told", "kind"),
    [
        ("Is my aunt forty-eight years old?", "We had cake, my aunt is forty-eight.", "confirmed"),
        ("Is my aunt twenty years old?", "My aunt Isaura is thirty.", "denied"),
        ("Does Mira live in Harrow?", "My sister Mira lives in Fenwick.", "denied"),
        ("Does Mira live in Harrow?", "My sister Orla lives in Harrow.", "unknown"),
    ],
)
def test_a_claim_is_denied_by_what_was_told_instead(asked: str, told: str, kind: str) -> None:
    answerer = Answerer()
    question = answerer.question(asked)
    assert question is not None
    sources = [Source(told, "player", "tam", 1)]
    answer = answerer.answer(question, sources, asker="player", listener="tam", names=NAMES)
    assert answer.kind == kind
