"""Random streams by name: what one character draws never moves what another one draws."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from typing import TypeAlias

from astraweave.errors import CorruptDataError

__all__ = ["RandomStreams", "advanced", "first_state", "seed_for", "words_between"]

RandomState: TypeAlias = tuple[int, tuple[int, ...], float | None]
"""What `random.Random.getstate` gives."""
_WORDS = 624
"""A stream makes so many numbers of 32 bits at a time; its state is these and a place in them."""
_ROUNDS = 4


def seed_for(seed: int, name: str) -> int:
    """A 64-bit seed for the stream `name` of the world seed `seed`; equal on every machine."""
    digest = hashlib.blake2b(
        f"{seed}/{name}".encode("utf-8", "surrogatepass"), digest_size=8
    ).digest()
    return int.from_bytes(digest, "little")


def first_state(seed: int, name: str) -> RandomState:
    """The state of a stream from which nothing was drawn yet."""
    return random.Random(seed_for(seed, name)).getstate()  # noqa: S311


def advanced(state: RandomState, words: int) -> RandomState:
    """The state after so many numbers of 32 bits were drawn."""
    stream = random.Random()  # noqa: S311
    stream.setstate(state)
    stream.getrandbits(32 * words)
    return stream.getstate()


def words_between(before: RandomState, after: RandomState) -> int | None:
    """How many numbers of 32 bits lead from one state to another; None: more than about 2,500.

    It says in two bytes what the state says in three thousand.
    """
    least = (after[1][-1] - before[1][-1]) % _WORDS
    for words in range(least, least + _ROUNDS * _WORDS, _WORDS):
        if advanced(before, words) == after:
            return words
    return None


class RandomStreams:
    """Independent, saveable random streams.

    Examples
    --------
    >>> a, b = RandomStreams(7), RandomStreams(7)
    >>> a["weather"].random() == b["weather"].random()
    True
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, random.Random] = {}

    def __getitem__(self, name: str) -> random.Random:
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = random.Random(seed_for(self.seed, name))  # noqa: S311
        return stream

    def state(self) -> dict[str, object]:
        """Everything that `restore` needs, made of lists, numbers and strings."""
        streams = {name: list(_flat(stream.getstate())) for name, stream in self._streams.items()}
        return {"seed": self.seed, "streams": streams}

    def restore(self, state: Mapping[str, object]) -> None:
        """Go back to a state that `state` returned; a damaged one changes nothing.

        Raises
        ------
        CorruptDataError
            It is not such a state.
        """
        try:
            seed, saved = state["seed"], state["streams"]
            if not isinstance(seed, int) or not isinstance(saved, Mapping):
                raise TypeError("a seed and the streams were expected")
            streams = {}
            for name, (version, words, gauss) in saved.items():
                streams[name] = random.Random()  # noqa: S311
                streams[name].setstate((version, tuple(words), gauss))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise CorruptDataError(f"the saved random streams are damaged: {error}") from error
        self.seed, self._streams = seed, streams


def _flat(state: tuple[object, ...]) -> tuple[object, ...]:
    version, words, gauss = state
    return version, list(words), gauss  # type: ignore[call-overload]
