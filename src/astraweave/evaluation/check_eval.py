"""How well the output check judges raw lines: the labelled ones, through what production runs.

``astraweave eval check [--json]`` prints what would have been shown and should
not (misses, as a share of the bad lines), and what was good and refused (false alarms).
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from astraweave.core.rng import RandomStreams
from astraweave.core.settings import DEFAULT_EMBEDDER, DEFAULT_MODEL, Settings
from astraweave.dialogue import DialogueGenerator, Judge, Moment, Verdict, moment_of
from astraweave.embeddings import EmbeddingClient
from astraweave.evaluation.raw_lines import RawLine, Scene, labelled_lines, scenes, situation_of

__all__ = ["CheckReport", "Judged", "evaluate_check", "judged_lines", "report_check"]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A labelled line and what the judge said."""

    line: RawLine
    verdict: Verdict


class CheckReport(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over labelled lines.

    Attributes
    ----------
    bad, good : int
        Lines labelled so.
    missed : int
        Bad ones that would be shown.
    false_alarms : int
        Good ones that were refused.
    missed_by_label : dict of str to int
        Missed ones by what is wrong with them.
    bad_by_label : dict of str to int
        All bad ones so.
    refused_by_reason : dict of str to tuple of int
        Bad and good lines refused for a reason; a line can have several.
    """

    bad: int
    good: int
    missed: int
    false_alarms: int
    missed_by_label: dict[str, int]
    bad_by_label: dict[str, int]
    refused_by_reason: dict[str, tuple[int, int]]

    @property
    def miss_rate(self) -> float:
        """Share of the bad lines that would be shown."""
        return self.missed / max(1, self.bad)

    @property
    def false_alarm_rate(self) -> float:
        """Share of the good lines that were refused."""
        return self.false_alarms / max(1, self.good)


def judged_lines(
    lines: Sequence[RawLine],
    embedder: EmbeddingClient | None = None,
    *,
    chosen: Iterable[Scene] | None = None,
    judge: Judge | None = None,
    certain: bool = True,
) -> list[Judged]:
    """Each line as the judge of production sees it in its moment.

    Parameters
    ----------
    lines : sequence of RawLine
        Judged by hand.
    embedder : EmbeddingClient, optional
        The world's; without one the judge goes by words alone.
    chosen : iterable of Scene, optional
        Where the lines come from; by default the measured scenes.
    judge : Judge, optional
        By default the one of the default model, from which the lines are.
    certain : bool
        Whether the judge is told how likely the model found its words; not every model tells.
    """
    generator = DialogueGenerator(embedder=embedder)
    judge = Judge.of(DEFAULT_MODEL, embedder) if judge is None else judge
    moments: dict[tuple[str, str], Moment] = {}
    for scene in scenes() if chosen is None else chosen:
        for utterance in scene.utterances:
            rng = RandomStreams(0)[f"{scene.persona.id}/{utterance}"]
            situation = situation_of(scene, utterance, rng)
            plan = generator.planner(scene.persona).plan(situation)
            plan.opening = ""  # the line has its own
            moments[scene.persona.id, utterance] = moment_of(situation, plan)
    found = []
    for line in lines:
        moment = moments[line.character, line.utterance].opened(line.begun)
        verdict = judge.judge(
            line.piece,
            moment,
            line=line.opening,
            drafted=line.opening.removeprefix(line.begun),
            certainty=line.certainty if certain else None,
        )
        found.append(Judged(line=line, verdict=verdict))
    return found


def evaluate_check(judged: Iterable[Judged]) -> CheckReport:
    """Count misses and false alarms."""
    labels, missed = Counter[str](), Counter[str]()
    bad_reasons, good_reasons = Counter[str](), Counter[str]()
    good = alarms = 0
    for each in judged:
        if each.line.ok:
            good += 1
            alarms += not each.verdict.passed
            good_reasons.update(each.verdict.reasons)
        else:
            labels[each.line.why] += 1
            missed[each.line.why] += each.verdict.passed
            bad_reasons.update(each.verdict.reasons)
    reasons = sorted({*bad_reasons, *good_reasons})
    return CheckReport(
        bad=labels.total(),
        good=good,
        missed=missed.total(),
        false_alarms=alarms,
        missed_by_label=dict(sorted(missed.items())),
        bad_by_label=dict(sorted(labels.items())),
        refused_by_reason={r: (bad_reasons[r], good_reasons[r]) for r in reasons},
    )


def as_document(report: CheckReport) -> dict[str, object]:
    """The report as JSON has it."""
    rates = {"miss_rate": report.miss_rate, "false_alarm_rate": report.false_alarm_rate}
    return {**msgspec.to_builtins(report), **rates}


def report_check(options: argparse.Namespace) -> int:
    """Print what `evaluate_check` finds on the labelled lines; see ``astraweave eval check``."""
    embedder: EmbeddingClient | None = None
    if not (options.words_only or options.rules_only):
        from astraweave.embeddings import OnnxEmbedder
        from astraweave.models import ModelStore

        embedder = OnnxEmbedder(ModelStore(Settings.from_environment()).ensure(DEFAULT_EMBEDDER))
    judge = Judge() if options.rules_only else None
    halves = [options.half] if options.half else ["tuning", "held_out"]
    reports = {}
    for half in halves:
        lines = labelled_lines(held_out=half == "held_out")
        reports[half] = evaluate_check(judged_lines(lines, embedder, judge=judge))
    if options.json:
        found = {half: as_document(report) for half, report in reports.items()}
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    else:
        for half, report in reports.items():
            sys.stdout.write("\n".join(_table(half, report)) + "\n")
    return 0


def _table(half: str, report: CheckReport) -> Iterable[str]:
    yield (
        f"{half}: misses {report.missed} of {report.bad} ({report.miss_rate:.1%}), false alarms"
        f" {report.false_alarms} of {report.good} ({report.false_alarm_rate:.1%})"
    )
    for label, count in report.bad_by_label.items():
        yield f"  labelled {label:<14} {report.missed_by_label.get(label, 0):>4} missed of {count}"
    for reason, (bad, good) in report.refused_by_reason.items():
        yield f"  refused as {reason:<14} {bad:>4} bad {good:>4} good"
