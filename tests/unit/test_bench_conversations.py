"""Conversations come as they come, and a blind test tells nobody which line is whose."""

from __future__ import annotations

import csv
import io
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.bench import blind, conversations
from astraweave.bench.dialogue import repeats, talk_of
from astraweave.core.settings import Settings
from astraweave.errors import InputError

BARE = Settings(model="none", embedder="mock", threads=1)


def test_a_conversation_comes_out_the_same():
    one = conversations.hold_conversation(BARE, "tam", 3)
    two = conversations.hold_conversation(BARE, "tam", 3)
    assert [r.line for r in one.first + one.second] == [r.line for r in two.first + two.second]
    page = conversations.page_of(one, 1)
    assert page.startswith("# 1. Tam, the smith of Harrow\n")
    assert "Seed 3; language model: none." in page
    for record in (*one.first, *one.second):
        assert record.said in page
        assert record.line
    index = conversations.index_of([one])
    assert "01_tam" in index


def test_lines_are_written_for_the_blind_test(tmp_path, monkeypatch):
    monkeypatch.setattr(conversations, "SPEAKERS", ("tam", "nell"))
    monkeypatch.setenv("ASTRAWEAVE_EMBEDDER", "mock")
    lines = tmp_path / "lines.jsonl"
    out = ["--out", str(tmp_path / "pages"), "--lines", str(lines)]
    assert conversations.main([*out, "--composed", "--seed", "2"]) == 0
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    assert {row["name"] for row in rows} >= {"Tam"}
    assert (tmp_path / "pages" / "index.md").exists()
    other = tmp_path / "other.jsonl"
    changed = [row | {"line": "Hm. " + row["line"]} for row in rows]
    other.write_bytes(b"\n".join(msgspec.json.encode(row) for row in changed))
    test = tmp_path / "test"
    assert blind.main(["make", str(lines), str(other), "--out", str(test), "--pairs", "9"]) == 0
    sheet = list(csv.DictReader(io.StringIO((test / "sheet.csv").read_text())))
    assert len(sheet) == 9
    assert "lines" not in (test / "sheet.html").read_text().split("<script>")[0].split("<form>")[1]
    key = msgspec.json.decode((test / "key.json").read_bytes(), type=blind.Key)
    for row in sheet:
        side = key.first_is[int(row["number"]) - 1]
        assert not row[side].startswith("Hm. ") or row["A"] == row["B"]


PAIRS = [
    blind.Pair(said=f"Said {n}?", who="Tam", first=f"<b>{n}</b>", second=f"=other {n}")
    for n in range(8)
]


@given(st.lists(st.sampled_from(["A", "B", "=", ""]), min_size=8, max_size=8), st.integers(0, 99))
def test_answers_are_counted_by_the_key(answers, seed):
    sheet, _, key = blind.make_sheet(PAIRS, seed=seed, names=("x", "y"))
    rows = list(csv.DictReader(io.StringIO(sheet)))
    said = "number,better\n" + "".join(
        f"{row['number']},{answer}\n" for row, answer in zip(rows, answers, strict=True)
    )
    result = blind.score(said, key)
    first = sum(
        bool(answer) and answer != "=" and "<b>" in row[answer]
        for row, answer in zip(rows, answers, strict=True)
    )
    assert (result.first, result.ties) == (first, answers.count("="))
    assert result.first + result.second + result.ties == 8 - answers.count("")


def test_the_page_escapes_what_was_said_and_no_cell_is_a_formula():
    sheet, page, _ = blind.make_sheet(PAIRS, seed=1, names=("x", "y"))
    assert "<b>1</b>" not in page
    assert "&lt;b&gt;1&lt;/b&gt;" in page
    assert ",=other" not in sheet


def test_the_binomial_is_exact():
    assert blind.binomial(10, 10) == pytest.approx(2 / 2**10)
    assert blind.binomial(5, 10) == 1.0
    assert blind.binomial(0, 0) == 1.0
    assert blind.binomial(60, 100) == pytest.approx(0.0569, abs=1e-4)


@pytest.mark.parametrize("rows", ["99,A\n", "1,C\n", "x,A\n"])
def test_an_answer_that_is_none_is_named(rows):
    _, _, key = blind.make_sheet(PAIRS, seed=1, names=("x", "y"))
    with pytest.raises(InputError):
        blind.score("number,better\n" + rows, key)
    with pytest.raises(InputError):
        blind.make_sheet([], seed=1, names=("x", "y"))


def test_talk_is_spread_over_the_cast():
    talk = talk_of(("a", "b", "c"), 1, turns=100)
    assert len(talk) == 100
    assert {npc for npc, _ in talk[:21]} == {"a", "b", "c"}
    assert talk == talk_of(("a", "b", "c"), 1, turns=100)


def test_repeats_are_counted_within_twenty():
    assert repeats(["Aye.", "aye!", "No."]) == 1
    assert repeats(["Aye.", *map(str, range(20)), "Aye."]) == 0
