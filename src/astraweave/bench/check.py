"""The judge of a model's clauses, as a line asks it."""

from __future__ import annotations

from itertools import cycle

import msgspec

from astraweave.bench.case import Case, Pair, case
from astraweave.core.rng import RandomStreams
from astraweave.core.settings import DEFAULT_MODEL
from astraweave.core.text import sanitize
from astraweave.dialogue import DialogueGenerator, Judge, Moment, Situation, Verdict, moment_of
from astraweave.dialogue.check.fit import builtin_weights
from astraweave.embeddings import MockEmbeddingClient
from astraweave.persona import Persona
from astraweave.rag import Memory, Retrieved

__all__ = ["CASES"]

_TOLD = (
    "My sister Mira lost a silver ring under the old mill.",
    "I come from Saltmarsh and I have two brothers.",
    "The bridge at Harrow is closed until spring.",
)
_DRAFTED = (
    ("Good morning, smith.", "Good day to you too."),
    ("Good morning, smith.", "I'm glad you're here, it has been quiet since noon."),
    ("I am tired, the road was long.", "A fine day to rest your weary feet by the fire."),
    ("My father died last winter.", "I met the king at the old mill and he gave me a horse."),
    ("Where is my sister's ring?", "Mira hid it in the well behind the bakery."),
    ("It is cold today.", "The iron does not mind the frost, and neither do I."),
)


def _moments() -> list[tuple[Moment, str]]:
    generator = DialogueGenerator()
    persona = Persona.builtin("tam")
    told = [
        Retrieved(
            memory=Memory(id=place + 1, owner=persona.id, text=text, speaker="player"), score=1.0
        )
        for place, text in enumerate(_TOLD)
    ]
    moments = []
    for heard, drafted in _DRAFTED:
        situation = Situation(
            persona=persona,
            speaker="player",
            utterance=sanitize(heard),
            rng=RandomStreams(0)[heard],
            memories=told,
        )
        plan = generator.planner(persona).plan(situation)
        moments.append((moment_of(situation, plan), drafted))
    return moments


@case("dialogue.check", unit="us")
def check() -> Pair:
    """One clause of a draft judged by everything but the embedder.

    No more than 1 ms: a model takes several for each of the clause's tokens.
    """
    moments = _moments()
    turns, judge = cycle(moments), Judge.of(DEFAULT_MODEL)

    def one() -> Verdict:
        moment, drafted = next(turns)
        return judge.judge(drafted, moment, line=moment.opening, certainty=-2.0)

    untrue = [judge.judge(moments[place][1], moments[place][0]).passed for place in (3, 4)]
    return Pair(ours=one, quality={"untrue_refused": 1.0 - sum(untrue) / len(untrue)})


@case("dialogue.check_compared", unit="us")
def compared() -> Pair:
    """The same where meaning is known too and a clause is compared with thousands of judged lines.

    No more than 2 ms. Making the clause's vector is not in it, since that is the embedder's work.
    """

    class Vectors(MockEmbeddingClient):
        """Under the name of the embedder by which the judged lines were read."""

        model_info = msgspec.structs.replace(
            MockEmbeddingClient(dimensions=384).model_info, id=builtin_weights().embedder
        )

    turns, judge = cycle(_moments()), Judge.of(DEFAULT_MODEL, Vectors(dimensions=384))

    def one() -> Verdict:
        moment, drafted = next(turns)
        return judge.judge(drafted, moment, line=moment.opening, certainty=-2.0)

    return Pair(ours=one)


CASES: tuple[Case, ...] = (check, compared)
