"""What computes for the engine: tokens in, logits out, and the KV rows of every sequence kept.

Two answer to this: the native decoder (paged memory that sequences share by reference, rows of all
lengths in one pass) and the whole ONNX graph (the reference, and the one that runs on a GPU).
"""

from __future__ import annotations

from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["DecoderBackend", "KvReport", "StepBatch"]


class StepBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens to append to some sequences in one step.

    Attributes
    ----------
    sequences : ndarray of int32, shape (n,)
        Which ones; each at most once.
    counts : ndarray of int32, shape (n,)
        How many tokens each gets; 1 or more.
    tokens : ndarray of int32, shape (counts.sum(),)
        The tokens, sequence by sequence.
    wanted : ndarray of int32, shape (m,)
        Places in `tokens`, ascending, after which logits are wanted; may be empty.
    """

    sequences: NDArray[np.int32]
    counts: NDArray[np.int32]
    tokens: NDArray[np.int32]
    wanted: NDArray[np.int32]


class KvReport(msgspec.Struct, frozen=True, kw_only=True):
    """KV memory of a backend, in tokens and bytes.

    Attributes
    ----------
    capacity_tokens : int
        Tokens that fit at most, those that are shared counted once.
    used_tokens : int
        Room that is taken now, whole pages counted.
    capacity_bytes, used_bytes : int
        The same in bytes.
    sequences : int
        Open ones.
    """

    capacity_tokens: int
    used_tokens: int
    capacity_bytes: int
    used_bytes: int
    sequences: int


class DecoderBackend(Protocol):
    """Used by one thread at a time; only `close` may come from another, when none is inside.

    A sequence is a number. `step` changes all sequences of its batch or, where it raises
    CapacityError or InputError, none. After a ModelError the sequences of that batch are undefined
    and are to be released.
    """

    @property
    def vocabulary(self) -> int:
        """Logits a row."""
        ...

    @property
    def context_tokens(self) -> int:
        """Tokens that one sequence may have."""
        ...

    @property
    def max_sequences(self) -> int:
        """Sequences that may be open at once."""
        ...

    @property
    def mixes(self) -> bool:
        """Whether pieces of prompts and single tokens share a pass; else each piece has its own."""
        ...

    @property
    def provider(self) -> str:
        """What computes: ``"native"``, or the full name of an onnxruntime provider."""
        ...

    def open(self) -> int:
        """A new, empty sequence. CapacityError: `max_sequences` are open."""
        ...

    def fork(self, sequence: int, tokens: int) -> int:
        """A new sequence that begins with the first `tokens` of another, which stays as it is.

        Whole pages are referenced, the rest is copied. CapacityError: no room.
        """
        ...

    def truncate(self, sequence: int, tokens: int) -> None:
        """Keep the first `tokens` only."""
        ...

    def release(self, sequence: int) -> None:
        """Forget a sequence; what no other one refers to is free again."""
        ...

    def length(self, sequence: int) -> int:
        """Tokens that it has."""
        ...

    def step(self, batch: StepBatch) -> NDArray[np.float32]:
        """Append, and compute the wanted logits, shape ``(len(wanted), vocabulary)``.

        The array belongs to the backend and holds until the next step; the caller may change it.

        Raises
        ------
        CapacityError
            No room for the tokens: nothing was changed.
        ModelError
            The computation failed.
        """
        ...

    def report(self) -> KvReport:
        """How full its memory is."""
        ...

    def close(self) -> None:
        """Let go of weights and memory. Closing twice is allowed."""
        ...
