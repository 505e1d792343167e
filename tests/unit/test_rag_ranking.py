"""What speaks for a memory, how it is weighed, and why it came back."""

from __future__ import annotations

import math
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.embeddings import EmbedderInfo
from astraweave.errors import CorruptDataError, InputError
from astraweave.rag import Memory, MemoryStore, RagPipeline
from astraweave.rag._columns import Names, Table
from astraweave.rag._features import FEATURES, GROUPS, Asked, Field, features, fused
from astraweave.rag._question import named_speakers
from astraweave.rag._reranker import Reranker
from astraweave.rag._traits import Trait, traits_of
from astraweave.rag.salience import is_question
from astraweave.rag.store import create_memory_tables


class Flat:
    """An embedder for which everything means the same."""

    dimensions = 4
    model_info = EmbedderInfo(id="flat", dimensions=4, max_tokens=64)

    def embed(self, text):
        return np.full(4, 0.5, np.float32)

    def embed_batch(self, texts):
        return np.full((len(texts), 4), 0.5, np.float32)


@pytest.fixture
def pipeline():
    connection = sqlite3.connect(":memory:")
    create_memory_tables(connection)
    yield RagPipeline(MemoryStore(connection, Flat()), Flat())
    connection.close()


def keep(pipeline, text, **values):
    memory = Memory(**({"owner": "tam", "text": text, "speaker": "player"} | values))
    return pipeline._store.add(memory)


def fill(pipeline):
    for n, text in enumerate(
        ("Bread is dear.", "The river runs high.", "A blade needs oil.", "It rained all night.")
    ):
        keep(pipeline, text, game_time=5000.0 * n)


def best(pipeline, question, **more):
    return pipeline.retrieve(question, owner="tam", k=1, **more)[0].memory


def test_every_feature_is_in_one_group():
    assert len(set(FEATURES)) == len(FEATURES) == sum(map(len, GROUPS.values()))


def test_what_no_longer_holds_gives_way_unless_the_past_is_asked_for(pipeline):
    fill(pipeline)
    now_open = keep(pipeline, "The north gate is open.", game_time=60000.0)
    shut = keep(
        pipeline, "The north gate stays shut.", game_time=50000.0, superseded_by=now_open.id
    )
    assert best(pipeline, "How is the north gate?") == now_open
    reasons = {
        one.memory.id: {reason.feature: reason.value for reason in one.reasons}
        for one in pipeline.explain("How was the north gate before?", owner="tam", k=6)
    }
    assert reasons[shut.id]["superseded"] == 0.0


def test_the_time_of_a_question_counts(pipeline):
    fill(pipeline)
    days = [
        keep(pipeline, "We caught a trout.", game_time=86_400.0 * (n + 0.3)) for n in range(1, 9)
    ]
    assert best(pipeline, "What did we catch yesterday?", now=86_400.0 * 6.5) == days[4]
    keep(pipeline, "The mill fire took everything.", game_time=86_400.0 * 2.5)
    before = best(pipeline, "What trout did we catch before the mill fire?", now=86_400.0 * 9)
    assert before.game_time <= 86_400.0 * 2.5


def test_a_day_that_is_named_goes_before_words(pipeline):
    fill(pipeline)
    met = keep(pipeline, "I need a bed and some soup.", game_time=-86_400.0)
    for n in range(200):  # more than are weighed, and all with the words of the question
        keep(pipeline, f"I told you of ship {n}.", game_time=86_400.0 * 2 + 1000.0 * n)
    day = keep(pipeline, "The heron is back.", game_time=86_400.0 * 7.4)
    now = 86_400.0 * 8.5
    told = best(pipeline, "What did I tell you yesterday?", speaker="player", now=now)
    assert told == day
    first = best(pipeline, "What did I tell you when we first met?", speaker="player", now=now)
    assert first == met


def test_an_event_is_no_answer_to_what_was_before_it(pipeline):
    fill(pipeline)
    sold = keep(pipeline, "I sold my mule.", game_time=86_400.0 * 2)
    keep(pipeline, "The great storm broke the mill.", game_time=86_400.0 * 3)
    question = "What did I sell before the great storm broke the mill?"
    assert best(pipeline, question, speaker="player", now=86_400.0 * 5) == sold


def test_links_lead_to_a_second_memory(pipeline):
    fill(pipeline)
    keep(pipeline, "The miller married Yrsa.", entities=("Yrsa",), game_time=30000.0)
    linked = keep(pipeline, "Yrsa breeds falcons.", entities=("Yrsa",), game_time=40000.0)
    (explained,) = [
        one
        for one in pipeline.explain("Who is the wife of the miller?", owner="tam", k=6)
        if one.memory == linked
    ]
    assert {reason.feature: reason.value for reason in explained.reasons}["hop"] > 0.0


def test_an_explanation_adds_up_and_reads_well(pipeline):
    fill(pipeline)
    keep(pipeline, "My sister Mira lost a ring.", game_time=90000.0)
    found = pipeline.retrieve("What did my sister lose?", owner="tam", speaker="player", k=3)
    told = pipeline.explain("What did my sister lose?", owner="tam", speaker="player", k=3)
    assert [(one.memory, one.score) for one in told] == [(one.memory, one.score) for one in found]
    for rank, one in enumerate(told, start=1):
        assert one.rank == rank
        assert {reason.feature for reason in one.reasons} == set(FEATURES)
        assert math.isclose(sum(r.contribution for r in one.reasons), one.score, abs_tol=1e-9)
        sizes = [abs(reason.contribution) for reason in one.reasons]
        assert sizes == sorted(sizes, reverse=True)
    text = str(told[0])
    assert text.startswith("1. ")
    assert "My sister Mira lost a ring." in text
    assert told[0].reasons[0].feature in text


def test_a_named_memory_is_explained_wherever_it_ranks(pipeline):
    for n in range(400):
        keep(pipeline, f"The lantern number {n} hangs here.", game_time=1000.0 * n)
    last = keep(pipeline, "Nothing of the kind.", game_time=1e6)
    told = pipeline.explain("Where is the lantern?", owner="tam", k=2, memory_id=last.id)
    assert [one.memory.id == last.id for one in told] == [False, False, True]
    assert told[-1].rank > 2
    theirs = keep(pipeline, "A secret.", owner="mira")
    for unknown in (theirs.id, 999_999):
        with pytest.raises(InputError, match="no memory"):
            pipeline.explain("What?", owner="tam", memory_id=unknown)
    assert pipeline.explain("What?", owner="nobody") == []


def test_everything_excluded_is_nothing(pipeline):
    told = [keep(pipeline, f"line {n}") for n in range(3)]
    assert pipeline.retrieve("line", owner="tam", exclude={one.id for one in told}) == []


def test_diversity(pipeline):
    fill(pipeline)
    best_first = pipeline.retrieve("the river", owner="tam", k=3)
    for diversity in (0.2, 1.0):
        other = pipeline.retrieve("the river", owner="tam", k=3, diversity=diversity)
        assert len({one.memory.id for one in other}) == 3
        assert other[0] == best_first[0]
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(InputError, match="diversity"):
            pipeline.retrieve("the river", owner="tam", diversity=wrong)


def test_speakers_by_name_and_nickname():
    speakers = frozenset({"Melanie", "tam", "Old Ben", ""})
    assert named_speakers("What did Mel tell TAM?", speakers) == {"Melanie", "tam"}
    assert named_speakers("Has old Ben slept?", speakers) == {"Old Ben"}
    assert named_speakers("What about a melon?", speakers) == frozenset()
    assert named_speakers("The tamer laughed.", speakers) == frozenset()


def test_weights_must_fit_the_features():
    shipped = Reranker.shipped()
    assert shipped.weights.shape == (len(FEATURES),)
    with pytest.raises(CorruptDataError, match="shoe size"):
        Reranker({"shoe size": 1.0})
    with pytest.raises(CorruptDataError, match="finite"):
        Reranker({FEATURES[0]: math.nan})


def test_what_is_near_counts_for_it_and_what_only_asks_against_it():
    weights = dict(zip(FEATURES, Reranker.shipped().weights.tolist(), strict=True))
    for good in ("meaning", "window", "words rank", "said", "sitting meaning", "near span", "hop"):
        assert weights[good] > 0.0
    for bad in ("asks", "holds question", "superseded", "sum log rank"):
        assert weights[bad] < 0.0


@given(st.text())
def test_traits_of_any_text(text):
    traits = Trait(traits_of(text))
    assert (Trait.ASKS in traits) == is_question(text)
    assert (Trait.HOLDS_QUESTION in traits) == ("?" in text)


LINES = st.sampled_from(
    [
        "I lost it.",
        "Where is it?",
        "Tell me, Bram, two or three?",
        "We will go. Will you?",
        "x" * 400,
    ]
)


@st.composite
def fields(draw):
    size = draw(st.integers(1, 30))
    times = np.cumsum(
        draw(st.lists(st.sampled_from([0.0, 60.0, 900.0, 5e4]), min_size=size, max_size=size))
    )
    table = Table(Names())
    table.append(
        [
            Memory(
                id=n + 1, owner="tam", text=draw(LINES),
                speaker=draw(st.sampled_from(["", "a", "b"])), game_time=float(times[n]),
                importance=draw(st.sampled_from([0.0, 0.5, 1.0])),
                superseded_by=draw(st.sampled_from([0, 99])),
            )
            for n in range(size)
        ]
    )  # fmt: skip
    numbers = st.sampled_from([0.0, 0.25, 0.5, 1.0, 3.0])
    words = np.array(draw(st.lists(numbers, min_size=size, max_size=size)), np.float32)
    meaning = np.array(
        draw(st.lists(numbers | st.just(math.nan), min_size=size, max_size=size)), np.float32
    )
    return Field(words, meaning, table.columns)


def z(scores):
    known = [score for score in scores.tolist() if not math.isnan(score)]
    mean = sum(known) / len(known) if known else 0.0
    spread = math.sqrt(sum((s - mean) ** 2 for s in known) / len(known)) if known else 0.0
    return [0.0 if math.isnan(s) or spread < 1e-5 else (s - mean) / spread for s in scores.tolist()]


ASKED = st.builds(
    Asked,
    said_by=st.sampled_from([(), (1,), (1, 2)]),
    when=st.booleans(),
    how_many=st.booleans(),
    who=st.booleans(),
    where=st.booleans(),
    past=st.booleans(),
    span=st.sampled_from([None, (0.0, 1e3), (-1e9, 6e4), (5e4, 5e4)]),
    now=st.sampled_from([0.0, 1e6]),
    day=st.sampled_from([1200.0, 86_400.0]),
    exact=st.booleans(),
    event=st.sampled_from([-1, 0, 2]),
)


@settings(max_examples=200, deadline=None)
@given(field=fields(), asked=ASKED, data=st.data())
def test_features_against_one_memory_at_a_time(field, asked, data):
    size = len(field.words)
    starts = data.draw(st.sampled_from([[0], [0, size // 2], [0, size]]))
    scores = fused(field, starts)
    words, meaning = z(field.words), z(field.meaning)
    assert scores.words == pytest.approx(words, abs=1e-3)
    assert scores.meaning == pytest.approx(meaning, abs=1e-3)
    chosen = data.draw(st.lists(st.integers(0, size - 1), min_size=1, unique=True))
    places = np.array(chosen, np.int64)
    draw = np.random.default_rng(len(chosen))
    topics, hop = draw.random((2, len(chosen))).astype(np.float32)
    table = features(field, scores, asked, places, topics, hop)
    columns = field.columns
    times = columns.game_time.tolist()
    words, meaning, sums = scores.words.tolist(), scores.meaning.tolist(), scores.sums.tolist()

    def together(first, second):
        return first >= 0 and all(
            n + 1 not in starts and abs(times[n + 1] - times[n]) <= 900.0
            for n in range(first, second)
        )

    def said_by(code):
        return float(code in asked.said_by) if asked.said_by else 0.5

    def sitting_of(place):
        return [one for one in chosen if together(min(one, place), max(one, place))]

    def outstanding(place):
        return math.log1p(sum(max(0.0, sums[one] - 1.0) for one in sitting_of(place)))

    for at, place in enumerate(chosen):
        has = Trait(int(columns.traits[place]))
        said = said_by(int(columns.speaker[place]))
        one_back, two_back = together(place - 1, place), together(place - 2, place)
        window = sums[place]
        for step, share in ((-1, 0.6), (-2, 0.3), (1, 0.4), (2, 0.2)):
            other = place + step
            if 0 <= other < size and together(min(other, place), max(other, place)):
                window += share * max(0.0, sums[other])
        near = 0.0
        if asked.span:
            away = max(asked.span[0] - times[place], times[place] - asked.span[1], 0.0)
            width = asked.span[1] - asked.span[0]
            near = 1 / (1 + away / min(max(width, asked.day / 4), 31 * asked.day))
        answers = one_back and Trait.HOLDS_QUESTION in Trait(int(columns.traits[place - 1]))
        expected = {
            "meaning": meaning[place],
            "window": window,
            "words rank": 1 / (1 + sum(words[one] > words[place] for one in chosen)),
            "sum log rank": math.log1p(sum(sums[one] > sums[place] for one in chosen)),
            "words 1 before": words[place - 1] if one_back else 0.0,
            "words 2 before": words[place - 2] if two_back else 0.0,
            "said": said,
            "said asking": said * (Trait.ASKS in has),
            "said of self": said * (Trait.SPEAKS_OF_SELF in has),
            "told": said_by(int(columns.addressee[place])),
            "asks": Trait.ASKS in has,
            "holds question": Trait.HOLDS_QUESTION in has,
            "answers meaning": max(0.0, meaning[place - 1]) if answers else 0.0,
            "counts": Trait.COUNTS in has,
            "names": Trait.NAMES in has,
            "plans": Trait.TELLS_PLANS in has,
            "log length": math.log1p(min(int(columns.length[place]), 300) / 6),
            "opening": not two_back,
            "when: time": asked.when and Trait.TELLS_TIME in has,
            "when: past": asked.when and Trait.TELLS_PAST in has,
            "how many: counts": asked.how_many and Trait.COUNTS in has,
            "who: names": asked.who and Trait.NAMES in has,
            "where: names": asked.where and Trait.NAMES in has,
            "sitting best": max(sums[one] for one in sitting_of(place))
            - max(sums[one] for one in chosen),
            "sitting sum": outstanding(place) - max(map(outstanding, chosen)),
            "sitting meaning": max(meaning[one] for one in sitting_of(place))
            - max(meaning[one] for one in chosen),
            "near span": near,
            "recent": 2.0 ** (min(times[place] - asked.now, 0.0) / asked.day),
            "topics": topics[at],
            "hop": hop[at],
            "importance": columns.importance[place],
            "superseded": bool(columns.superseded[place]) and not asked.past,
            "in span": asked.exact and near == 1.0,
            "event itself": place == asked.event,
        }
        assert list(expected) == list(FEATURES)
        assert table[:, at] == pytest.approx(np.array([*expected.values()], float), abs=1e-4)


def test_what_does_not_belong_together_is_refused():
    field = Field(np.zeros(3, np.float32), np.zeros(3, np.float32), Table(Names()).columns)
    with pytest.raises(InputError, match="belong together"):
        fused(field, [0])
    table = Table(Names())
    table.append([Memory(id=n, owner="tam", text="x") for n in (1, 2, 3)])
    field = field._replace(columns=table.columns)
    scores = fused(field, [0])
    one = np.zeros(1, np.float32)
    for places, more in (([3], one), ([-1], one), ([0], np.zeros(2, np.float32))):
        with pytest.raises(InputError):
            features(field, scores, Asked(), np.array(places, np.int64), more, one)
