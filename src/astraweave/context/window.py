"""The part of a conversation that fits.

A window is made of whole turns in their order: those that are pinned, and as many others as fit,
chosen by a strategy. Never over the budget, never one turn fewer than fits.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

import msgspec

from astraweave.context.history import ConversationHistory
from astraweave.context.summary import ExtractiveSummariser, Summariser
from astraweave.context.turn import Turn
from astraweave.core.protocols import TokenCounter
from astraweave.errors import CapacityError
from astraweave.llm.protocol import Message

__all__ = ["Fitted", "Strategy", "Window", "drop_oldest", "fit", "keep_ends", "summarise", "window"]

Strategy = Callable[[Sequence[Turn], int], Sequence[Turn]]
"""Keeps the pinned turns and `keep` of the others: ``strategy(turns, keep) -> turns``."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Turns that fit.

    Attributes
    ----------
    turns : tuple of Turn
        In their order.
    tokens : int
        What they cost, by their own counts.
    dropped : int
        How many turns of the history are not among them.
    """

    turns: tuple[Turn, ...]
    tokens: int
    dropped: int


class Fitted(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt that fits.

    Attributes
    ----------
    messages : tuple of Message
        The whole prompt.
    turns : tuple of Turn
        The turns that stand in it.
    tokens : int
        The whole prompt as the model counts it.
    dropped : int
        How many turns of the history are not in it.
    """

    messages: tuple[Message, ...]
    turns: tuple[Turn, ...]
    tokens: int
    dropped: int


def drop_oldest(turns: Sequence[Turn], keep: int) -> list[Turn]:
    """Keep the newest."""
    return _without(turns, _oldest(turns, keep))


def keep_ends(first: int = 2) -> Strategy:
    """Keep the `first` oldest turns (how it began) and the newest; drop from the middle.

    When no more than `first` fit, the newest win.
    """

    def strategy(turns: Sequence[Turn], keep: int) -> list[Turn]:
        droppable = _droppable(turns)
        head = first if keep > first else 0
        return _without(turns, droppable[head : head + len(droppable) - keep])

    return strategy


def summarise(
    counter: TokenCounter,
    summariser: Summariser | None = None,
    *,
    max_tokens: int = 64,
    overhead_tokens: int = 4,
) -> Strategy:
    """Keep the newest, and in place of the others a summary of at most `max_tokens`.

    The summary stands as a user's turn, for it is made of what players said: their words never
    rise to the system's role. Without a summariser it is extractive: names and numbers, word for
    word.
    """
    summariser = summariser or ExtractiveSummariser()

    def strategy(turns: Sequence[Turn], keep: int) -> list[Turn]:
        gone = _oldest(turns, keep)
        kept = _without(turns, gone)
        text = summariser.summarise([turns[i] for i in gone], max_tokens, counter) if gone else ""
        cost = counter.count(text) if text else 0
        if not text or cost > max_tokens:
            return kept
        summary = Turn(
            role="user",
            speaker="",
            text=text,
            game_time=turns[gone[-1]].game_time,
            tokens=cost + overhead_tokens,
        )
        # It stands where the last dropped turn stood, after the pinned ones before it.
        place = gone[-1] + 1 - len(gone)
        return [*kept[:place], summary, *kept[place:]]

    return strategy


def window(
    history: ConversationHistory, max_tokens: int, strategy: Strategy = drop_oldest
) -> Window:
    """The turns that fit into `max_tokens` by their own counts.

    For `drop_oldest` one binary search over running sums, whatever the length of the history.

    Raises
    ------
    CapacityError
        The pinned turns alone do not fit; `needed` and `max_tokens` are attributes.
    """
    if strategy is not drop_oldest:
        found = _most(
            history, strategy, lambda turns: (sum(t.tokens for t in turns), ()), max_tokens
        )
        return Window(turns=found.turns, tokens=found.tokens, dropped=found.dropped)
    start = _start(history, max_tokens)
    sums, pinned = history.droppable_sums, history.pinned_indices
    earlier = pinned[: bisect_left(pinned, start)] if pinned else ()
    kept = (*(history[index] for index in earlier), *history[start:])
    tokens = history.pinned_tokens + sums[-1] - sums[start]
    return Window(turns=kept, tokens=tokens, dropped=len(history) - len(kept))


def fit(
    history: ConversationHistory,
    build: Callable[[Sequence[Turn]], Sequence[Message]],
    count: Callable[[Sequence[Message]], int],
    max_tokens: int,
    strategy: Strategy = drop_oldest,
) -> Fitted:
    """The prompt with as many turns as fit, by the model's own count of the rendered whole.

    The turns' own counts only say where to begin; what decides is `count`. The result never
    exceeds `max_tokens`, and with one droppable turn more it would.

    Parameters
    ----------
    history : ConversationHistory
        All turns.
    build : callable
        Makes the whole prompt around the turns that it is given.
    count : callable
        Usually ``LanguageModel.count_messages``; called two or three times.
    max_tokens : int
        Room for the prompt: the context window less the answer.
    strategy : callable
        Which turns go first.

    Raises
    ------
    CapacityError
        The prompt does not fit even without any droppable turn; `needed` and `max_tokens` are
        attributes.
    """

    def cost(turns: Sequence[Turn]) -> tuple[int, Sequence[Message]]:
        messages = build(turns)
        return count(messages), messages

    return _most(history, strategy, cost, max_tokens)


_Cost = Callable[[Sequence[Turn]], tuple[int, Sequence[Message]]]


def _most(history: ConversationHistory, strategy: Strategy, cost: _Cost, max_tokens: int) -> Fitted:
    """The largest number of droppable turns that fits, and the next larger does not."""
    turns = list(history)
    # newest[k]: tokens of the k newest droppable turns, by their own counts
    costs = (turns[index].tokens for index in reversed(_droppable(turns)))
    newest = list(accumulate(costs, initial=0))
    fits: Fitted | None = None
    low, high = -1, len(newest)  # low is known to fit, high not to
    guess = bisect_right(newest, max_tokens - history.pinned_tokens) - 1
    while high - low > 1:
        keep = min(max(guess, low + 1), high - 1)
        kept = strategy(turns, keep)
        tokens, messages = cost(kept)
        if tokens <= max_tokens:
            low = keep
            fits = Fitted(
                messages=tuple(messages),
                turns=tuple(kept),
                tokens=tokens,
                dropped=len(newest) - 1 - keep,
            )
        else:
            high = keep
        # What the whole costs beside these turns is known now: aim at the rest.
        guess = bisect_right(newest, newest[keep] + max_tokens - tokens) - 1
        if guess == keep:
            guess += 1 if tokens <= max_tokens else -1
    if fits is not None:
        return fits
    if strategy is not drop_oldest:  # a summary or the like takes the room: go without
        return _most(history, drop_oldest, cost, max_tokens)
    raise _too_small(tokens, max_tokens)


def _start(history: ConversationHistory, max_tokens: int) -> int:
    """First index of the newest turns that fit beside the pinned ones."""
    room = max_tokens - history.pinned_tokens
    if room < 0:
        raise _too_small(history.pinned_tokens, max_tokens)
    sums = history.droppable_sums
    return bisect_left(sums, sums[-1] - room)


def _too_small(needed: int, max_tokens: int) -> CapacityError:
    return CapacityError(
        f"what must stay needs {needed} tokens, there is room for {max_tokens}: unpin turns, "
        "shorten the persona, or take a larger context window",
        needed=needed,
        max_tokens=max_tokens,
    )


def _droppable(turns: Sequence[Turn]) -> list[int]:
    return [i for i, turn in enumerate(turns) if not turn.pinned and turn.role != "system"]


def _oldest(turns: Sequence[Turn], keep: int) -> list[int]:
    """Indices of the droppable turns that have to go when `keep` stay."""
    droppable = _droppable(turns)
    return droppable[: len(droppable) - keep]


def _without(turns: Sequence[Turn], gone: Sequence[int]) -> list[Turn]:
    unwanted = frozenset(gone)
    return [turn for index, turn in enumerate(turns) if index not in unwanted]
