"""The one judge of drafted clauses: what it refuses, on what grounds, and how well."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.cli.main import main as command
from astraweave.dialogue import Judge, Knowledge, Moment
from astraweave.dialogue.check._examples import (
    CUE_STEP,
    VECTOR_STEP,
    Examples,
    Weigher,
    alike,
    reduced,
)
from astraweave.dialogue.check._features import FEATURES, features
from astraweave.dialogue.check.claims import faults_of_claims
from astraweave.dialogue.check.fit import PARTS, Fit, FitWeights, builtin_weights
from astraweave.embeddings import EmbeddingClient, MockEmbeddingClient, OnnxEmbedder
from astraweave.errors import CorruptDataError
from astraweave.evaluation.check_eval import CheckReport, evaluate_check, judged_lines
from astraweave.evaluation.raw_lines import (
    everyday_lines,
    labelled_lines,
    scenes,
    scenes_of,
    tuning_lines,
)
from astraweave.guard import OutputGuard
from astraweave.models import ModelFiles
from astraweave.persona import Persona

TAM = Persona.builtin("tam")
KNOWN = Knowledge(
    ["My sister Mira hid a silver ring under the old mill.", "I have five goats."],
    ["Tam"],
    [*TAM.facts, *TAM.goals],
)
JUDGE = Judge(Fit())


def moment(utterance: str = "Good day.", act: str = "greeting", answer: str = "") -> Moment:
    return Moment(
        persona=TAM,
        utterance=utterance,
        act=act,
        answer=answer,
        opening="Well now.",
        knowledge=KNOWN,
    )


class Everything(Fit):
    """Weighs nothing against a clause: what is refused then, rules refuse."""

    def weigh(self, *args: object, **kwargs: object) -> float:
        return 1.0


RULES = Judge(Everything())


@pytest.mark.parametrize(
    ("piece", "reason"),
    [
        ("Mira hid it in the well.", "claim"),
        ("My wife bakes the best bread in town.", "claim"),
        ("I met the king last week.", "claim"),
        ("He was a nobleman of the old days.", "claim"),
        ("You have nine goats at home.", "number"),
        ("Ask old Garrick about the weather.", "name"),
        ("How can I assist you today?", "role"),
        ("The fire is hot and", "cut"),
        ("Aye.", "short"),
        ("*wipes his brow and nods*", "markup"),
    ],
)
def test_what_rules_refuse_is_refused_whatever_the_weights_say(piece: str, reason: str):
    assert reason in RULES.judge(piece, moment(), line="Well now.").reasons


def test_a_known_answer_is_not_taken_back():
    told = moment("What did my sister hide?", "question", "known")
    assert "contradiction" in RULES.judge("But I may be wrong there.", told).reasons
    grieving = moment("My father died last winter.", "telling")
    assert "tone" in RULES.judge("I'm so glad to hear that.", grieving).reasons


@pytest.mark.parametrize(
    ("piece", "kind"),
    [
        ("A baker needs flour and two good arms.", "loose"),
        ("The bandits burned the castle.", "claim"),
        ("The castle gleams at night.", "loose"),
        ("My wife bakes bread.", "claim"),
        ("She was born in a castle.", "claim"),
        ("I stole a crown from the castle.", "claim"),
        ("Your brother sells boats.", "claim"),
    ],
)
def test_facts_about_somebody_are_told_from_loose_talk(piece: str, kind: str):
    assert kind in faults_of_claims(piece, KNOWN)


def test_the_mended_clause_and_its_repairs_come_with_the_verdict():
    verdict = RULES.judge("Tam: The fire is warm tonight. And the old", moment())
    assert (verdict.text, verdict.repairs) == ("The fire is warm tonight.", ("label", "half"))


def test_a_studios_words_and_the_card_hold():
    judge = Judge(Everything(), guard=OutputGuard(words=["damn"]))
    assert judge.judge("Well, d4mn this fire!", moment()).reasons == ("word",)
    told = judge.about("You are Tam. You stole the king's golden crown last winter.")
    piece = "I stole the king's golden crown last winter."
    assert "card" in told.judge(piece, moment()).reasons
    assert "card" not in judge.judge(piece, moment()).reasons


@given(st.text(max_size=200), st.text(max_size=80), st.text(max_size=80))
def test_no_text_makes_it_raise(piece: str, utterance: str, line: str):
    verdict = JUDGE.judge(piece, moment(utterance, "question", "unknown"), line=line)
    assert verdict.passed == (not verdict.reasons)
    assert verdict == JUDGE.judge(piece, moment(utterance, "question", "unknown"), line=line)


@given(st.text(max_size=120), st.floats(allow_nan=False))
def test_features_and_weights_are_numbers(piece: str, certainty: float):
    found = features(piece, moment(), "Well now.", ["loose"])
    assert found.shape == (len(FEATURES),)
    assert np.isfinite(found).all()
    assert 0.0 <= found.min() <= found.max() < 10.0
    assert np.isfinite(Fit().weigh(piece, moment(), "Well now.", [], certainty))


def test_other_embedders_and_failing_ones_leave_it_to_the_words():
    class Failing(MockEmbeddingClient):
        model_info = msgspec.structs.replace(
            MockEmbeddingClient().model_info, id=builtin_weights().embedder
        )

        def embed(self, text: str):  # type: ignore[no-untyped-def]
            raise CorruptDataError("no")

    for embedder in (MockEmbeddingClient(), Failing()):
        weighed = Fit(embedder).weigh("Good day to you.", moment(), "Well now.", [])
        assert weighed == Fit().weigh("Good day to you.", moment(), "Well now.", [])


def test_weights_survive_their_file_and_damaged_ones_are_refused():
    weights = builtin_weights()
    again = FitWeights.from_bytes(weights.to_bytes())
    assert again.to_bytes() == weights.to_bytes()
    assert set(again.parts) == set(PARTS)
    for damaged in (b"", b"PK\x03\x04", weights.to_bytes()[:-200]):
        with pytest.raises(CorruptDataError):
            FitWeights.from_bytes(damaged)


def examples(seed: int = 0, lines: int = 7) -> Examples:
    draw = np.random.default_rng(seed)
    return Examples(
        numbers=draw.normal(size=lines).astype(np.float32),
        added=0.25,
        axes=draw.normal(size=(6, 4)).astype(np.float32) / 3,
        centre=draw.normal(size=3).astype(np.float32),
        scale=np.array([1.0, 2.0, 0.5], dtype=np.float32),
        cues=draw.integers(-30, 30, size=(lines, 3)).astype(np.int8),
        clauses=draw.integers(-90, 90, size=(lines, 4)).astype(np.int8),
        heard=draw.integers(-90, 90, size=(3, 4)).astype(np.int8),
        answers=(np.arange(lines) % 3).astype(np.uint16),
    )


@given(st.integers(0, 10_000))
def test_a_clause_counts_as_the_lines_do_that_it_is_like(seed: int):
    kept, draw = examples(seed), np.random.default_rng(seed + 1)
    cues = draw.normal(size=3).astype(np.float32)
    clause, heard = draw.normal(size=(2, 6)).astype(np.float32) / 3

    def near(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.exp(-1.5 * np.sum((one - other) ** 2)))

    expected = kept.added
    for place, number in enumerate(kept.numbers):
        apart = (cues - kept.centre) * kept.scale - kept.cues[place] * CUE_STEP
        in_place = near(heard @ kept.axes, kept.heard[kept.answers[place]] * VECTOR_STEP)
        in_meaning = near(clause @ kept.axes, kept.clauses[place] * VECTOR_STEP)
        likeness = np.exp(-np.sum(apart**2) / 6) + in_meaning * (1 + 2 * in_place)
        expected += float(number) * float(likeness)
    assert Weigher(kept).weigh(cues, clause, heard) == pytest.approx(expected, abs=1e-4)


def test_a_line_is_most_like_itself():
    kept = examples(lines=20)
    cues, clauses = kept.cues * np.float32(CUE_STEP), kept.clauses * np.float32(VECTOR_STEP)
    heard = kept.heard * np.float32(VECTOR_STEP)
    found = alike(cues, clauses, heard[kept.answers], (cues, clauses, heard, kept.answers))
    assert (found.argmax(axis=1) == np.arange(20)).all()
    assert found.max() == pytest.approx(4.0)


def test_values_become_small_integers():
    assert reduced(np.array([0.0, 0.11, -0.06, 99.0, -99.0]), 0.05).tolist() == [
        0, 2, -1, 127, -127,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"numbers": np.zeros(3, np.float32)},
        {"centre": np.zeros(2, np.float32)},
        {"heard": np.zeros((3, 5), np.int8)},
        {"answers": np.full(7, 3, np.uint16)},
        {"clauses": np.zeros((7, 9), np.int8)},
        {"cues": np.zeros(7, np.int8)},
        {"axes": np.zeros((), np.float32)},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_judged_lines_that_do_not_fit_together_are_refused(wrong: dict[str, np.ndarray]):
    examples().check()
    with pytest.raises(CorruptDataError, match="fit together"):
        msgspec.structs.replace(examples(), **wrong).check()
    weights = msgspec.structs.replace(
        builtin_weights(), examples=msgspec.structs.replace(examples(), **wrong)
    )
    with pytest.raises(CorruptDataError):
        FitWeights.from_bytes(weights.to_bytes())


def test_everything_known_is_compared_and_the_rest_weighed():
    class Known(MockEmbeddingClient):
        model_info = msgspec.structs.replace(
            MockEmbeddingClient(dimensions=384).model_info, id=builtin_weights().embedder
        )

        def embed(self, text: str) -> np.ndarray:
            return MockEmbeddingClient(dimensions=384).embed(text)

    class Never(Weigher):
        def weigh(self, *_: object) -> float:
            return -7.0

    fit = Fit(Known())
    fit._weigher = Never(builtin_weights().examples)
    asked = ("Good day to you.", moment(), "Well now.", [])
    assert fit.weigh(*asked, -2.0) == -7.0
    assert fit.weigh(*asked) != -7.0


def test_the_labelled_lines_are_enough_and_apart():
    halves = [labelled_lines(held_out=half) for half in (False, True)]
    assert sum(map(len, halves)) >= 400
    assert min(map(len, halves)) >= 200
    moments = [{(line.character, line.utterance) for line in half} for half in halves]
    further = {(line.character, line.utterance) for line in tuning_lines()}
    assert not moments[0] & moments[1]
    assert not further & moments[1], "nothing of what is measured may be tuned on"
    drawn = {(s.persona.id, u) for s in scenes("tuning_line_scenes") for u in s.utterances}
    assert further <= drawn | moments[0]
    everyday = everyday_lines()
    assert len(everyday) > 3000
    said = {(line.character, line.utterance) for line in everyday}
    assert not said & moments[1], "nothing of what is measured may be tuned on"
    assert said == {(s.persona.id, u) for s in scenes_of(everyday) for u in s.utterances}
    assert all(line.ok is not None and not line.held_out for line in everyday)


# What was measured on the held-out half, and no worse: 28 misses of 249 bad lines and 24 false
# alarms of 34 good ones by rules alone; 5 and 26 with the weights for words; 4 and 21 where clauses
# are compared with judged lines.


def held_out(embedder: EmbeddingClient | None = None, judge: Judge | None = None) -> CheckReport:
    return evaluate_check(judged_lines(labelled_lines(held_out=True), embedder, judge=judge))


def test_rules_alone_keep_most_bad_lines_out():
    report = held_out(judge=Judge())
    assert report.missed <= 28
    assert report.false_alarms <= 24


def test_weighed_by_words_nearly_all_bad_lines_stay_out():
    report = held_out()
    assert report.missed <= 5
    assert report.false_alarms <= 26
    assert not report.missed_by_label["imagined"]


@pytest.mark.models
def test_weighed_by_meaning_too_one_in_fifty_passes(embedder: EmbeddingClient):
    report = held_out(embedder)
    assert report.missed <= 4
    assert report.false_alarms <= 21
    assert not report.missed_by_label["imagined"]


def test_the_evaluation_says_its_figures(capsys: pytest.CaptureFixture[str]):
    assert command(["eval", "check", "--words-only", "--json", "--half", "tuning"]) == 0
    told = msgspec.json.decode(capsys.readouterr().out)["tuning"]
    assert told["bad"] + told["good"] == len(labelled_lines(held_out=False))
    assert told["miss_rate"] == told["missed"] / told["bad"]
    assert command(["eval", "check", "--words-only", "--half", "tuning"]) == 0
    assert "tuning: misses" in capsys.readouterr().out


@pytest.fixture(scope="module")
def embedder(encoder_files: ModelFiles) -> EmbeddingClient:
    return OnnxEmbedder(encoder_files)
