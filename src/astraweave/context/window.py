"""The part of a conversation that fits.

A window is made of whole turns in their order: those that are pinned, and as many others as fit,
chosen by a strategy. Never over the budget, never one turn fewer than fits.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from astraweave.context._places import place_of, stays, without
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
    pinned = _pinned(turns)
    return without(turns, pinned, 0, len(turns) - len(pinned) - keep)


def keep_ends(first: int = 2) -> Strategy:
    """Keep the `first` oldest turns (how it began) and the newest; drop from the middle.

    When no more than `first` fit, the newest win.
    """
    return _Ends(first)


class _Ends:
    """`keep_ends`; it also tells what its windows cost, without making them."""

    def __init__(self, first: int) -> None:
        self._first = first

    def __call__(self, turns: Sequence[Turn], keep: int) -> list[Turn]:
        pinned, head = _pinned(turns), self._head(keep)
        return without(turns, pinned, head, head + len(turns) - len(pinned) - keep)

    def tokens(self, history: ConversationHistory, keep: int) -> int:
        head = self._head(keep)
        ends = history.oldest_tokens(head) + history.newest_tokens(keep - head)
        return history.pinned_tokens + ends

    def _head(self, keep: int) -> int:
        return self._first if keep > self._first else 0


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
        pinned = _pinned(turns)
        drop = len(turns) - len(pinned) - keep
        kept = without(turns, pinned, 0, drop)
        if not drop:
            return kept
        end = place_of(pinned, drop - 1) + 1
        gone = [turn for turn in turns[:end] if not stays(turn)]
        text = summariser.summarise(gone, max_tokens, counter)
        cost = counter.count(text) if text else 0
        if not text or cost > max_tokens:
            return kept
        summary = Turn(
            role="user",
            speaker="",
            text=text,
            game_time=gone[-1].game_time,
            tokens=cost + overhead_tokens,
        )
        # It stands where the last dropped turn stood, after the pinned ones before it.
        place = end - drop
        return [*kept[:place], summary, *kept[place:]]

    return strategy


def window(
    history: ConversationHistory, max_tokens: int, strategy: Strategy = drop_oldest
) -> Window:
    """The turns that fit into `max_tokens` by their own counts.

    For `drop_oldest` one binary search over running sums, for `keep_ends` a few, whatever the
    length of the history.

    Raises
    ------
    CapacityError
        The pinned turns alone do not fit; `needed` and `max_tokens` are attributes.
    """
    if strategy is not drop_oldest:
        return _window_by(history, max_tokens, strategy)
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

    def attempt(rule: Strategy, keep: int) -> tuple[int, Fitted]:
        turns = rule(history, keep)
        messages = build(turns)
        tokens = count(messages)
        dropped = history.droppable - keep
        found = Fitted(messages=tuple(messages), turns=tuple(turns), tokens=tokens, dropped=dropped)
        return tokens, found

    return _most(history, strategy, attempt, max_tokens)


def _window_by(history: ConversationHistory, max_tokens: int, strategy: Strategy) -> Window:
    def attempt(rule: Strategy, keep: int) -> tuple[int, Callable[[], Window]]:
        if isinstance(rule, _Ends):
            tokens = rule.tokens(history, keep)
            return tokens, lambda: made(rule(history, keep), tokens, keep)
        turns = rule(history, keep)
        tokens = sum(turn.tokens for turn in turns)
        return tokens, lambda: made(turns, tokens, keep)

    def made(turns: Sequence[Turn], tokens: int, keep: int) -> Window:
        return Window(turns=tuple(turns), tokens=tokens, dropped=history.droppable - keep)

    return _most(history, strategy, attempt, max_tokens)()


_Found = TypeVar("_Found")


def _most(
    history: ConversationHistory,
    strategy: Strategy,
    attempt: Callable[[Strategy, int], tuple[int, _Found]],
    max_tokens: int,
) -> _Found:
    """What `attempt` finds with the most droppable turns that fit; the next larger does not.

    `attempt` takes a strategy and how many it keeps; it gives the tokens of that, and a result.
    """
    fits: _Found | None = None
    low, high = -1, history.droppable + 1  # low is known to fit, high not to
    guess = history.fitting(max_tokens - history.pinned_tokens)
    while high - low > 1:
        keep = min(max(guess, low + 1), high - 1)
        tokens, found = attempt(strategy, keep)
        if tokens <= max_tokens:
            low, fits = keep, found
        else:
            high = keep
        # What the whole costs beside these turns is known now: aim at the rest.
        guess = history.fitting(history.newest_tokens(keep) + max_tokens - tokens)
        if guess == keep:
            guess += 1 if tokens <= max_tokens else -1
    if fits is not None:
        return fits
    if strategy is not drop_oldest:  # a summary or the like takes the room: go without
        return _most(history, drop_oldest, attempt, max_tokens)
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


def _pinned(turns: Sequence[Turn]) -> Sequence[int]:
    """Indices of the turns that stay; a history has them already."""
    if isinstance(turns, ConversationHistory):
        return turns.pinned_indices
    return [index for index, turn in enumerate(turns) if stays(turn)]
