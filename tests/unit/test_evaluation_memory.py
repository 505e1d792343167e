"""Conversations with questions: reading them, asking them, fitting on them."""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.cli import main
from astraweave.embeddings import MockEmbeddingClient
from astraweave.errors import CorruptDataError, InputError
from astraweave.evaluation.authored import authored_conversations, parse_conversation, varied
from astraweave.evaluation.conversation import Conversation, Question, Turn, read_conversations
from astraweave.evaluation.memory import evaluate_memory
from astraweave.evaluation.train_reranker import FIXED, fit, written
from astraweave.rag._features import FEATURES
from astraweave.rag._reranker import Reranker


def entry():
    return {
        "sample_id": "one",
        "conversation": {
            "speaker_a": "Ann",
            "speaker_b": "Bo",
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                {"speaker": "Ann", "dia_id": "D1:1", "text": "Hello Bo!"},
                {"speaker": "Bo", "dia_id": "D1:2", "text": "Look!", "blip_caption": "a red boat"},
            ],
            "session_2_date_time": "12:05 am on 25 September, 2023",
            "session_2": [{"speaker": "Ann", "dia_id": "D2:1", "text": "I sold the boat."}],
        },
        "qa": [
            {"question": "What is red?", "answer": "the boat", "evidence": ["D1:2"], "category": 4},
            {"question": "And both?", "evidence": ["D1:02; D2:1", "D:2:1", "D9:9"], "category": 1},
            {"question": "What else?", "evidence": [], "category": 3},
            {"question": "Who sold it?", "adversarial_answer": "Bo", "evidence": ["D2:1"],
             "category": 5},
        ],
    }  # fmt: skip


def write(folder, data, *, packed=False):
    raw = json.dumps(data).encode()
    path = folder / "talk.json"
    path.write_bytes(gzip.compress(raw) if packed else raw)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("alone", [False, True])
def test_a_file_is_read(tmp_path, packed, alone):
    path = write(tmp_path, entry() if alone else [entry()], packed=packed)
    (talk,) = read_conversations(path)
    assert (talk.id, talk.speakers) == ("one", ("Ann", "Bo"))
    assert [turn.id for turn in talk.turns] == ["D1:1", "D1:2", "D2:1"]
    assert talk.turns[1].text == "Look! [a red boat]"
    assert (talk.turns[1].speaker, talk.turns[1].addressee) == ("Bo", "Ann")
    assert talk.turns[1].game_time - talk.turns[0].game_time == 30.0
    assert talk.turns[0].game_time == 1_683_554_160.0  # 2023-05-08T13:56Z
    assert talk.turns[2].game_time == 1_695_600_300.0  # 2023-09-25T00:05Z
    assert [one.evidence for one in talk.questions] == [
        ("D1:2",), ("D1:2", "D2:1"), (), ("D2:1",)
    ]  # fmt: skip


def broken(change):
    data = entry()
    change(data)
    return data


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ([], "list of conversations"),
        (3, "list of conversations"),
        ([3], "conversation 1 is no object"),
        ([{"qa": []}], "'conversation'"),
        ([{"conversation": {}}], "'qa'"),
        ([{"conversation": {}, "qa": []}], "session_1"),
        ([entry(), broken(lambda d: d.pop("qa"))], "conversation 2"),
        (broken(lambda d: d["conversation"].update(session_1="x")), "session_1 .* no list"),
        (broken(lambda d: d["conversation"]["session_1"][1].pop("text")), "turn 2 of session_1"),
        (broken(lambda d: d["conversation"].update(session_1_date_time="soon")), "'soon'"),
        (broken(lambda d: d["qa"][0].pop("question")), "question 1"),
        (broken(lambda d: d["qa"][0].update(category="hard")), "category"),
        (broken(lambda d: d["qa"][0].update(evidence={"a": 1})), "evidence"),
    ],
)
def test_a_wrong_file_is_told_apart(tmp_path, data, named):
    with pytest.raises(CorruptDataError, match=named):
        read_conversations(write(tmp_path, data))


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"\x1f\x8b\x08broken", b"[" * 100_000])
def test_a_damaged_file(tmp_path, raw):
    (tmp_path / "talk.json").write_bytes(raw)
    with pytest.raises(CorruptDataError):
        read_conversations(tmp_path / "talk.json")


def test_no_file(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(InputError, match="no file"):
            read_conversations(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["conversation", "qa", "session_1", "speaker", "text", "question"]),
            inner,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(data=JSON)
def test_any_json_is_read_or_refused(tmp_path_factory, data):
    path = write(tmp_path_factory.mktemp("any"), data)
    with contextlib.suppress(CorruptDataError):
        read_conversations(path)


def test_the_measures_by_hand():
    turns = tuple(
        Turn(id=f"D{n}:1", session=n, speaker="Ann", addressee="", text=text, game_time=1e5 * n)
        for n, text in enumerate(["a red boat", "the blue kite", "some bread", "old rope"], start=1)
    )
    questions = (
        Question(text="Who has the kite?", category=4, evidence=("D2:1",)),
        Question(text="What of boat and rope?", category=1, evidence=("D1:1", "D4:1")),
        Question(text="What else?", category=3, evidence=()),
    )
    talk = Conversation(id="t", speakers=("Ann",), turns=turns, questions=questions)
    seen = []
    report = evaluate_memory(
        [talk],
        MockEmbeddingClient(16),
        reranker=Reranker({"words rank": 1.0}),
        progress=lambda done, total, what: seen.append((done, total, what)),
    )
    assert report.without_evidence == 1
    assert seen[-1] == (3, 3, "t")
    kite, both = report.answered
    assert kite.ours.turns[0] == "D2:1"
    assert kite.ours.scores.recall_1 == 1.0
    assert both.ours.scores.recall_1 == 0.5
    assert both.ours.scores.recall_5 == both.ours.scores.hit_5 == both.ours.scores.session_5 == 1.0
    assert report.scores().recall_1 == 0.75
    assert report.scores(category=1).recall_1 == 0.5
    document = report.as_document()
    assert set(document) == {
        "hit@5", "recall@1", "recall@5", "recall@10", "recall@20", "session@5", "by_category",
        "baselines", "ms_p50", "ms_p95",
    }  # fmt: skip
    assert set(document["by_category"]) == {"single-hop", "multi-hop"}
    assert set(document["baselines"]) == {"BM25", "MiniLM"}


def test_what_was_written_is_sound():
    talks = authored_conversations()
    questions = [question for talk in talks for question in talk.questions]
    assert len({turn.session for talk in talks for turn in talk.turns}) >= 5
    assert sum(len({turn.session for turn in talk.turns}) for talk in talks) >= 25
    assert len(questions) >= 350
    assert {question.category for question in questions} == {1, 2, 3, 4, 5}
    assert all(question.evidence for question in questions)


def test_a_variation_keeps_every_answer():
    talks = authored_conversations()
    own, others = talks[0], talks[1:]
    new = varied(own, others, 7)
    assert new == varied(own, others, 7)
    assert new != varied(own, others, 8)
    assert len(new.turns) == sum(len(talk.turns) for talk in talks)
    assert {turn.speaker for turn in new.turns} == set(own.speakers)
    before = {turn.id: turn.text for turn in own.turns}
    after = {turn.id: turn.text for turn in new.turns}
    for old, moved in zip(own.questions, new.questions, strict=True):
        assert [before[place] for place in old.evidence] == [
            after[place] for place in moved.evidence
        ]
    times = [turn.game_time for turn in new.turns]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("turns", "questions"),
    [
        ("1 A: Hi.\n3 A: Gap.", "4 | What? | 1"),
        ("1 C: Hi.", "4 | What? | 1"),
        ("1 A: Hi.", "4 | What? | 2"),
        ("1 A: Hi.", "4 | What?"),
        ("1 A: Hi.", "four | What? | 1"),
    ],
)
def test_a_slip_of_the_pen_is_found(turns, questions):
    text = (
        'id = "x"\npeople = { A = "Ann" }\n[[session]]\nwhen = "2031-01-01 10:00"\n'
        f'turns = """\n{turns}\n"""\nquestions = """\n{questions}\n"""\n'
    )
    with pytest.raises(CorruptDataError):
        parse_conversation(text)


def test_weights_are_found_again():
    draw = np.random.default_rng(3)
    true = np.zeros(len(FEATURES))
    true[:3] = 2.0, -1.0, 0.5
    data = []
    for _ in range(400):
        table = draw.normal(size=(len(FEATURES), 20))
        chance = np.exp(true @ table)
        right = np.zeros(20, np.bool_)
        right[draw.choice(20, p=chance / chance.sum())] = True
        data.append((table, right))
    found = fit(data, fixed={}, ridge=1.0)
    assert [found[name] for name in FEATURES[:3]] == pytest.approx([2.0, -1.0, 0.5], abs=0.3)
    assert fit(data, fixed={}, ridge=1.0) == found
    assert FEATURES[0] not in fit(data, fixed={}, without=[FEATURES[0]])
    text = written(found, FIXED)
    assert all(f'"{name}" = ' in text for name in found)
    assert not any(math.isnan(weight) for weight in found.values())


needs_data = pytest.mark.skipif(
    "ASTRAWEAVE_DATA" not in os.environ, reason="ASTRAWEAVE_DATA names no folder"
)


@pytest.mark.data
@pytest.mark.models
@pytest.mark.slow
@needs_data
def test_the_bars(capsys):
    path = Path(os.environ["ASTRAWEAVE_DATA"]) / "locomo_dev.json.gz"
    assert main(["eval", "memory", "--data", str(path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["hit@5"] >= 0.82
    assert document["recall@10"] >= 0.84
    assert document["session@5"] >= 0.94


@pytest.mark.models
@pytest.mark.slow
def test_the_shipped_weights_are_what_the_training_makes(tmp_path):
    from astraweave.evaluation.train_reranker import main as train

    out = tmp_path / "reranker.toml"
    assert train([str(out)]) == 0
    shipped = Path(__file__).parents[2] / "src" / "astraweave" / "rag" / "reranker.toml"
    assert out.read_text("utf-8") == shipped.read_text("utf-8")
