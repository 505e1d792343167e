"""How the next token is drawn: parameters checked once, then one kernel call for all answers."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from astraweave.errors import InputError
from astraweave.kernels.sampling import sample_rows
from astraweave.llm.protocol import SamplingParams

__all__ = ["NONE_ADMITTED", "NOT_A_NUMBER", "Sampler", "check_sampling", "draw_rows"]

NOT_A_NUMBER = -1
"""In place of a token: the model computed what is not a number."""

NONE_ADMITTED = -2
"""In place of a token: the answer's constraint admits none."""


def check_sampling(params: SamplingParams) -> None:
    """Refuse what no distribution can be made of.

    Raises
    ------
    InputError
        A value is outside its range; the message names it.
    """
    ranges = (
        ("temperature", params.temperature, 0.0, 100.0, "from 0 to 100"),
        ("top_k", params.top_k, 0, 2**31 - 1, "0 or more"),
        ("top_p", params.top_p, math.ulp(0.0), 1.0, "above 0, up to 1"),
        ("min_p", params.min_p, 0.0, 1.0, "from 0 to 1"),
        ("repetition_penalty", params.repetition_penalty, 0.01, 100.0, "from 0.01 to 100"),
        ("presence_penalty", params.presence_penalty, -100.0, 100.0, "from -100 to 100"),
        ("frequency_penalty", params.frequency_penalty, -100.0, 100.0, "from -100 to 100"),
    )
    for name, value, low, high, words in ranges:
        if not low <= value <= high:  # NaN is in no range
            raise InputError(f"{name} must be {words}, not {value}", field=name, value=value)


class Sampler:
    """How the tokens of one answer are drawn, and what it has said.

    Parameters
    ----------
    params : SamplingParams
        Already checked.
    stream : random.Random
        Where this answer's randomness comes from; nobody else's.
    context : iterable of int
        The prompt's tokens: the repetition penalty is for them too, the others only for the
        answer's own.
    exempt : collection of int
        Tokens without any penalty: an answer's end stands in every prompt, and must stay likely.
    """

    __slots__ = ("_counts", "_exempt", "_penalised", "_places", "_row", "_stream", "_tokens")

    def __init__(
        self,
        params: SamplingParams,
        *,
        stream: random.Random,
        context: Iterable[int],
        exempt: Collection[int],
    ) -> None:
        self._stream = stream
        self._exempt = frozenset(exempt)
        self._row = (
            params.temperature,
            float(params.top_k),
            params.top_p,
            params.min_p,
            params.repetition_penalty,
            params.presence_penalty,
            params.frequency_penalty,
        )
        adds = params.presence_penalty != 0.0 or params.frequency_penalty != 0.0
        self._penalised = adds or params.repetition_penalty != 1.0
        seen = set(context) - self._exempt if params.repetition_penalty != 1.0 else set()
        # Tokens in the order in which they were first seen, and how often the answer has each.
        self._places = {token: place for place, token in enumerate(seen)}
        self._tokens = np.zeros(len(seen) + 64, np.int32)
        self._tokens[: len(seen)] = list(self._places)
        self._counts = np.zeros(len(self._tokens), np.int32)

    def note(self, token: int) -> None:
        """The answer has one token more."""
        if not self._penalised or token in self._exempt:
            return
        place = self._places.setdefault(token, len(self._places))
        if place == len(self._tokens):
            self._tokens = np.concatenate([self._tokens, np.zeros_like(self._tokens)])
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        self._tokens[place] = token
        self._counts[place] += 1

    def parameters(self) -> tuple[float, ...]:
        """One row for the kernel, with a new random number where one is needed."""
        return (*self._row, self._stream.random() if self._row[0] > 0 else 0.0)

    def seen(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Tokens that the penalties are for, and how often the answer has each."""
        count = len(self._places)
        return self._tokens[:count], self._counts[:count]


def draw_rows(
    samplers: Sequence[Sampler],
    logits: NDArray[np.float32],
    scratch: NDArray[np.int32],
    *,
    masks: NDArray[np.uint32] | None = None,
    mask_of: Sequence[int] = (),
) -> list[int]:
    """The next token of each answer.

    Parameters
    ----------
    samplers : sequence of Sampler
        One an answer; they note nothing by themselves.
    logits : ndarray of float32, shape (answers, vocabulary)
        They are changed.
    scratch : ndarray of int32, shape (vocabulary,)
        The kernel's working memory.
    masks : ndarray of uint32, shape (masks, at least vocabulary / 32), optional
        Bits of the tokens that are admitted.
    mask_of : sequence of int
        Which mask is each answer's, -1: none; empty: none has any.

    Returns
    -------
    list of int
        Tokens; `NOT_A_NUMBER` or `NONE_ADMITTED` where there is none.
    """
    seen, counts = zip(*[sampler.seen() for sampler in samplers], strict=True)
    offsets = np.zeros(len(samplers) + 1, np.int32)
    np.cumsum([len(tokens) for tokens in seen], out=offsets[1:])
    drawn = np.empty(len(samplers), np.int32)
    sample_rows(
        logits,
        np.concatenate(seen),
        np.concatenate(counts),
        offsets,
        np.array([sampler.parameters() for sampler in samplers]),
        scratch,
        drawn,
        masks=masks,
        mask_of=np.array(mask_of, np.int32) if masks is not None and mask_of else None,
    )
    tokens: list[int] = drawn.tolist()
    return tokens
