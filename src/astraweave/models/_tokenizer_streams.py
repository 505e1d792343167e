"""Tokens that come one by one: text from a stream of them, and their count as a text grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from astraweave import _native
from astraweave.errors import InputError

if TYPE_CHECKING:
    from astraweave.models.tokenizer import Tokenizer

__all__ = ["Appender", "StreamDecoder", "checked_text"]


def checked_text(text: str) -> str:
    """`text`, or an `InputError` where it is none."""
    if not isinstance(text, str):
        raise InputError(f"text must be a str, not {type(text).__name__}")
    return text


class StreamDecoder:
    """Turns a stream of tokens into text, whole characters only.

    What `push` and the last `flush` return is, joined, what `Tokenizer.decode` gives for all
    tokens at once. For one thread at a time.

    Parameters
    ----------
    tokenizer : Tokenizer
        Whose tokens they are.
    skip_special : bool
        Whether control tokens give no text.
    """

    __slots__ = ("_native",)

    def __init__(self, tokenizer: Tokenizer, *, skip_special: bool = True) -> None:
        self._native = _native.StreamDecoder(tokenizer._native, skip_special=skip_special)

    def push(self, token_id: int) -> str:
        """Take a token; returns the text that is certain now, often none.

        Raises
        ------
        InputError
            No token has this id; the stream stays as it was.
        """
        try:
            return self._native.push(token_id)
        except TypeError:
            raise InputError(f"no token has the id {token_id!r}") from None

    def flush(self) -> str:
        """Text that was held back; the decoder then starts anew."""
        return self._native.flush()


class Appender:
    """How many tokens a text has that grows at its end, such as a conversation.

    After each `append`, `total` is exactly `Tokenizer.count` of everything appended so far, joined
    to one text; the cost is that of the new text and of the last word before it. Made by
    `Tokenizer.appender`. Threads may share one.

    Notes
    -----
    Text is counted for good up to the last place where it may be cut whatever follows: the end of
    a word. Text that has none is counted again with each `append`, as is all text in vocabularies
    whose splitter is not known to have such places (those with added tokens that swallow the
    whitespace behind them).
    """

    __slots__ = ("__dict__", "_native")

    def __init__(self, native: _native.Appender) -> None:
        self._native = native
        self.__dict__["append"] = native.appending()  # in place of the method: no call of Python's

    def append(self, text: str) -> int:
        """Add text to the end; returns the new `total`.

        Raises
        ------
        InputError
            It is not a `str`.
        """
        return self._native.appending()(text)

    @property
    def total(self) -> int:
        """Tokens of everything appended so far."""
        return self._native.total

    def copy(self) -> Appender:
        """One that goes on from here on its own; costs no more than the last word."""
        return Appender(self._native.copy())
