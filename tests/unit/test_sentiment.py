"""The player's feelings: by words alone, with vectors, and what they do to a character."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.dialogue._sentiment_features import FEATURES, features
from astraweave.dialogue.sentiment import (
    ACTS,
    EMOTIONS,
    HEADS,
    Sentiment,
    SentimentClassifier,
    SentimentWeights,
    builtin_weights,
)
from astraweave.dialogue.train_sentiment import accuracy, fit, labelled_lines, train
from astraweave.embeddings import MockEmbeddingClient, OnnxEmbedder
from astraweave.errors import CorruptDataError, InputError
from astraweave.models import ModelFiles
from astraweave.persona import OUTCOMES, Persona, PersonaState

WORDS = SentimentClassifier()


def test_the_labelled_lines_are_many_apart_and_well_formed():
    lines = {name: labelled_lines(name) for name in ("train", "held_out")}
    assert len(lines["train"]) + len(lines["held_out"]) >= 900
    assert len(lines["held_out"]) >= 250
    for each in (*lines["train"], *lines["held_out"]):
        assert each.valence in (-1, 0, 1)
        assert each.emotion in EMOTIONS
        assert each.act in ACTS
        assert each.text == each.text.strip() != ""
    texts = {name: {line.text.casefold() for line in each} for name, each in lines.items()}
    assert not texts["train"] & texts["held_out"]
    for name in texts:
        assert len(texts[name]) >= 0.99 * len(lines[name])
        assert {line.emotion for line in lines[name]} == set(EMOTIONS)
        assert {line.act for line in lines[name]} == set(ACTS)


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("You stupid idiot!", "insult"),
        ("Thank you so much!", "thanks"),
        ("I am sorry, please forgive me.", "apology"),
        ("I will kill you.", "threat"),
        ("Where is the inn?", "none"),
        ("He said he would kill the king.", "none"),
    ],
)
def test_words_alone_know_the_plain_cases(text: str, act: str):
    assert WORDS.read(text).act == act


@pytest.mark.parametrize("text", ["You are not stupid.", "I did not come to threaten you."])
def test_what_is_denied_does_no_harm(text: str):
    assert WORDS.read(text).act not in {"insult", "threat"}


def test_words_alone_are_measured():
    scores = accuracy(WORDS, labelled_lines("held_out"))
    assert scores["valence"] >= 0.6
    assert scores["emotion"] >= 0.55
    assert scores["act"] >= 0.75


@pytest.mark.parametrize(
    "text",
    [
        "",
        "...",
        "?!",
        "Wo wohnt der Schmied?",
        "¿Dónde está el mercado?",
        "リンゴをください",
        "Où est la forge?",
    ],
)
def test_what_is_not_english_is_neutral(text: str):
    read = WORDS.read(text)
    assert (read.valence, read.emotion, read.act) == (0.0, "neutral", "none")


@given(st.text(max_size=1500))
def test_anything_can_be_read(text: str):
    read = WORDS.read(text)
    assert -1.0 <= read.valence <= 1.0
    assert sum(read.emotions.values()) == pytest.approx(1.0, abs=1e-4)
    assert sum(read.acts.values()) == pytest.approx(1.0, abs=1e-4)
    cues = features(text)
    assert cues.shape == (len(FEATURES),)
    assert 0.0 <= cues.min() <= cues.max() <= 2.0
    outcome = read.outcome("player")
    assert outcome is None or outcome.kind in OUTCOMES


def test_a_negation_turns_what_follows_it_up_to_a_comma():
    place = FEATURES.index("insult")
    assert features("You are a fool.")[place] == 1.0
    assert features("You are not a fool.")[place] == 0.0
    assert features("No, you are a fool.")[place] == 1.0


def test_another_embedder_falls_back_to_words_and_says_so():
    classifier = SentimentClassifier(MockEmbeddingClient())
    assert not classifier.uses_vectors
    assert "mock" in classifier.notices[0]
    assert classifier.read("You stupid idiot!") == WORDS.read("You stupid idiot!")
    assert "no embedder" in WORDS.notices[0]


def test_vectors_are_used_where_they_fit_and_checked():
    embedder = MockEmbeddingClient(dimensions=16)
    lines = labelled_lines("train")[::4]
    weights = train(embedder, lines)
    assert weights.to_bytes() == train(embedder, lines).to_bytes()
    classifier = SentimentClassifier(
        embedder, weights=SentimentWeights.from_bytes(weights.to_bytes())
    )
    assert classifier.uses_vectors
    assert classifier.notices == ()
    text = "Thank you, you are a true friend."
    assert classifier.read(text) == classifier.read(text, embedder.embed(text))
    with pytest.raises(InputError, match="16"):
        classifier.read(text, np.zeros(3, dtype=np.float32))


def test_damaged_weights_are_refused():
    data = builtin_weights().to_bytes()
    for damaged in (b"", b"PK nonsense", data[: len(data) // 2]):
        with pytest.raises(CorruptDataError):
            SentimentWeights.from_bytes(damaged)


def test_the_fit_finds_the_minimum():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 4))
    classes = (x[:, 0] + 0.3 * rng.normal(size=60) > 0).astype(np.intp)
    weights = fit(x, classes, 2, 1.0)
    shares = np.bincount(classes)
    rarity = np.sqrt(shares.max() / shares)[classes]

    def loss(w):
        logits = x @ w[:, :-1].T + w[:, -1]
        picked = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(60), classes]
        return (rarity * picked).sum() + 0.5 * (w[:, :-1] ** 2).sum() + 5e-4 * (w[:, -1] ** 2).sum()

    best = loss(weights)
    for _ in range(200):
        assert loss(weights + 0.01 * rng.normal(size=weights.shape)) >= best - 1e-6


def test_a_line_becomes_an_outcome_that_moves_a_mood():
    tam = Persona.builtin("tam")
    for text, sign in (("You stupid idiot!", -1), ("Thank you so much for your help!", 1)):
        outcome = WORDS.read(text).outcome("player", game_time=5.0, memory=7)
        assert outcome is not None
        assert (outcome.by, outcome.game_time, outcome.memory) == ("player", 5.0, 7)
        state = tam.evolve_from_outcome(PersonaState(), outcome)
        assert state.mood.valence * sign > 0
        assert state.towards("player").affinity * sign > 0
    assert WORDS.read("Where is the market?").outcome("player") is None


def test_feelings_without_an_act_do_a_little():
    def of(emotion: str, share: float) -> Sentiment:
        emotions = dict.fromkeys(EMOTIONS, 0.0) | {emotion: share}
        return Sentiment(valence=0.0, emotions=emotions, acts={"none": 0.9, "insult": 0.1})

    sorrow = of("sadness", 0.8).outcome("player")
    assert sorrow is not None
    assert (sorrow.kind, sorrow.weight) == ("confided", 0.8)
    assert of("sadness", 0.4).outcome("player") is None
    assert of("anger", 0.9).outcome("player") is None


@pytest.mark.models
def test_the_built_in_weights_read_meanings(encoder_files: ModelFiles):
    classifier = SentimentClassifier(OnnxEmbedder(encoder_files))
    assert classifier.notices == ()
    scores = accuracy(classifier, labelled_lines("held_out"))
    assert scores["valence"] >= 0.75
    assert scores["emotion"] >= 0.65
    assert scores["act"] >= 0.85
    assert set(HEADS) == set(scores)
