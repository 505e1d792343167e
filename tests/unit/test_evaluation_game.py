"""The country by which retrieval is judged: its files, its scoring, and the bar."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from astraweave.cli import main
from astraweave.core.worldview import WorldView
from astraweave.embeddings import MockEmbeddingClient
from astraweave.errors import CorruptDataError
from astraweave.evaluation.game_country import country_of, read_country
from astraweave.evaluation.game_memory import evaluate_game
from astraweave.rag.scopes import WorldScopes, check_scope, is_scope

DAY, HOUR = 86_400.0, 3_600.0


@pytest.fixture(scope="module")
def country():
    return read_country()


@pytest.fixture(scope="module")
def lines(country):
    return {memory.key: memory for memory in country.memories}


# The files


def test_there_is_enough_of_it(country):
    asked = Counter(question.character for question in country.questions)
    assert sorted(asked) == sorted(country.characters)
    assert len(asked) == 20
    assert min(asked.values()) >= 20
    kinds = Counter(question.kind for question in country.questions)
    assert sum(kinds.values()) - kinds["secret"] >= 400
    assert kinds["secret"] >= 60
    assert min(kinds.values()) >= 30


def test_every_answer_can_be_known_and_no_secret_can(country, lines):
    for one in country.questions:
        assert bool(one.evidence) != bool(one.aims) == (one.kind == "secret"), one
        for key in one.evidence:
            assert country.may_read(lines[key], one.character, one.now), (one, key)
        for key in one.aims:
            assert not country.may_read(lines[key], one.character, one.now), (one, key)


def test_nobody_is_asked_the_same_twice(country):
    asked = [(one.character, one.text.casefold(), one.now) for one in country.questions]
    assert len(set(asked)) == len(asked)


def test_no_two_lines_of_one_mind_are_the_same(country):
    written = [(one.owner, one.text) for one in country.memories if ".talk" not in one.key]
    assert len(set(written)) == len(written)


def test_each_draws_on_a_few_dozen_memories(country):
    last = max(question.now for question in country.questions)
    for character in country.characters:
        readable = [one for one in country.memories if country.may_read(one, character, last)]
        assert 50 <= len(readable) <= 100
        own = [one for one in readable if one.owner == character]
        assert {"", "player", character} < {one.speaker for one in own}


def test_the_first_meeting_is_the_first(country):
    for character in country.characters:
        talked = [
            one
            for one in country.memories
            if one.owner == character and "player" in (one.speaker, one.addressee)
        ]
        assert talked[0].key == f"{character}.met"


def test_a_day_that_is_asked_about_holds_no_small_talk_with_the_player(country, lines):
    for one in country.questions:
        days = {lines[key].game_time // DAY for key in one.evidence if one.kind == "time"}
        for memory in country.memories:
            if memory.owner == one.character and memory.game_time // DAY in days:
                small = ".talk" in memory.key and "player" in (memory.speaker, memory.addressee)
                assert not small, (one, memory)


def test_it_agrees_with_the_world_on_who_is_inside_what(country):
    """Two ways to the same scopes: the files alone, and the shipped resolver."""
    world = WorldView()
    world.add(*country.entities)
    resolver = WorldScopes(world)
    scopes = {one.owner for one in country.memories if is_scope(one.owner)}
    for scope in scopes:
        check_scope(scope)
        for character in country.characters:
            inside = scope in country.scopes_of(character, 0.0)
            assert resolver.may_know(character, scope) == inside


def test_the_same_seed_draws_the_same_small_talk(country):
    assert read_country() == country
    assert read_country(seed=8) != country


# A small one


def table(**changes):
    found = {
        "now": "9 0",
        "entity": [
            {"id": "player", "name": "Rowan", "kind": "person"},
            {"id": "inn", "name": "The Inn", "kind": "place", "place": "town"},
            {"id": "town", "name": "Town", "kind": "place"},
            {"id": "far", "name": "Far", "kind": "place"},
        ],
        "shared": [
            {"scope": "@town:town", "name": "town", "memories": "well | 1 0 | - | The well is dry."}
        ],
        "character": [
            {
                "id": "ann",
                "name": "Ann",
                "place": "inn",
                "moves": ["5 0 far"],
                "memories": "dog | 2 3 | player | My dog barks.\n"
                "cat | 7 0 | me>bo | Nobody must hear of the cat.",
                "questions": "single || What does my dog do? | dog\n"
                "single | 3 0 bo | What about the well? | town.well\n"
                "secret || What about the well? | !town.well\n"
                "secret | 3 0 | What about the cat? | !bo.cat",
            },
            {
                "id": "bo",
                "name": "Bo",
                "memories": "cat | 2 0 | ann>player | The cat is gone.",
            },
        ],
    }
    return found | changes


def test_lines_say_who_spoke_to_whom():
    country = country_of([table()])
    found = {one.key: one for one in country.memories}
    assert [one.key for one in country.memories] == ["town.well", "bo.cat", "ann.dog", "ann.cat"]
    assert (found["ann.dog"].speaker, found["ann.dog"].addressee) == ("player", "ann")
    assert (found["ann.cat"].speaker, found["ann.cat"].addressee) == ("ann", "bo")
    assert (found["bo.cat"].speaker, found["bo.cat"].addressee) == ("ann", "player")
    assert (found["town.well"].speaker, found["town.well"].owner) == ("", "@town:town")
    assert found["ann.dog"].game_time == 2 * DAY + 3 * HOUR


def test_who_moves_leaves_a_town_behind():
    country = country_of([table()])
    assert country.scopes_of("ann", 4 * DAY) == {"@world", "@town:inn", "@town:town"}
    assert country.scopes_of("ann", 6 * DAY) == {"@world", "@town:far"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"now": "noon"}, "no day and hour: 'noon'"),
        ({"shared": [{"scope": "@world", "name": "w", "memories": "a | 1 0 | -"}]}, "not 4 parts"),
        ({"character": [{"id": "a", "name": "A", "memories": "x | 1 0 | zed | Hm."}]}, "zed"),
        ({"character": [{"id": "a", "name": "A", "place": "hell",
                         "memories": "x | 1 0 | - | Hm."}]}, "hell"),
        ({"character": [{"id": "a", "name": "A", "memories": "x | 1 0 | - | Hm.",
                         "questions": "single || What? | y"}]}, "a.y"),
        ({"character": [{"id": "a", "name": "A", "memories": "x | 1 0 | - | Hm.",
                         "questions": "odd || What? | x"}]}, "odd"),
        ({"character": [{"id": "a", "name": "A",
                         "memories": "x | 1 0 | - | Hm.\nx | 2 0 | - | Hm hm."}]}, "a.x"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_files_is_named(changes, told):
    with pytest.raises(CorruptDataError, match=told):
        country_of([table(**changes)])


def test_questions_are_asked_at_their_moment():
    report = evaluate_game(MockEmbeddingClient(16), country=country_of([table()]))
    by_text = {(one.question, bool(one.evidence)): one for one in report.answered}
    assert by_text["What about the well?", True].found["ours"] == (
        "The well is dry.",
        "My dog barks.",
    )
    assert by_text["What about the cat?", False].readable == 2  # ann.cat is yet to come
    moved = by_text["What about the well?", False]
    assert "The well is dry." not in moved.found["ours"]
    assert moved.readable == 2
    assert report.leaked == 0
    assert report.hit() == report.answer() == 1.0
    assert (report.memories, len(report.questions())) == (4, 2)


def test_a_leak_is_seen(monkeypatch):
    monkeypatch.setattr(WorldScopes, "may_know", lambda *_: True)
    report = evaluate_game(MockEmbeddingClient(16), country=country_of([table()]))
    assert report.leaked == 2  # Ann has moved away from the well when she is asked at the end
    leaks = {one.question: one.leaked for one in report.answered if one.leaked}
    assert leaks == dict.fromkeys(
        ("What does my dog do?", "What about the well?"), ("The well is dry.",)
    )


def test_the_answer_is_told_from_what_leads_to_it():
    dogs = "\n".join(f"t{n} | 2 {n} | - | Fluff, dog {n} of the pack." for n in range(10))
    entry = table()["character"][0] | {
        "memories": f"a | 1 0 | - | Snow lies on the hill.\n{dogs}",
        "questions": "hops || Which pack has the dog Fluff? | a t3 t4 t5 t6 t7 t8 t9",
    }
    country = country_of([table(character=[entry])])
    report = evaluate_game(MockEmbeddingClient(16), country=country)
    assert report.hit() == 1.0
    assert report.answer() == 0.0


# The bar


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    from contextlib import redirect_stdout
    from io import StringIO

    raw = tmp_path_factory.mktemp("game") / "raw.jsonl"
    out = StringIO()
    with redirect_stdout(out):
        assert main(["eval", "game", "--json", "--per-question", str(raw)]) == 0
    document = json.loads(out.getvalue())
    rows = [json.loads(line) for line in raw.read_text("utf-8").splitlines()]
    assert len(rows) == document["questions"] + document["secrets"]
    return document


@pytest.mark.models
def test_no_secret_is_leaked(figures):
    assert figures["secrets"] >= 60
    assert figures["leaked"] == 0


@pytest.mark.models
def test_it_finds_more_than_words_or_meaning_alone(figures):
    assert figures["hit@5"] >= 0.83
    for plain in figures["baselines"].values():
        assert figures["hit@5"] > plain["hit@5"]


@pytest.mark.models
@pytest.mark.xfail(reason="questions by time find too little yet", strict=True)
def test_the_bar(figures):
    assert figures["hit@5"] >= 0.90
