"""Drawing raw lines, and what else of the evaluation needs no model."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from astraweave.dialogue import DialogueGenerator
from astraweave.evaluation.conversation import since_epoch, turn_at
from astraweave.evaluation.memory import MemoryReport
from astraweave.evaluation.raw_lines import draft, pieces_of, scenes
from astraweave.llm import ScriptedModel
from astraweave.serving import LlmScheduler


@pytest.mark.parametrize("draw", range(6))
def test_a_draft_gives_its_first_two_pieces_each_after_what_was_said(draw: int) -> None:
    scene = scenes()[0]
    model = ScriptedModel(
        ["The forge is cold today. I wait for coal from the river. Then we work."] * 2
    )
    scheduler = LlmScheduler(model)
    generator = DialogueGenerator(scheduler)
    lines = list(draft(generator, model, scene, scene.utterances[0], draw, seed=5))
    again = list(draft(generator, model, scene, scene.utterances[0], draw, seed=5))
    scheduler.close()
    assert lines == again
    assert len(lines) == 2
    assert (lines[0].begun == "") == (lines[0].opening == "")
    if draw % 3 == 2:
        assert lines[0].opening == ""
    before, after = lines
    assert after.opening == f"{before.opening} {before.piece}".strip()
    assert after.begun == before.begun


def test_pieces_of_few_words_are_joined_to_the_next() -> None:
    assert pieces_of("Aye. The gate is shut.", "") == ["Aye. The gate is shut."]
    assert pieces_of("The gate is shut. No.", "") == ["The gate is shut.", "No."]
    assert pieces_of("", "") == []


def test_the_other_one_of_two_is_spoken_to() -> None:
    turn = turn_at(3, 2, "Ann", "Hello.", speakers=("Ann", "Bo"), began=60.0)
    assert (turn.id, turn.session, turn.addressee, turn.game_time) == ("D3:2", 3, "Bo", 90.0)
    assert turn_at(1, 1, "Ann", "Hm.", speakers=("Ann", "Bo", "Cy"), began=0.0).addressee == ""


def test_a_time_without_a_zone_is_in_utc() -> None:
    east = dt.timezone(dt.timedelta(hours=2))
    assert since_epoch(dt.datetime.fromisoformat("1970-01-02T00:00")) == 86_400.0
    assert since_epoch(dt.datetime(1970, 1, 1, 2, tzinfo=east)) == 0.0


def test_a_report_of_nothing_has_no_figures() -> None:
    document = MemoryReport(answered=(), without_evidence=3).as_document()
    assert math.isnan(document["hit@5"])
    assert math.isnan(document["ms_p95"])
    assert document["by_category"] == {}
