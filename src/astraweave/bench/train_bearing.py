"""Fits the trees that tell which memory answers a question, or that none does.

``python -m astraweave.bench.train_bearing [OUT.npz]`` writes ``dialogue/bearing.npz`` anew and
prints how well each life's questions are answered by trees that have not seen it.

What is learned from: the lives that were written for this (`astraweave.bench.lives`), sittings
with Tam and sagas with a companion (their held-out sorts of facts are left out), drawn by seed.
Every question that something answers is also asked of somebody who was never told it. All of it is
heard by real worlds, once with the embedder and once with hashed words, since both are shipped.
Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeAlias
from unittest import mock

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.bench import companion, sittings
from astraweave.bench._saga import draw_saga
from astraweave.bench._saga_parts import COMPANION
from astraweave.bench.lives import Life, closest, lives
from astraweave.core.clock import ManualClock
from astraweave.core.settings import Settings
from astraweave.dialogue import recollect
from astraweave.dialogue.bearing import ENOUGH, Trees
from astraweave.dialogue.signs import SIGNS, Told, signs
from astraweave.world import World

__all__ = ["Heard", "export", "fit", "gathered", "main"]

_SITTINGS = range(31, 131)
_SAGAS = range(13, 93)
_HASHED = {"sitting": 30, "saga": 15}
"""So many of the first ones are also heard without an embedder."""
_DAY_S, _MINUTE_S = 86_400.0, 60.0
_FOLDS = 10
_TREES, _LEAVES, _LEAST_ROWS, _RATE = 400, 16, 15, 0.06
_FOR = frozenset(
    "score|score lead|score z|rank|similarity|similarity lead|people met|sort held|things met|"
    "words met|overlap|overlap lead|doer same".split("|")
)
"""More of these never makes an answer less likely."""
_AGAINST = frozenset(
    "names missing|people missed|sort missed|attributes missed|things missed|numbers missed|"
    "side missed|rare missing|doer differs|swapped".split("|")
)
"""More of these never makes it likelier."""

Source: TypeAlias = tuple[Literal["life", "sitting", "saga"], int]


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """One question as the trees see it.

    `table` holds the signs of every memory that came to mind; `right`: which of them answer;
    `answerable`: something that was told does.
    """

    source: Source
    question: str
    table: NDArray[np.float64]
    right: NDArray[np.bool_]
    answerable: bool


Asked: TypeAlias = list[tuple[Sequence[Told], NDArray[np.float64]]]


@contextmanager
def _listening() -> Iterator[Asked]:
    """Note what the trees would weigh, and let neither rules nor trees answer."""
    asked: Asked = []

    def noted(question: str, told: Sequence[Told], sought: Any, people: Any) -> None:
        asked.append((told, signs(question, told, sought, people)))

    with (
        mock.patch.object(recollect, "bearing", noted),
        mock.patch.object(recollect, "_best", return_value=None),
    ):
        yield asked


def _first(
    asked: Asked, source: Source, question: str, right: Callable[[str], bool], *, answerable: bool
) -> list[Heard]:
    """The first weighing of a question; none where it came to none."""
    for told, table in asked:
        return [
            Heard(
                source=source,
                question=question,
                table=table,
                right=np.array([right(each.text) for each in told]),
                answerable=answerable,
            )
        ]
    return []


def _conversation(
    source: Source,
    told: Sequence[str],
    questions: Sequence[tuple[str, Callable[[str], bool] | None]],
    settings: Settings,
) -> list[Heard]:
    """Tell all of it, and ask the next day; a question comes with what answers it."""
    found: list[Heard] = []
    clock = ManualClock()
    with (
        _listening() as asked,
        tempfile.TemporaryDirectory(prefix="astraweave-") as folder,
        World.open(Path(folder) / "slot", settings=settings, seed=source[1], clock=clock) as world,
    ):
        tam = world.npc(COMPANION, persona=COMPANION)
        for line in told:
            clock.advance(_MINUTE_S)
            tam.say(line, speaker="player").wait()
        clock.advance(_DAY_S)
        for question, answers in questions:
            clock.advance(_MINUTE_S)
            asked.clear()
            tam.say(question, speaker="player").wait()
            right = answers or (lambda _: False)
            found += _first(asked, source, question, right, answerable=answers is not None)
    return found


def _life(number: int, settings: Settings) -> list[Heard]:
    life: Life = lives()[number]
    told = life.told

    def answers(evidence: tuple[int, ...]) -> Callable[[str], bool] | None:
        return (lambda text: closest(text, told) in evidence) if evidence else None

    source: Source = ("life", number)
    spent = {place for question in life.questions for place in question.evidence}
    bare = [line for place, line in enumerate(told) if place not in spent]
    known = [(q.q, answers(q.evidence)) for q in life.questions]
    unknown = [(q.q, None) for q in life.questions if q.evidence]
    return _conversation(source, told, known, settings) + _conversation(
        source, bare, unknown, settings
    )


def _sitting(seed: int, settings: Settings) -> list[Heard]:
    drawn = sittings.draw(seed)

    def answers(fact: str) -> Callable[[str], bool]:
        return lambda text: drawn.first[closest(text, drawn.first)] == fact

    source: Source = ("sitting", seed)
    facts = {q.fact for q in drawn.questions if q.answerable}
    bare = [line for line in drawn.first if line not in facts]
    known = [(q.question, answers(q.fact) if q.answerable else None) for q in drawn.questions]
    unknown = [(q.question, None) for q in drawn.questions if q.answerable]
    return _conversation(source, drawn.first, known, settings) + _conversation(
        source, bare, unknown, settings
    )


def _saga(seed: int, settings: Settings) -> list[Heard]:
    found: list[Heard] = []
    source: Source = ("saga", seed)
    take = companion._Player._take
    with _listening() as asked:

        def listened(player: Any, number: int, step: Any, npc: Any) -> None:
            asked.clear()
            take(player, number, step, npc)
            item = step.item
            if item is None or step.to != COMPANION or item.held_out or item.holds is not None:
                return

            def answers(text: str) -> bool:
                return bool(item.expected) and companion.judge(item, text).correct

            found.extend(
                _first(asked, source, item.question, answers, answerable=bool(item.expected))
            )

        with mock.patch.object(companion._Player, "_take", listened):
            companion.play(draw_saga(seed), settings)
    return found


_READERS: dict[str, Callable[[int, Settings], list[Heard]]] = {
    "life": _life,
    "sitting": _sitting,
    "saga": _saga,
}


def _read(source: Source, settings: Settings) -> list[Heard]:
    return _READERS[source[0]](source[1], settings)


def gathered(sources: Sequence[Source], settings: Settings) -> list[Heard]:
    """What all sources give; takes seconds each, on all processors."""
    with ProcessPoolExecutor() as workers:
        each = workers.map(partial(_read, settings=settings), sources)
        return [heard for some in each for heard in some]


def fit(heard: Sequence[Heard]) -> Any:
    """Boosted trees over all memories of all questions."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    trees = HistGradientBoostingClassifier(
        max_iter=_TREES,
        learning_rate=_RATE,
        max_leaf_nodes=_LEAVES,
        min_samples_leaf=_LEAST_ROWS,
        l2_regularization=1.0,
        early_stopping=False,
        monotonic_cst=[(sign in _FOR) - (sign in _AGAINST) for sign in SIGNS],
        random_state=0,
    )
    return trees.fit(
        np.concatenate([each.table for each in heard]),
        np.concatenate([each.right for each in heard]),
    )


def export(fitted: Any) -> dict[str, Any]:
    """The trees as plain arrays, as `astraweave.dialogue.bearing.Trees` takes them."""
    every = [stage[0].nodes for stage in fitted._predictors]
    nodes = np.concatenate(every)
    leaf = nodes["is_leaf"].astype(bool)
    sizes = np.array([len(each) for each in every])
    return {
        "feature": np.where(leaf, -1, nodes["feature_idx"]).astype(np.int16),
        "left": nodes["left"].astype(np.int16),
        "right": nodes["right"].astype(np.int16),
        "bound": nodes["num_threshold"].astype(np.float64),
        "value": np.where(leaf, nodes["value"], 0.0).astype(np.float64),
        "roots": np.concatenate([[0], sizes.cumsum()[:-1]]).astype(np.int32),
        "base": float(fitted._baseline_prediction.ravel()[0]),
    }


def _trees(fitted: Any) -> Trees:
    return Trees(**export(fitted))


def _tell(name: str, heard: Sequence[Heard], trees: Sequence[Trees]) -> None:
    """How many questions are answered rightly and wrongly, by how sure one has to be."""
    chances = [tree.chances(each.table) for each, tree in zip(heard, trees, strict=True)]
    answerable = sum(each.answerable for each in heard)
    for enough in (0.5, 0.6, 0.7, 0.8, 0.9):
        best = [(c.argmax(), c.max() >= enough) for c in chances]
        right = sum(bool(s and e.right[i]) for e, (i, s) in zip(heard, best, strict=True))
        wrong = sum(
            bool(s and e.answerable and not e.right[i])
            for e, (i, s) in zip(heard, best, strict=True)
        )
        false = sum(bool(s and not e.answerable) for e, (_, s) in zip(heard, best, strict=True))
        mark = " <- shipped" if enough == ENOUGH else ""
        print(  # noqa: T201
            f"{name:8} from {enough:.1f}: {right / max(answerable, 1):6.1%} right, {wrong} by the "
            f"wrong memory; {false / max(len(heard) - answerable, 1):6.2%} of "
            f"{len(heard) - answerable} without an answer answered{mark}"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Gather, cross-validate over the lives, fit on everything, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", nargs="?", type=Path, default=Path("bearing.npz"))
    arguments = parser.parse_args(argv)
    settings = msgspec.structs.replace(Settings.from_environment(), model="none")
    sources: list[Source] = [("life", number) for number in range(len(lives()))]
    sources += [("sitting", seed) for seed in _SITTINGS] + [("saga", seed) for seed in _SAGAS]
    hashed = msgspec.structs.replace(settings, embedder="mock")
    fewer = [
        *(source for source in sources if source[0] == "life"),
        *(s for kind, n in _HASHED.items() for s in [x for x in sources if x[0] == kind][:n]),
    ]
    heard = gathered(sources, settings) + gathered(fewer, hashed)
    own = [each for each in heard if each.source[0] == "life"]
    folds = [
        _trees(fit([e for e in heard if e.source[0] != "life" or e.source[1] % _FOLDS != fold]))
        for fold in range(_FOLDS)
    ]
    _tell("lives", own, [folds[each.source[1] % _FOLDS] for each in own])
    fitted = fit(heard)
    for kind in ("sitting", "saga"):
        some = [each for each in heard if each.source[0] == kind]
        _tell(f"{kind}s, seen", some, [_trees(fitted)] * len(some))
    table = np.concatenate([each.table for each in heard[:200]])
    ours, theirs = _trees(fitted).chances(table), fitted.predict_proba(table)[:, 1]
    if not np.allclose(ours, theirs, atol=1e-9):
        raise AssertionError("the exported trees do not say what the fitted ones say")
    np.savez_compressed(arguments.out, signs=np.array(SIGNS), **export(fitted))
    print(f"wrote {arguments.out}: {len(heard)} questions, {len(SIGNS)} signs")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
