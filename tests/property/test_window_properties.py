"""Windows never exceed their budget, never cut a turn, and never leave out one that fits."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from astraweave.context import (
    ConversationHistory,
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
from astraweave.errors import CapacityError

PIECE = re.compile(r"<\|\w+\|>| ?[^\W\d_]{1,5}|\d|\s+|[^\w\s]{1,2}|_")


class Pieces:
    """Counts like a byte-pair tokenizer: short pieces, digits one by one, spaces stick to words."""

    def count(self, text):
        return len(PIECE.findall(text))

    def count_messages(self, messages):
        rendered = "".join(f"<|im_start|>{m.role}\n{m.content}<|im_end|>\n" for m in messages)
        return self.count(rendered + "<|im_start|>assistant\n")


COUNTER = Pieces()
SYSTEM = Turn(role="system", speaker="", text="You are Tam, the smith of Oakford. Be brief.")

turn_lists = st.lists(
    st.builds(
        Turn,
        role=st.sampled_from(["user", "assistant", "user", "assistant", "system"]),
        speaker=st.sampled_from(["ash", "tam", "mira"]),
        text=st.one_of(
            st.text(max_size=40),
            st.sampled_from(["I am Ash.", "Mira has 3 rings, I think.", " ", "\n  x", "2024"]),
        ),
        pinned=st.sampled_from([False, False, False, True]),
    ),
    max_size=14,
)
strategies = st.sampled_from(
    [drop_oldest, keep_ends(0), keep_ends(1), keep_ends(3), summarise(COUNTER, max_tokens=20)]
)


def history_of(turns, overhead=4):
    history = ConversationHistory(COUNTER, overhead_tokens=overhead)
    for turn in turns:
        history.append(turn)
    return history


def stays(turn):
    return turn.pinned or turn.role == "system"


def in_order(turns, history):
    """Whether the turns are a subsequence of the history, whole and in order (summaries aside)."""
    rest = iter(history)
    said = [turn for turn in turns if turn.speaker]
    return all(any(turn is other for other in rest) for turn in said)


@given(turn_lists, st.integers(0, 300))
def test_windows_match_the_plain_definition(turns, max_tokens):
    history = history_of(turns)
    kept = [turn for turn in history if stays(turn)]
    if sum(turn.tokens for turn in kept) > max_tokens:
        with pytest.raises(CapacityError):
            window(history, max_tokens)
        return
    # Reference: drop the oldest droppable turn until the rest fits.
    expected = list(history)
    while sum(turn.tokens for turn in expected) > max_tokens:
        expected.remove(next(turn for turn in expected if not stays(turn)))
    found = window(history, max_tokens)
    assert list(found.turns) == expected
    assert found.tokens == sum(turn.tokens for turn in expected)
    assert found.dropped == len(history) - len(expected)


@given(turn_lists, st.integers(20, 400), strategies, st.integers(0, 9))
def test_prompts_never_exceed_and_waste_nothing(turns, max_tokens, strategy, overhead):
    history = history_of(turns, overhead)

    def build(kept):
        return as_messages([SYSTEM, *kept])

    def cost(kept):
        return COUNTER.count_messages(build(kept))

    try:
        found = fit(history, build, COUNTER.count_messages, max_tokens, strategy)
    except CapacityError:
        assert cost([turn for turn in history if stays(turn)]) > max_tokens
        return
    assert found.tokens == COUNTER.count_messages(found.messages) <= max_tokens
    assert found.messages == tuple(build(found.turns))
    assert in_order(found.turns, history)
    assert [t for t in found.turns if stays(t)] == [t for t in history if stays(t)]
    said = [turn for turn in found.turns if turn.speaker]
    assert found.dropped == len(history) - len(said)
    if found.dropped:
        keep = sum(not stays(turn) for turn in said)
        larger = [cost(rule(list(history), keep + 1)) for rule in (strategy, drop_oldest)]
        assert max(larger) > max_tokens


@given(turn_lists, st.integers(0, 14), st.integers(0, 4))
def test_strategies_keep_as_many_as_they_are_told(turns, keep, first):
    droppable = sum(not stays(turn) for turn in turns)
    keep = min(keep, droppable)
    for strategy in (drop_oldest, keep_ends(first)):
        kept = strategy(turns, keep)
        assert sum(not stays(turn) for turn in kept) == keep
        assert in_order(kept, turns)


@given(turn_lists)
def test_saves_give_back_the_same_history(turns):
    history = history_of(turns)
    again = ConversationHistory.from_data(history.to_data(), COUNTER)
    assert list(again) == list(history)
    assert list(again.droppable_sums) == list(history.droppable_sums)
    assert list(again.pinned_indices) == list(history.pinned_indices)


@given(turn_lists, st.integers(-5, 90), st.integers(0, 9))
def test_what_fits_is_what_adding_up_says(turns, room, overhead):
    history = history_of(turns, overhead)
    costs = [turn.tokens for turn in history if not stays(turn)]
    assert history.droppable == len(costs)
    for keep in range(len(costs) + 1):
        assert history.newest_tokens(keep) == sum(costs[len(costs) - keep :])
        assert history.oldest_tokens(keep) == sum(costs[:keep])
    fitting = [k for k in range(len(costs) + 1) if history.newest_tokens(k) <= room]
    assert history.fitting(room) == max(fitting, default=-1)


@given(turn_lists, st.integers(0, 300), st.integers(0, 5))
def test_windows_with_both_ends_cost_what_their_turns_cost(turns, max_tokens, first):
    history = history_of(turns)
    strategy = keep_ends(first)
    try:
        found = window(history, max_tokens, strategy)
    except CapacityError:
        assert history.pinned_tokens > max_tokens
        return
    assert found.tokens == sum(turn.tokens for turn in found.turns) <= max_tokens
    keep = sum(not stays(turn) for turn in found.turns)
    assert list(found.turns) == strategy(list(history), keep)
    assert found.dropped == len(history) - len(found.turns)
    if found.dropped:
        assert sum(turn.tokens for turn in strategy(history, keep + 1)) > max_tokens


class Histories(RuleBasedStateMachine):
    """Turns come, are pinned and let go; the sums stay those of the turns."""

    def __init__(self):
        super().__init__()
        self.history = ConversationHistory(COUNTER)

    @rule(turn=turn_lists.filter(bool).map(lambda turns: turns[0]))
    def append(self, turn):
        self.history.append(turn)

    @rule(text=st.text(max_size=9), pinned=st.booleans())
    def say(self, text, pinned):
        self.history.say("user", "ash", text, pinned=pinned)

    @precondition(lambda self: len(self.history))
    @rule(data=st.data(), pinned=st.booleans())
    def pin(self, data, pinned):
        index = data.draw(st.integers(-len(self.history), len(self.history) - 1))
        self.history.pin(index, pinned=pinned)
        assert self.history[index].pinned is pinned

    @rule()
    def clear(self):
        self.history.clear()

    @invariant()
    def sums_are_those_of_the_turns(self):
        history = self.history
        assert list(history.pinned_indices) == [i for i, t in enumerate(history) if stays(t)]
        assert history.pinned_tokens == sum(t.tokens for t in history if stays(t))
        costs = [0 if stays(turn) else turn.tokens for turn in history]
        assert list(history.droppable_sums) == [sum(costs[:i]) for i in range(len(costs) + 1)]
        assert all(turn.tokens == COUNTER.count(turn.text) + 4 for turn in history)


TestHistories = Histories.TestCase


shares = st.builds(
    lambda weight, minimum, extra: Share(
        weight=weight, minimum=minimum, maximum=None if extra is None else minimum + extra
    ),
    st.sampled_from([0.0, 0.5, 1.0, 7.0]),
    st.integers(0, 30),
    st.none() | st.integers(0, 200),
)


@given(
    st.dictionaries(st.sampled_from("abcdef"), shares, max_size=6), st.integers(180, 900), st.data()
)
def test_budgets_give_each_its_due_and_no_more(shares, total, data):
    budget = TokenBudget(max_tokens=total, shares=shares)
    wanted = {name: data.draw(st.integers(0, 500)) for name in shares if data.draw(st.booleans())}
    parts = budget.split(wanted)
    assert parts.keys() == shares.keys()
    assert sum(parts.values()) <= total
    hungry = False
    for name, share in shares.items():
        most = total if share.maximum is None else share.maximum
        most = min(most, wanted.get(name, most))
        assert min(share.minimum, most) <= parts[name] <= most
        hungry |= share.weight > 0 and parts[name] < most
    assert budget.split(wanted) == parts
    if hungry:  # nothing is left lying while somebody could use it
        assert sum(parts.values()) == total
