"""Histories, budgets, windows and summaries, case by case."""

from __future__ import annotations

import json

import pytest

from astraweave.context import (
    ConversationHistory,
    ExtractiveSummariser,
    Share,
    TokenBudget,
    Turn,
    as_messages,
    drop_oldest,
    fit,
    keep_ends,
    summarise,
    window,
)
from astraweave.errors import CapacityError, ConfigError, CorruptDataError, InputError


class Words:
    """Counts words, and how often it was asked."""

    def __init__(self):
        self.asked = 0

    def count(self, text):
        self.asked += 1
        return len(text.split())


def history_of(*texts, pinned=(), overhead=0):
    history = ConversationHistory(Words(), overhead_tokens=overhead)
    for number, text in enumerate(texts):
        role, speaker = ("user", "ash") if number % 2 == 0 else ("assistant", "tam")
        history.say(role, speaker, text, game_time=float(number), pinned=number in pinned)
    return history


def texts(turns):
    return [turn.text for turn in turns]


def test_appending_counts_only_the_new_text():
    history = history_of("a b", "c", "d e f", overhead=2)
    assert [turn.tokens for turn in history] == [4, 3, 5]
    assert history.tokens == 12
    assert history.counter.asked == 3
    window(history, 6)
    assert history.counter.asked == 3
    assert (
        history.append(Turn(role="user", speaker="x", text="y", game_time=9, tokens=7)).tokens == 7
    )
    assert history.counter.asked == 3


def test_recent_between_and_speakers():
    history = history_of("a", "b", "c")
    assert texts(history.recent(2)) == ["b", "c"]
    assert history.recent(0) == ()
    assert len(history.recent(99)) == 3
    assert texts(history.between("tam")) == ["b"]
    assert texts(history.between("ash", "nobody")) == ["a", "c"]
    assert history.speakers == ("ash", "tam")
    assert (history[0].text, texts(history[1:])) == ("a", ["b", "c"])
    assert [m.role for m in as_messages(history)] == ["user", "assistant", "user"]


def test_time_does_not_run_back():
    history = history_of("a", "b")
    with pytest.raises(InputError, match="cannot follow"):
        history.say("user", "ash", "c", game_time=0.5)


def test_pinning_and_clearing():
    history = history_of("a a a", "b", "c")
    history.pin(0)
    assert texts(window(history, 4).turns) == ["a a a", "c"]
    history.pin(0, pinned=False)
    assert texts(window(history, 4).turns) == ["b", "c"]
    with pytest.raises(InputError, match="no turn 7 of 3"):
        history.pin(7)
    history.clear()
    assert (len(history), history.tokens, window(history, 0).turns) == (0, 0, ())


def test_pinning_the_last_turn_from_behind_and_twice():
    history = history_of("a a a", "b", "c")
    for _ in range(2):
        history.pin(-1)
        assert (list(history.pinned_indices), history.pinned_tokens) == ([2], 1)
        assert list(history.droppable_sums) == [0, 3, 4, 4]
    history.say("system", "", "d", game_time=3)
    history.pin(3)
    history.pin(3, pinned=False)  # the system's turns stay in any case
    assert (list(history.pinned_indices), history.pinned_tokens) == ([2, 3], 2)


def test_saving_and_loading():
    history = history_of("a", "b b", pinned={1})
    data = json.loads(json.dumps(history.to_data()))
    again = ConversationHistory.from_data(data, Words(), overhead_tokens=0)
    assert list(again) == list(history)
    assert again.pinned_tokens == 2


def test_another_vocabulary_counts_again():
    saved = ConversationHistory(Words(), overhead_tokens=1, counter_id="words")
    saved.say("user", "ash", "a b")
    data = saved.to_data()
    same = Words()
    ConversationHistory.from_data(data, same, overhead_tokens=1, counter_id="words")
    assert same.asked == 0
    other = Words()
    history = ConversationHistory.from_data(data, other, overhead_tokens=5, counter_id="others")
    assert (other.asked, history.tokens) == (1, 7)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "format 2"),
        ({"turns": None}, "damaged"),
        ({"turns": [{"role": "king", "speaker": "", "text": ""}]}, "damaged"),
        ({"turns": [{"speaker": "", "text": ""}]}, "damaged"),
        ({"trns": []}, "did you mean 'turns'"),
    ],
)
def test_damaged_saves_are_refused(change, words):
    data = history_of("a").to_data() | change
    with pytest.raises(CorruptDataError, match=words):
        ConversationHistory.from_data(data, Words())


def test_windows_keep_the_newest_and_the_pinned():
    history = history_of("a", "b", "c", "d", "e", pinned={1})
    found = window(history, 3)
    assert (texts(found.turns), found.tokens, found.dropped) == (["b", "d", "e"], 3, 2)
    assert texts(window(history, 99).turns) == ["a", "b", "c", "d", "e"]
    with pytest.raises(CapacityError, match="needs 1 tokens, there is room for 0") as caught:
        window(history, 0)
    assert (caught.value.needed, caught.value.max_tokens) == (1, 0)


def test_the_systems_turns_stay():
    history = ConversationHistory(Words(), overhead_tokens=0)
    history.say("system", "", "rules of the house")
    history.say("user", "ash", "hi")
    assert texts(window(history, 4).turns) == ["rules of the house"]


def test_keeping_both_ends():
    history = history_of("a", "b", "c", "d", "e", pinned={2})
    assert texts(window(history, 4, keep_ends(2)).turns) == ["a", "b", "c", "e"]
    assert texts(window(history, 3, keep_ends(1)).turns) == ["a", "c", "e"]
    assert texts(window(history, 2, keep_ends(2)).turns) == ["c", "e"]


def test_summaries_stand_where_the_dropped_turns_stood():
    history = history_of(
        "My name is Ash the 3rd. It is cold and wet and dark here today.",
        "Well met.",
        "It rains.",
        "So it does.",
        pinned={1},
    )
    strategy = summarise(history.counter, max_tokens=10, overhead_tokens=0)
    found = window(history, 13, strategy)
    assert texts(found.turns) == [
        "Well met.",
        'Earlier: ash: "My name is Ash the 3rd."',
        "So it does.",
    ]
    assert found.turns[1].role == "user"
    assert (found.tokens, found.dropped) == (13, 2)
    assert texts(window(history, 5, strategy).turns) == ["Well met.", "So it does."]
    assert len(window(history, 99, strategy).turns) == 4


def test_extracts_keep_names_and_numbers_within_the_budget():
    turns = history_of(
        "I have 12 coins. Nothing else.", "Ask Mira or Brandt.", "Fine.", "The gate is 3 feet."
    )
    summary = ExtractiveSummariser()
    assert summary.summarise(turns, 99, Words()) == (
        'Earlier: ash: "I have 12 coins." tam: "Ask Mira or Brandt." tam: "The gate is 3 feet."'
    )
    assert summary.summarise(turns, 6, Words()) == 'Earlier: tam: "Ask Mira or Brandt."'
    assert summary.summarise(turns, 2, Words()) == ""
    assert summary.summarise([], 9, Words()) == ""


def test_fitting_counts_the_rendered_whole():
    history = history_of("a", "b", "c", "d")

    def build(turns):
        return as_messages([Turn(role="system", speaker="", text="you are tam"), *turns])

    def count(messages):
        return sum(2 + len(m.content.split()) for m in messages)

    found = fit(history, build, count, 11)
    assert (texts(found.turns), found.tokens, found.dropped) == (["c", "d"], 11, 2)
    assert found.messages[0].content == "you are tam"
    assert fit(history, build, count, 5).turns == ()
    with pytest.raises(CapacityError, match="needs 5 tokens, there is room for 4"):
        fit(history, build, count, 4)


def test_fitting_asks_the_model_rarely():
    history = history_of(*(["word " * (n % 9 + 1) for n in range(400)]), overhead=4)
    calls = []

    def count(messages):
        calls.append(len(messages))
        return 50 + sum(4 + len(m.content.split()) for m in messages)

    fit(history, as_messages, count, 700, drop_oldest)
    assert len(calls) <= 3


def test_budgets_flow():
    budget = TokenBudget(max_tokens=1000)
    parts = budget.split()
    assert sum(parts.values()) == 1000
    assert parts["answer"] == 64
    less = budget.split({"memories": 0, "persona": 100})
    assert (less["memories"], less["persona"], less["history"]) == (0, 100, 836)
    assert TokenBudget(max_tokens=9, shares={"a": Share(maximum=2)}).split() == {"a": 2}


def test_impossible_budgets_are_refused():
    with pytest.raises(CapacityError, match="need 8 tokens, the window has 5"):
        TokenBudget(max_tokens=5, shares={"a": Share(minimum=8)})
    with pytest.raises(ConfigError, match="below its minimum"):
        TokenBudget(max_tokens=50, shares={"a": Share(minimum=8, maximum=7)})
    with pytest.raises(ConfigError, match="negative"):
        TokenBudget(max_tokens=50, shares={"a": Share(weight=-1.0)})
    for weight in (float("nan"), float("inf")):
        with pytest.raises(ConfigError, match=f"share 'a' must be a number, not {weight}"):
            TokenBudget(max_tokens=50, shares={"a": Share(weight=weight)})
    with pytest.raises(ConfigError, match="no share 'b'"):
        TokenBudget(max_tokens=50, shares={"a": Share()}).split({"b": 1})
