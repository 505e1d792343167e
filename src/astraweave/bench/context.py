"""Conversations: appending, choosing the window that fits, sharing out the budget."""

from __future__ import annotations

from astraweave.bench.case import Case, Pair, case
from astraweave.context import (
    ConversationHistory,
    TokenBudget,
    as_messages,
    fit,
    keep_ends,
    window,
)

__all__ = ["CASES"]


class _Characters:
    """Counts four characters as a token; the counter itself is not what is measured here."""

    def count(self, text: str) -> int:
        return len(text) // 4 + 1


def _history(turns: int) -> ConversationHistory:
    history = ConversationHistory(_Characters())
    for number in range(turns):
        role, speaker = ("user", "ash") if number % 2 == 0 else ("assistant", "tam")
        text = "The gate of the old mill is broken again. " * (number % 5 + 1)
        history.say(role, speaker, text, game_time=float(number), pinned=number in {0, 7})  # type: ignore[arg-type]
    return history


@case("context.window", unit="us")
def prune() -> Pair:
    """The newest of 100 turns that fit into 1,500 tokens, two of them pinned."""
    history = _history(100)
    return Pair(ours=lambda: window(history, 1500))


@case("context.long_window", unit="us")
def prune_long() -> Pair:
    """The same of 10,000 turns."""
    history = _history(10_000)
    return Pair(ours=lambda: window(history, 1500))


@case("context.both_ends", unit="us")
def prune_middle() -> Pair:
    """The same of 100 turns, the two oldest kept beside the newest."""
    history, strategy = _history(100), keep_ends(2)
    return Pair(ours=lambda: window(history, 1500, strategy))


@case("context.what_fits", unit="us")
def ask_what_fits() -> Pair:
    """How many of 10,000 turns fit into 1,500 tokens, without choosing them."""
    history = _history(10_000)
    return Pair(ours=lambda: history.fitting(1500 - history.pinned_tokens))


@case("context.fit", unit="us")
def fit_rendered() -> Pair:
    """The window by counting the rendered whole; the counter's own time included."""
    history, counter = _history(100), _Characters()
    return Pair(
        ours=lambda: fit(
            history,
            as_messages,
            lambda messages: sum(counter.count(message.content) + 4 for message in messages),
            1500,
        )
    )


@case("context.append", unit="us")
def append() -> Pair:
    """One more turn."""
    history = _history(0)
    return Pair(ours=lambda: history.say("user", "ash", "Do you still have my hammer?"))


@case("context.add_100", unit="us")
def add_hundred() -> Pair:
    """A new conversation of 100 turns."""
    lines = [f"Do you still have my hammer, smith? I lent it {n} days ago." for n in range(100)]

    def ours() -> ConversationHistory:
        history = ConversationHistory(_Characters())
        for line in lines:
            history.say("user", "ash", line)
        return history

    return Pair(ours=ours)


@case("context.pin", unit="us")
def pin() -> Pair:
    """Pin the middle one of 100 turns, and let it go."""
    history = _history(100)

    def ours() -> None:
        history.pin(50)
        history.pin(50, pinned=False)

    return Pair(ours=ours, per_call=2)


@case("context.split", unit="us")
def split() -> Pair:
    """Share 4,096 tokens out between persona, memories, history and answer."""
    budget = TokenBudget(max_tokens=4096)
    wanted = {"persona": 210, "memories": 90}
    return Pair(ours=lambda: budget.split(wanted))


CASES: tuple[Case, ...] = (
    prune,
    prune_long,
    prune_middle,
    ask_what_fits,
    fit_rendered,
    append,
    add_hundred,
    pin,
    split,
)
