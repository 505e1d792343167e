"""Fits the weights by which the output check knows whether a clause belongs where it would stand.

``python -m astraweave.evaluation.train_check --out src/astraweave/dialogue/check/weights.npz``

It learns from the tuning half of the labelled lines, from `tuning_lines` and from `everyday_lines`;
the held-out half is not read. Thresholds come from cross-validation: no line is weighed by weights
that have seen its moment. ``--curve`` shows what other thresholds would do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.core.settings import DEFAULT_EMBEDDER, DEFAULT_MODEL, Settings
from astraweave.dialogue.check._examples import CUE_STEP, VECTOR_STEP, Examples, alike, reduced
from astraweave.dialogue.check._features import FEATURES, features
from astraweave.dialogue.check.fit import PARTS, Fit, FitWeights, beside_vectors, inputs_of
from astraweave.dialogue.check.judge import Judge, Moment
from astraweave.dialogue.train_sentiment import fit
from astraweave.embeddings import EmbeddingClient, OnnxEmbedder
from astraweave.evaluation.check_eval import judged_lines
from astraweave.evaluation.raw_lines import (
    RawLine,
    Scene,
    everyday_lines,
    labelled_lines,
    scenes,
    scenes_of,
    tuning_lines,
)
from astraweave.models import ModelStore

__all__ = ["Sample", "main", "out_of_fold", "samples", "train"]

_FOLDS = 8
_STRENGTHS = dict.fromkeys(PARTS, 20.0)
"""Of the regularisation: the best of 5, 10, 20 and 40 by cross-validation."""
_SMOOTH = 1.5
"""The same for the comparison with judged lines: the best of 1, 1.5, 2 and 4."""
_AXES = 96
"""Directions kept of a vector: fewer cost accuracy in cross-validation, more hardly gain any."""
_NEARNESS_SCALE, _SURE_SPREAD = 3.0, 0.6
_LEAST_SPREAD = 0.1
"""A cue that hardly any line has does not count more for it."""
_MISSES, _MISSES_COMPARED = 0.05, 0.08
"""Share of the bad ones among these lines that may pass, weighed linearly and compared with judged
lines. Rules of form and fact have refused more than half of all bad lines before. Compared, the
tuning half lets less pass than the other lines do (2 of its 85 at 7 %, 4 at 10 %), so that at 8 %
less than 2 % of all its bad lines would be shown."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A line that no rule refuses for sure, and what it is weighed by."""

    line: RawLine
    cues: NDArray[np.float32]
    vectors: tuple[NDArray[np.float32], ...]


class _Noting(Fit):
    """Weighs nothing, and notes what it was to weigh."""

    def __init__(self) -> None:  # reads no weights: they may yet have to be fitted
        self.noted: dict[tuple[str, ...], NDArray[np.float32]] = {}

    def weigh(
        self,
        clause: str,
        moment: Moment,
        line: str,
        faults: Sequence[str],
        certainty: float | None = None,
    ) -> float:
        """Keep the features."""
        key = (moment.persona.id, moment.utterance, line, clause.strip())
        self.noted[key] = features(clause, moment, line, faults)
        return 1.0


def samples(
    embedder: EmbeddingClient, lines: Sequence[RawLine], chosen: Sequence[Scene]
) -> list[Sample]:
    """What reaches the weights of some labelled lines."""
    noting = _Noting()
    judged = judged_lines(lines, chosen=chosen, judge=Judge(noting))
    known: dict[str, NDArray[np.float32]] = {
        "": np.zeros(embedder.model_info.dimensions, np.float32)
    }

    def vector(text: str) -> NDArray[np.float32]:
        if text not in known:
            known[text] = embedder.embed(text)
        return known[text]

    found = []
    for each in judged:
        line, text = each.line, each.verdict.text
        cues = noting.noted.get((line.character, line.utterance, line.opening, text))
        if not each.verdict.passed or cues is None:
            continue
        vectors = tuple(vector(t) for t in (text, line.utterance, line.opening))
        found.append(Sample(line=line, cues=cues, vectors=vectors))
    return found


def _inputs(found: Sequence[Sample], part: str) -> NDArray[np.float64]:
    return np.array(
        [
            inputs_of(
                each.cues,
                each.vectors if part.startswith("vector") else None,
                each.line.certainty if part.endswith("sure") else None,
            )
            for each in found
        ],
        dtype=np.float64,
    )


def _row(
    inputs: NDArray[np.float64], good: NDArray[np.bool_], strength: float
) -> NDArray[np.float64]:
    weights = fit(inputs, good.astype(np.intp), 2, strength)
    return np.asarray(weights[1] - weights[0])


def out_of_fold(found: Sequence[Sample], part: str, strength: float) -> NDArray[np.float64]:
    """The weight of each line by weights that were fitted to lines of other moments."""
    inputs = _inputs(found, part)
    good = np.array([bool(each.line.ok) for each in found])
    fold = _folds(found)
    scores = np.zeros(len(found))
    for held in range(_FOLDS):
        row = _row(inputs[fold != held], good[fold != held], strength)
        scores[fold == held] = inputs[fold == held] @ row[:-1] + row[-1]
    return scores


def _folds(found: Sequence[Sample]) -> NDArray[np.intp]:
    """In which fold each line is: all of a moment in one."""
    moments = {(s.line.character, s.line.utterance): 0 for s in found}
    for place, moment in enumerate(sorted(moments)):
        moments[moment] = place * 5 % _FOLDS
    return np.array([moments[s.line.character, s.line.utterance] for s in found])


def _compared(found: Sequence[Sample]) -> Examples:
    """The lines as they are compared with, all but their fitted numbers."""
    sure = [s.line.certainty for s in found]
    rest = np.array(
        [
            beside_vectors(s.cues, s.vectors, -2.0 if c is None else c)
            for s, c in zip(found, sure, strict=True)
        ],
        dtype=np.float64,
    )
    scale = 1.0 / (rest.std(axis=0) + _LEAST_SPREAD)
    scale[len(FEATURES) :] = [_NEARNESS_SCALE, _NEARNESS_SCALE, 1.0 / _SURE_SPREAD]
    centre = rest.mean(axis=0).astype(np.float16).astype(np.float64)
    scale = scale.astype(np.float16).astype(np.float64)
    clauses = np.array([s.vectors[0] for s in found], dtype=np.float64)
    texts = {s.line.utterance: s.vectors[1] for s in found}
    places = {text: place for place, text in enumerate(texts)}
    answers = np.array([places[s.line.utterance] for s in found], dtype=np.uint16)
    heard = np.array(list(texts.values()), dtype=np.float64)
    both = np.vstack([clauses, heard[answers]])
    _, directions = np.linalg.eigh(both.T @ both)
    axes = directions[:, ::-1][:, :_AXES].astype(np.float16).astype(np.float64)
    return Examples(
        numbers=np.zeros(len(found), dtype=np.float32),
        added=0.0,
        axes=axes.astype(np.float32),
        centre=centre.astype(np.float32),
        scale=scale.astype(np.float32),
        cues=reduced((rest - centre) * scale, CUE_STEP),
        clauses=reduced(clauses @ axes, VECTOR_STEP),
        heard=reduced(heard @ axes, VECTOR_STEP),
        answers=answers,
    )


def _likeness(lines: Examples) -> NDArray[np.float64]:
    """How like each line is to each."""
    cues = lines.cues.astype(np.float32) * np.float32(CUE_STEP)
    clauses = lines.clauses.astype(np.float32) * np.float32(VECTOR_STEP)
    heard = lines.heard.astype(np.float32) * np.float32(VECTOR_STEP)
    near = alike(cues, clauses, heard[lines.answers], (cues, clauses, heard, lines.answers))
    return near.astype(np.float64)


def _numbers(near: NDArray[np.float64], good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """One number for each line, by ridge regression in the space of likeness."""
    return np.linalg.solve(near + _SMOOTH * np.eye(len(near)), good - good.mean())


def _compared_out_of_fold(
    near: NDArray[np.float64], good: NDArray[np.bool_], fold: NDArray[np.intp]
) -> NDArray[np.float64]:
    """As `out_of_fold`, for the comparison with judged lines."""
    scores = np.zeros(len(good))
    for held in range(_FOLDS):
        seen = fold != held
        numbers = _numbers(near[np.ix_(seen, seen)], good[seen])
        scores[~seen] = near[np.ix_(~seen, seen)] @ numbers + good[seen].mean()
    return scores


def _examples(found: Sequence[Sample], good: NDArray[np.bool_], *, curve: bool) -> Examples:
    lines = _compared(found)
    near = _likeness(lines)
    scores = _compared_out_of_fold(near, good, _folds(found))
    threshold = _threshold(scores, good, _MISSES_COMPARED)
    _say(f"compared with judged lines: {_passing(scores, good, threshold)}")
    if curve:
        for share in (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3):
            _say(f"  {_passing(scores, good, _threshold(scores, good, share))}")
    return msgspec.structs.replace(
        lines,
        numbers=_numbers(near, good).astype(np.float16).astype(np.float32),
        added=float(good.mean() - threshold),
    )


def _threshold(scores: NDArray[np.float64], good: NDArray[np.bool_], misses: float) -> float:
    bad = np.sort(scores[~good])[::-1]
    return float(bad[int(len(bad) * misses)])


def _passing(scores: NDArray[np.float64], good: NDArray[np.bool_], threshold: float) -> str:
    return (
        f"cross-validated, {np.mean(scores[~good] > threshold):.1%} of the bad pass,"
        f" {np.mean(scores[good] > threshold):.1%} of the good"
    )


def train(found: Sequence[Sample], embedder: str, *, curve: bool = False) -> FitWeights:
    """Weights with thresholds."""
    good = np.array([bool(each.line.ok) for each in found])
    parts = {}
    for part in PARTS:
        scores = out_of_fold(found, part, _STRENGTHS[part])
        threshold = _threshold(scores, good, _MISSES)
        row = _row(_inputs(found, part), good, _STRENGTHS[part])
        row[-1] -= threshold
        parts[part] = row.astype(np.float16).astype(np.float32)
        _say(f"{part}: {_passing(scores, good, threshold)}")
    examples = _examples(found, good, curve=curve)
    return FitWeights(model=DEFAULT_MODEL, embedder=embedder, parts=parts, examples=examples)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, write the weights, and say how well they do in cross-validation."""
    parser = argparse.ArgumentParser(description="Fits the weights of the output check.")
    parser.add_argument("--out", type=Path, help="where to write them; by default nowhere")
    parser.add_argument("--compare", action="store_true", help="compare strengths")
    parser.add_argument("--curve", action="store_true", help="show other thresholds")
    options = parser.parse_args(arguments)
    embedder = OnnxEmbedder(ModelStore(Settings.from_environment()).ensure(DEFAULT_EMBEDDER))
    found = samples(embedder, labelled_lines(held_out=False), scenes())
    further = tuning_lines()
    measured = {(s.persona.id, u) for s in scenes() for u in s.utterances}
    same = [line for line in further if (line.character, line.utterance) in measured]
    other = [line for line in further if (line.character, line.utterance) not in measured]
    everyday = everyday_lines()
    found += samples(embedder, same, scenes())
    found += samples(embedder, other, scenes("tuning_line_scenes"))
    found += samples(embedder, everyday, scenes_of(everyday))
    _say(
        f"{len(found)} lines, {sum(bool(s.line.ok) for s in found)} good, {len(FEATURES)} features"
    )
    if options.compare:
        _compare(found)
    weights = train(found, embedder.model_info.id, curve=options.curve)
    if options.out is not None:
        options.out.write_bytes(weights.to_bytes())
    return 0


def _compare(found: Sequence[Sample]) -> None:
    good = np.array([bool(each.line.ok) for each in found])
    for part in PARTS:
        for strength in (5.0, 10.0, 20.0, 40.0):
            scores = out_of_fold(found, part, strength)
            bad = np.sort(scores[~good])[::-1]
            at = [bad[int(len(bad) * share)] for share in (0.03, 0.05, 0.08)]
            passed = [np.mean(scores[good] > threshold) for threshold in at]
            _say(f"{part} {strength:g}: " + " ".join(f"{share:.3f}" for share in passed))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
