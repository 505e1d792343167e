"""What was said, in order."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, overload

import msgspec

from astraweave.context._places import place_of, stays
from astraweave.context.turn import Turn
from astraweave.core.protocols import TokenCounter
from astraweave.core.toml import did_you_mean
from astraweave.errors import CorruptDataError, InputError
from astraweave.llm.protocol import Role

__all__ = ["ConversationHistory"]

_FORMAT = 1
_FIELDS = ("format", "counter", "overhead_tokens", "turns")


class ConversationHistory(Sequence[Turn]):
    """Turns of one conversation, each counted once, when it is appended.

    Running sums are kept beside the turns, so that choosing a window costs no more for a long
    conversation than for a short one. For one thread at a time.

    Parameters
    ----------
    counter : TokenCounter
        Counts as the model will; asked only for new text.
    overhead_tokens : int
        What the chat template adds to each message (role marks, line ends), in tokens.
    counter_id : str
        Names the vocabulary of `counter`, so that a saved conversation is counted again when it is
        loaded under another model.

    Examples
    --------
    >>> class Words:
    ...     def count(self, text: str) -> int:
    ...         return len(text.split())
    >>> history = ConversationHistory(Words(), overhead_tokens=2)
    >>> history.say("user", "ash", "Good day, smith.", game_time=5.0).tokens
    5
    >>> [turn.speaker for turn in history.recent(3)]
    ['ash']
    """

    def __init__(
        self, counter: TokenCounter, *, overhead_tokens: int = 4, counter_id: str = ""
    ) -> None:
        self.counter = counter
        self.overhead_tokens = overhead_tokens
        self.counter_id = counter_id
        self._turns: list[Turn] = []
        self._sums: list[int] = [0]  # tokens of the turns that may be dropped, before each turn
        self._pinned: list[int] = []  # indices, ascending
        self._pinned_tokens = 0

    def say(
        self,
        role: Role,
        speaker: str,
        text: str,
        *,
        game_time: float = 0.0,
        pinned: bool = False,
    ) -> Turn:
        """Append what somebody said; the turn with its tokens.

        Raises
        ------
        InputError
            It is earlier in game time than the last turn.
        """
        self._check_time(game_time)
        turn = Turn(
            role=role,
            speaker=speaker,
            text=text,
            game_time=game_time,
            tokens=self.counter.count(text) + self.overhead_tokens,
            pinned=pinned,
        )
        self._note(turn)
        return turn

    def append(self, turn: Turn) -> Turn:
        """Append a turn; counts it when it has no count yet. Returns it as it was kept.

        Raises
        ------
        InputError
            It is earlier in game time than the last turn.
        """
        self._check_time(turn.game_time)
        if turn.tokens <= 0:
            turn = self._counted(turn)
        self._note(turn)
        return turn

    def pin(self, index: int, *, pinned: bool = True) -> None:
        """Keep a turn in every window from now on, or let it go again.

        Raises
        ------
        InputError
            There is no such turn.
        """
        try:
            turn = self._turns[index]
        except IndexError:
            raise InputError(f"there is no turn {index} of {len(self)}", index=index) from None
        was, turn = turn, msgspec.structs.replace(turn, pinned=pinned)
        index %= len(self._turns)
        self._turns[index] = turn
        if stays(was) != stays(turn):
            self._move(index)

    def cut_last(self, text: str) -> Turn | None:
        """Shorten the last turn to what was heard of it; the turn as it is now, or None.

        Nothing heard, no turn: it is gone then.
        """
        if not self._turns:
            return None
        turn = self._turns[-1]
        kept = self._turns[:-1]
        if text:
            turn = self._counted(msgspec.structs.replace(turn, text=text))
            kept.append(turn)
        self._turns = kept
        self._note_all()
        return turn if text else None

    def recent(self, n: int) -> tuple[Turn, ...]:
        """The last `n` turns, oldest first; fewer when there are fewer."""
        return tuple(self._turns[-n:]) if n > 0 else ()

    def between(self, *speakers: str) -> tuple[Turn, ...]:
        """Turns that one of these speakers said, in order."""
        wanted = frozenset(speakers)
        return tuple(turn for turn in self._turns if turn.speaker in wanted)

    def clear(self) -> None:
        """Forget everything that was said."""
        self._turns.clear()
        self._note_all()

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who has spoken, in the order of first words."""
        return tuple(dict.fromkeys(turn.speaker for turn in self._turns))

    @property
    def tokens(self) -> int:
        """Tokens of all turns together."""
        return self._sums[-1] + self._pinned_tokens

    @property
    def pinned_tokens(self) -> int:
        """Tokens of the turns that no window drops: the pinned ones, and those of the system."""
        return self._pinned_tokens

    @property
    def droppable_sums(self) -> Sequence[int]:
        """Running tokens of the droppable turns; one longer than the history. Read only."""
        return self._sums

    @property
    def pinned_indices(self) -> Sequence[int]:
        """Indices of the turns that no window drops, ascending. Read only."""
        return self._pinned

    @property
    def droppable(self) -> int:
        """How many turns a window may drop."""
        return len(self._turns) - len(self._pinned)

    def newest_tokens(self, keep: int) -> int:
        """Tokens of the `keep` newest droppable turns, in logarithmic time."""
        return self._sums[-1] - self._sums[place_of(self._pinned, self.droppable - keep)]

    def oldest_tokens(self, keep: int) -> int:
        """Tokens of the `keep` oldest droppable turns, in logarithmic time."""
        return self._sums[place_of(self._pinned, keep)]

    def fitting(self, room: int) -> int:
        """How many of the newest droppable turns fit into `room` tokens, in logarithmic time.

        -1 where there is less than no room.
        """
        if room < 0:
            return -1
        start = bisect_left(self._sums, self._sums[-1] - room)
        later = len(self._pinned) - bisect_left(self._pinned, start)
        return len(self._turns) - start - later

    @overload
    def __getitem__(self, index: int) -> Turn: ...
    @overload
    def __getitem__(self, index: slice) -> list[Turn]: ...
    def __getitem__(self, index: int | slice) -> Turn | list[Turn]:
        return self._turns[index]

    def __len__(self) -> int:
        return len(self._turns)

    def __iter__(self) -> Iterator[Turn]:
        return iter(self._turns)

    def __repr__(self) -> str:
        return f"<ConversationHistory: {len(self)} turns, {self.tokens} tokens>"

    def to_data(self) -> dict[str, Any]:
        """Everything as lists, numbers and strings, for a save."""
        return {
            "format": _FORMAT,
            "counter": self.counter_id,
            "overhead_tokens": self.overhead_tokens,
            "turns": msgspec.to_builtins(self._turns),
        }

    @classmethod
    def from_data(
        cls,
        data: Mapping[str, Any],
        counter: TokenCounter,
        *,
        overhead_tokens: int = 4,
        counter_id: str = "",
    ) -> ConversationHistory:
        """A history that `to_data` wrote.

        Turns are counted again when they were counted by another vocabulary or overhead.

        Raises
        ------
        CorruptDataError
            It is not what `to_data` writes.
        """
        for key in data:
            if key not in _FIELDS:
                hint = did_you_mean(key, _FIELDS)
                raise CorruptDataError(f"a saved conversation has no part {key!r}{hint}", part=key)
        if data.get("format") != _FORMAT:
            raise CorruptDataError(
                f"a saved conversation of format {data.get('format')!r} cannot be read; this "
                f"version reads {_FORMAT}",
                format=data.get("format"),
            )
        try:
            turns = msgspec.convert(data.get("turns"), list[Turn])
        except msgspec.ValidationError as error:
            raise CorruptDataError(f"a saved conversation is damaged: {error}") from None
        same = (data.get("counter"), data.get("overhead_tokens")) == (counter_id, overhead_tokens)
        history = cls(counter, overhead_tokens=overhead_tokens, counter_id=counter_id)
        history._load(turns, recount=not same or not counter_id)
        return history

    def _load(self, turns: Iterable[Turn], *, recount: bool) -> None:
        self._turns = [
            self._counted(turn) if recount or turn.tokens <= 0 else turn for turn in turns
        ]
        self._note_all()

    def _counted(self, turn: Turn) -> Turn:
        tokens = self.counter.count(turn.text) + self.overhead_tokens
        return msgspec.structs.replace(turn, tokens=tokens)

    def _check_time(self, game_time: float) -> None:
        if self._turns and game_time < self._turns[-1].game_time:
            raise InputError(
                f"a turn at game time {game_time} cannot follow one at {self._turns[-1].game_time}",
                game_time=game_time,
            )

    def _note(self, turn: Turn) -> None:
        kept = stays(turn)
        self._turns.append(turn)
        if kept:
            self._pinned.append(len(self._turns) - 1)
            self._pinned_tokens += turn.tokens
        self._sums.append(self._sums[-1] + (0 if kept else turn.tokens))

    def _note_all(self) -> None:
        self._pinned = [index for index, turn in enumerate(self._turns) if stays(turn)]
        self._pinned_tokens = sum(self._turns[index].tokens for index in self._pinned)
        costs = (0 if stays(turn) else turn.tokens for turn in self._turns)
        self._sums = list(accumulate(costs, initial=0))

    def _move(self, index: int) -> None:
        """Note that a turn is pinned now, or droppable again."""
        tokens = self._turns[index].tokens
        if stays(self._turns[index]):
            insort(self._pinned, index)
        else:
            del self._pinned[bisect_left(self._pinned, index)]
            tokens = -tokens
        self._pinned_tokens += tokens
        self._sums[index + 1 :] = [total - tokens for total in self._sums[index + 1 :]]
