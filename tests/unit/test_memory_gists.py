"""Many small memories become one."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.embeddings import MockEmbeddingClient
from astraweave.errors import ConfigError
from astraweave.rag import Memory, MemoryLife, MemoryStore
from astraweave.rag.life_columns import create_life_tables
from astraweave.rag.life_gists import GistSettings, compose, find_gists
from astraweave.rag.store import create_memory_tables

DAY = 86_400.0
CAME = "The player came to the forge to have a blade mended."


def remembered(*lines, **fields):
    fields = {"owner": "tam"} | fields
    return [
        Memory(id=n, text=text, game_time=time, **fields) for n, (text, time) in enumerate(lines, 1)
    ]


def test_what_went_alike_is_told_once_with_how_often():
    visits = remembered((CAME, 0.0), (CAME, 3 * DAY), ("It rained.", 4 * DAY), (CAME, 9 * DAY))
    (gist,) = find_gists(visits, 30 * DAY)
    assert gist.text == "The player came to the forge three times to have a blade mended."
    assert gist.sources == (1, 2, 4)
    assert (gist.id, gist.kind, gist.game_time, gist.owner) == (0, "semantic", 9 * DAY, "tam")


@pytest.mark.parametrize(
    ("text", "count", "gist"),
    [
        ("Bram stole a loaf from the bakery.", 3, "Bram stole a loaf from the bakery three times."),
        ("Mira went to her brother to beg", 5, "Mira went to her brother five times to beg"),
        ("The horn sounded again last night!", 12, "The horn sounded 12 times!"),
    ],
)
def test_how_often_stands_where_it_belongs(text, count, gist):
    assert compose(remembered(*[(text, float(n)) for n in range(count)])) == gist


def test_a_sitting_about_the_same_people_becomes_one():
    told = remembered(
        ("Mira has lost her ring.", 0.0),
        ("A storm is coming.", 60.0),
        ("Mira blames the miller.", 120.0),
        ("Mira will not sleep before it is found.", 180.0),
        speaker="player",
    )
    told = [
        each if "Mira" not in each.text else Memory(**{**asdict(each), "entities": ("mira",)})
        for each in told
    ]
    (gist,) = find_gists(told, 3 * DAY)
    assert gist.text == (
        "Mira has lost her ring; Mira blames the miller; Mira will not sleep before it is found."
    )
    assert gist.sources == (1, 3, 4)
    assert (gist.speaker, gist.entities) == ("player", ("mira",))
    later = [Memory(**{**asdict(each), "game_time": each.game_time * 100}) for each in told]
    assert find_gists(later, 3 * DAY) == []


def asdict(memory):
    return {name: getattr(memory, name) for name in memory.__struct_fields__}


def test_meaning_joins_what_shares_only_a_name():
    told = remembered(
        *[(f"{word} happened.", 60.0 * n) for n, word in enumerate("One Two Six".split())]
    )
    told = [Memory(**{**asdict(each), "entities": ("mira", f"other{each.id}")}) for each in told]
    same = np.array([1.0, 0.0], np.float32)
    assert find_gists(told, 3 * DAY) == []
    assert len(find_gists(told, 3 * DAY, vectors=lambda _: same)) == 1
    apart = {1: same, 2: same[::-1], 3: -same}
    assert find_gists(told, 3 * DAY, vectors=apart.get) == []


def test_the_young_the_weighty_and_the_protected_are_left_alone():
    visits = [(CAME, 0.0)] * 3
    assert find_gists(remembered(*visits), DAY) == []
    assert find_gists(remembered(*visits, importance=0.9), 9 * DAY) == []
    assert find_gists(remembered(*visits, superseded_by=7), 9 * DAY) == []
    assert find_gists(remembered(*visits), 9 * DAY, protects=lambda _: True) == []
    assert find_gists(remembered(*visits[:2]), 9 * DAY) == []


def test_two_speakers_are_not_mixed():
    told = remembered(*[("I lost my ring.", float(n)) for n in range(4)], speaker="mira")
    told[:2] = [Memory(**{**asdict(each), "speaker": "bram"}) for each in told[:2]]
    assert find_gists(told, 9 * DAY) == []


def test_a_better_wording_is_taken_and_a_failing_one_is_not():
    visits = remembered(*[(CAME, float(n)) for n in range(3)])

    def fails(sources):
        raise RuntimeError("no model")

    texts = [
        find_gists(visits, 9 * DAY, wording=wording)[0].text
        for wording in (lambda sources: f"  {len(sources)} visits. ", fails, lambda _: None)
    ]
    assert texts == ["3 visits.", compose(visits), compose(visits)]


def test_sources_fade_and_the_gist_stays():
    connection = sqlite3.connect(":memory:")
    create_memory_tables(connection)
    create_life_tables(connection)
    store = MemoryStore(connection, MockEmbeddingClient(8))
    life = MemoryLife(connection, store)
    for day in range(3):
        store.add(Memory(owner="tam", text=CAME, game_time=day * DAY))
    now = 10 * DAY
    before = life.strengths([1, 2, 3], now)
    (gist,) = life.gists("tam", now)
    kept = life.sum_up(gist, now)
    assert kept.id == 4
    assert life.strengths([1, 2, 3], now) == pytest.approx(before, abs=1e-5)
    assert life.gists("tam", now) == []  # nothing is summed up twice
    much_later = 60 * DAY
    while (swept := life.sweep(much_later)) is None:
        pass
    assert swept.faded == (1, 2, 3)
    assert life.strength(kept.id, much_later) > 0.8
    connection.close()


WORDS = st.sampled_from(["forge", "mill", "Mira", "came", "to", "pray", "blade", "three", "again"])


@settings(max_examples=80, deadline=None)
@given(
    lines=st.lists(
        st.tuples(st.lists(WORDS, min_size=1, max_size=5).map(" ".join), st.floats(0, 1e6)),
        max_size=25,
    )
)
def test_gists_are_the_same_each_time_and_share_no_source(lines):
    memories = remembered(*lines)
    gists = find_gists(memories, 1e9)
    assert gists == find_gists(memories[::-1], 1e9)
    sources = [source for gist in gists for source in gist.sources]
    assert len(sources) == len(set(sources))
    assert all(len(gist.sources) >= 3 and gist.text.strip() for gist in gists)


@pytest.mark.parametrize(
    "bad", [{"least": 1}, {"most": 2}, {"alike": 0.0}, {"near": 1.5}, {"sitting_s": 0.0}]
)
def test_settings_that_make_no_sense(bad):
    with pytest.raises(ConfigError):
        GistSettings(**bad)
