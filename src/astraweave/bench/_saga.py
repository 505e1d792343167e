"""Twenty sittings with a companion, drawn by seed: who tells what, when, and who asks about it."""

from __future__ import annotations

from typing import Literal, cast

from astraweave.bench._companion_corpus import companion_corpus
from astraweave.bench._drawing import fill
from astraweave.bench._examiner import Examiner
from astraweave.bench._saga_parts import Saga, Sitting
from astraweave.bench._story import Story

__all__ = ["draw_saga"]


def draw_saga(seed: int) -> Saga:
    """Draw one; equal seeds give equal sittings on every machine.

    Examples
    --------
    >>> saga = draw_saga(3)
    >>> len(saga.sittings), len(saga.items)
    (20, 60)
    """
    story = Story(seed)
    planned = story.plan()
    story.tell()
    own = [(own, story.cast.slots_of(own.slots, None)) for own in companion_corpus().own]
    questions = Examiner(story, own).ask(planned)
    sittings = []
    for number, steps in enumerate(story.steps):
        for step in questions[number]:
            late = step.item is not None and step.item.fact in {s.text for s in steps}
            steps.insert(len(steps) if late else story.rng.randint(1, len(steps)), step)
        end = cast("Literal['save', 'lost', 'rewound']", story.lost.get(number, "save"))
        sittings.append(Sitting(day=story.days[number], steps=tuple(steps), end=end))
    texts = tuple(fill(o.fact, slots) for o, slots in own)
    return Saga(seed=seed, facts=texts, sittings=tuple(sittings))
