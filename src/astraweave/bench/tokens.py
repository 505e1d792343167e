"""Counting tokens in the default model's vocabulary, beside `tokenizers` on the same file."""

from __future__ import annotations

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


def _pair(texts: list[str], per_call: float) -> Pair:
    ours, peer = _counters()
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
    return _pair(lines, len(lines))


@case("tokens.long_text", unit="us", peer_name="tokenizers")
def long_text() -> Pair:
    """Count a long text, a kilobyte of it: 5.6 us are 180 MB/s."""
    text = "\n".join(_lines(4_000))
    return _pair([text], len(text.encode()) / 1000)


CASES: tuple[Case, ...] = (chat_line, long_text)
