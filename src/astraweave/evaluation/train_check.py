"""Fits the weights by which the output check knows whether a clause belongs where it would stand.

``python -m astraweave.evaluation.train_check --out src/astraweave/dialogue/check/weights.npz``

It learns from the tuning half of the labelled lines and from `tuning_lines`; the held-out half is
not read. Thresholds come from cross-validation: no line is weighed by weights that have seen its
moment.
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
from astraweave.dialogue.check._features import FEATURES, features
from astraweave.dialogue.check.fit import PARTS, Fit, FitWeights, inputs_of
from astraweave.dialogue.check.judge import Judge, Moment
from astraweave.dialogue.train_sentiment import fit
from astraweave.embeddings import EmbeddingClient, OnnxEmbedder
from astraweave.evaluation.check_eval import judged_lines
from astraweave.evaluation.raw_lines import RawLine, labelled_lines, scenes, tuning_lines
from astraweave.models import ModelStore

__all__ = ["Sample", "main", "out_of_fold", "samples", "train"]

_FOLDS = 8
_STRENGTHS = {"words": 20.0, "words_sure": 20.0, "vector": 20.0, "vector_sure": 20.0}
"""Of the regularisation: the best of 5, 10, 20 and 40 by cross-validation."""
_MISSES = 0.05
"""Share of the bad ones among these lines that may pass. Rules of form and fact have refused more
than half of all bad lines before, so that of all it is about 2 %."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A line that no rule refuses for sure, and what it is weighed by."""

    line: RawLine
    cues: NDArray[np.float32]
    vectors: tuple[NDArray[np.float32], ...]


class _Noting(Fit):
    """Weighs nothing, and notes what it was to weigh."""

    def __init__(self) -> None:
        super().__init__()
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


def samples(embedder: EmbeddingClient, lines: Sequence[RawLine], scene_file: str) -> list[Sample]:
    """What reaches the weights of some labelled lines."""
    noting = _Noting()
    judged = judged_lines(lines, chosen=scenes(scene_file), judge=Judge(noting))
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
    moments = {(s.line.character, s.line.utterance): 0 for s in found}
    for place, moment in enumerate(sorted(moments)):
        moments[moment] = place * 5 % _FOLDS
    fold = np.array([moments[s.line.character, s.line.utterance] for s in found])
    scores = np.zeros(len(found))
    for held in range(_FOLDS):
        row = _row(inputs[fold != held], good[fold != held], strength)
        scores[fold == held] = inputs[fold == held] @ row[:-1] + row[-1]
    return scores


def train(found: Sequence[Sample], embedder: str) -> FitWeights:
    """Weights with thresholds."""
    good = np.array([bool(each.line.ok) for each in found])
    parts = {}
    for part in PARTS:
        scores = out_of_fold(found, part, _STRENGTHS[part])
        bad = np.sort(scores[~good])[::-1]
        threshold = bad[int(len(bad) * _MISSES)]
        row = _row(_inputs(found, part), good, _STRENGTHS[part])
        row[-1] -= threshold
        parts[part] = row.astype(np.float16).astype(np.float32)
        _say(
            f"{part}: cross-validated, {np.mean(scores[~good] > threshold):.1%} of the bad pass,"
            f" {np.mean(scores[good] > threshold):.1%} of the good"
        )
    return FitWeights(model=DEFAULT_MODEL, embedder=embedder, parts=parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, write the weights, and say how well they do in cross-validation."""
    parser = argparse.ArgumentParser(description="Fits the weights of the output check.")
    parser.add_argument("--out", type=Path, help="where to write them; by default nowhere")
    parser.add_argument("--compare", action="store_true", help="compare strengths")
    options = parser.parse_args(arguments)
    embedder = OnnxEmbedder(ModelStore(Settings.from_environment()).ensure(DEFAULT_EMBEDDER))
    found = samples(embedder, labelled_lines(held_out=False), "raw_line_scenes")
    further = tuning_lines()
    measured = {(s.persona.id, u) for s in scenes() for u in s.utterances}
    same = [line for line in further if (line.character, line.utterance) in measured]
    other = [line for line in further if (line.character, line.utterance) not in measured]
    found += samples(embedder, same, "raw_line_scenes")
    found += samples(embedder, other, "tuning_line_scenes")
    _say(
        f"{len(found)} lines, {sum(bool(s.line.ok) for s in found)} good, {len(FEATURES)} features"
    )
    if options.compare:
        _compare(found)
    weights = train(found, embedder.model_info.id)
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
