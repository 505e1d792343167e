"""The sampler's memory of what an answer has said."""

from __future__ import annotations

import random

import numpy as np

from astraweave.llm.protocol import SamplingParams
from astraweave.llm.sampling import Sampler, draw_rows

ALWAYS_BEST = SamplingParams(temperature=0, repetition_penalty=1)


def drawn(params, logits, times, *, context=(), exempt=()):
    sampler = Sampler(params, stream=random.Random(3), context=context, exempt=exempt)
    scratch = np.zeros(len(logits), np.int32)
    tokens = []
    for _ in range(times):
        tokens += draw_rows([sampler], np.array([logits], np.float32), scratch)
        sampler.note(tokens[-1])
    return tokens


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


def test_each_answer_draws_from_its_own_stream_and_mask():
    params = SamplingParams(temperature=5.0, top_k=0, top_p=1.0)
    logits = np.random.default_rng(1).normal(size=(3, 70)).astype(np.float32)
    masks = np.zeros((1, 3), np.uint32)
    masks[0, 2] = 0b101010
    scratch = np.zeros(70, np.int32)

    def samplers():
        return [Sampler(params, stream=random.Random(n), context=(), exempt=()) for n in range(3)]

    together = draw_rows(samplers(), logits.copy(), scratch, masks=masks, mask_of=[-1, 0, -1])
    for n, sampler in enumerate(samplers()):
        alone = draw_rows(
            [sampler], logits[n : n + 1].copy(), scratch, masks=masks, mask_of=[0 if n == 1 else -1]
        )
        assert alone == together[n : n + 1]
    assert together[1] in {65, 67, 69}
