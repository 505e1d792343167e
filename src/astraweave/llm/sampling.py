"""How the next token is drawn: parameters checked once, then one kernel call a token."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from astraweave.core.rng import RandomStreams
from astraweave.errors import InputError, ModelError
from astraweave.kernels.sampling import sample
from astraweave.llm.protocol import SamplingParams

__all__ = ["Sampler", "check_sampling"]


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
    """Draws the tokens of one answer.

    Parameters
    ----------
    params : SamplingParams
        Already checked.
    stream : random.Random
        Where randomness comes from unless `params` has a seed.
    context : iterable of int
        The prompt's tokens: the repetition penalty is for them too, the others only for the
        answer's own.
    exempt : collection of int
        Tokens without any penalty: an answer's end stands in every prompt, and must stay likely.
    scratch : ndarray of int32, shape (vocabulary,)
        The kernel's working memory; samplers that never run at once may share it.
    """

    def __init__(
        self,
        params: SamplingParams,
        *,
        stream: random.Random,
        context: Iterable[int],
        exempt: Collection[int],
        scratch: NDArray[np.int32],
    ) -> None:
        self._params = params
        self._random = stream if params.seed is None else RandomStreams(params.seed)["sampling"]
        self._exempt = frozenset(exempt)
        self._scratch = scratch
        adds = params.presence_penalty != 0.0 or params.frequency_penalty != 0.0
        self._penalised = adds or params.repetition_penalty != 1.0
        seen = set(context) - self._exempt if params.repetition_penalty != 1.0 else set()
        # Tokens in the order in which they were first seen, and how often the answer has each.
        self._places = {token: place for place, token in enumerate(seen)}
        self._tokens = np.zeros(len(seen) + 64, np.int32)
        self._tokens[: len(seen)] = list(self._places)
        self._counts = np.zeros(len(self._tokens), np.int32)

    def draw(self, logits: NDArray[np.float32]) -> int:
        """The next token; `logits` (shape ``(vocabulary,)``) are changed.

        Raises
        ------
        ModelError
            The model computed what is not a number.
        """
        params = self._params
        token: int = sample(
            logits,
            self._tokens[: len(self._places)],
            self._scratch,
            counts=self._counts[: len(self._places)],
            temperature=params.temperature,
            top_k=params.top_k,
            top_p=params.top_p,
            min_p=params.min_p,
            repetition_penalty=params.repetition_penalty,
            presence_penalty=params.presence_penalty,
            frequency_penalty=params.frequency_penalty,
            uniform=self._random.random() if params.temperature > 0 else 0.0,
        )
        if token < 0:
            raise ModelError(
                "the model's output is not a number (its weights or the hardware's driver are "
                "damaged); verify the model's files, or run it on the provider 'cpu'"
            )
        if self._penalised and token not in self._exempt:
            self._note(token)
        return token

    def _note(self, token: int) -> None:
        place = self._places.setdefault(token, len(self._places))
        if place == len(self._tokens):
            self._tokens = np.concatenate([self._tokens, np.zeros_like(self._tokens)])
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        self._tokens[place] = token
        self._counts[place] += 1
