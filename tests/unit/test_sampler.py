"""The sampler's memory of what an answer has said."""

from __future__ import annotations

import random

import numpy as np

from astraweave.llm.protocol import SamplingParams
from astraweave.llm.sampling import Sampler

ALWAYS_BEST = SamplingParams(temperature=0, repetition_penalty=1)


def drawn(params, logits, times, *, context=(), exempt=()):
    sampler = Sampler(
        params,
        stream=random.Random(3),
        context=context,
        exempt=exempt,
        scratch=np.zeros(len(logits), np.int32),
    )
    return [sampler.draw(np.array(logits, np.float32)) for _ in range(times)]


def changed(**fields):
    return SamplingParams(**{"temperature": 0, "repetition_penalty": 1} | fields)


def test_without_penalties_the_best_comes_again_and_again():
    assert drawn(ALWAYS_BEST, [1, 3, 2], 3, context=[1]) == [1, 1, 1]


def test_presence_counts_once_and_frequency_each_time():
    logits = [0, 3, 1.5]
    assert drawn(changed(presence_penalty=1), logits, 4) == [1, 1, 1, 1]
    assert drawn(changed(presence_penalty=2), logits, 4) == [1, 2, 1, 1]
    assert drawn(changed(frequency_penalty=1), logits, 5) == [1, 1, 2, 1, 2]


def test_only_the_answers_own_tokens_are_present():
    assert drawn(changed(presence_penalty=2), [0, 3, 1.5], 1, context=[1]) == [1]
    both = changed(presence_penalty=2, repetition_penalty=1.1)
    assert drawn(both, [0, 3, 1.5], 2, context=[1]) == [1, 2]


def test_the_prompts_tokens_are_repetitions():
    assert drawn(changed(repetition_penalty=3), [0, 3, 1.5], 1, context=[1, 1]) == [2]


def test_exempt_tokens_stay_likely():
    hard = changed(presence_penalty=9, frequency_penalty=9, repetition_penalty=9)
    assert drawn(hard, [0, 3, 1.5], 3, context=[1], exempt=[1]) == [1, 1, 1]


def test_long_answers_outgrow_the_first_room():
    steep = changed(presence_penalty=100)
    assert drawn(steep, np.linspace(1, 0, 300), 300) == list(range(300))
