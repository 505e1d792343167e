"""`astraweave demo`: meet Tam the smith twice; the second time he remembers the first.

Each sitting runs in a process of its own, with only the save between them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from astraweave.bench.loop import quantile
from astraweave.bench.meeting import LineRecord, SittingReport, hold_sitting
from astraweave.bench.sittings import Scenario, draw, score
from astraweave.cli.console import Console, warn
from astraweave.core.clock import ManualClock
from astraweave.core.settings import Settings
from astraweave.errors import AstraweaveError
from astraweave.world import World

__all__ = ["run"]

NPC = "tam"
DAY_S = 24 * 3600.0


def run(arguments: argparse.Namespace) -> int:
    """Run both sittings, or (in the child process) one of them."""
    console = Console(quiet=arguments.json)
    scenario = draw(arguments.seed, turns=arguments.turns)
    if arguments.sitting:
        report = _sit(console, scenario, arguments)
        arguments.result.write_bytes(msgspec.json.encode(report))
        return 0
    arguments.without = _fetch(console)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="astraweave-")))
        slot = arguments.save or folder / "slot"
        console.say(f"Seed {arguments.seed}. Two sittings, each a process of its own.", style="dim")
        first = _sit_in_a_process(arguments, 1, slot, folder)
        console.say()
        second = _sit_in_a_process(arguments, 2, slot, folder)
    summary = _summary(arguments.seed, scenario, first, second)
    _print_summary(console, summary)
    if arguments.json:
        print(json.dumps(summary, indent=2))
    return 0


def _fetch(console: Console) -> list[str]:
    """Get the weights before the clock runs; returns the models that the demo goes on without."""
    settings = Settings.from_environment()
    wanted = settings.registry_models
    if not wanted:
        return []
    from astraweave.models import ModelStore

    missing = []
    for model_id in wanted:
        try:
            with console.progress() as progress:
                ModelStore(settings).ensure(model_id, progress)
        except AstraweaveError as error:
            missing.append(model_id)
            warn(f"{error}; the demo goes on without {model_id}")
    return missing


def _sit_in_a_process(
    arguments: argparse.Namespace, sitting: int, slot: Path, folder: Path
) -> SittingReport:
    result = folder / f"sitting{sitting}.json"
    command = [sys.executable, "-m", "astraweave.cli", "demo", "--sitting", str(sitting)]
    command += ["--seed", str(arguments.seed), "--turns", str(arguments.turns)]
    command += ["--save", str(slot), "--result", str(result)]
    for model_id in arguments.without:
        command += ["--without", model_id]
    if arguments.json:
        command.append("--json")
    subprocess.run(command, check=True)  # noqa: S603 - ourselves, with checked arguments
    return msgspec.json.decode(result.read_bytes(), type=SittingReport)


def _sit(console: Console, scenario: Scenario, arguments: argparse.Namespace) -> SittingReport:
    titles = {1: "The first sitting", 2: "The second sitting, a day later: a new process, one save"}
    sitting: int = arguments.sitting
    console.say(titles[sitting], style="bold")
    utterances = scenario.first if sitting == 1 else tuple(q.question for q in scenario.questions)
    clock = ManualClock(DAY_S * (sitting - 1))
    settings = _settings(arguments.without)
    with World.open(arguments.save, settings=settings, seed=arguments.seed, clock=clock) as world:
        clock.set(DAY_S * (sitting - 1))
        npc = world.npc(NPC, persona=NPC)
        name = npc.persona.name.split()[0]

        def said(text: str) -> None:
            clock.advance(60.0)
            console.say("you  ", style="bold cyan", end="")
            console.say(text)
            console.say(f"{name}  ", style="bold yellow", end="")

        def line(record: LineRecord) -> None:
            console.say()
            if sitting == 2 and record.memories:
                console.say(f"     remembered: {' | '.join(record.memories)}", style="dim italic")

        report = hold_sitting(
            world,
            npc,
            utterances,
            on_said=said,
            on_text=lambda text: console.say(text, end=""),
            on_line=line,
        )
        world.save()
    return report


def _settings(without: list[str]) -> Settings:
    settings = Settings.from_environment()
    return msgspec.structs.replace(
        settings,
        model="none" if settings.model in without else settings.model,
        embedder="mock" if settings.embedder in without else settings.embedder,
    )


def _summary(
    seed: int, scenario: Scenario, first: SittingReport, second: SittingReport
) -> dict[str, Any]:
    lines = first.lines + second.lines
    questions = []
    by_tier: dict[str, Counter[str]] = {}
    for question, record in zip(scenario.questions, second.lines, strict=True):
        verdict = score(record.line, question)
        tier = _answering_tier(record, question)
        by_tier.setdefault(tier, Counter())["right" if verdict.correct else "wrong"] += 1
        questions.append(
            {
                "question": question.question,
                "kind": question.kind,
                "expected": question.expected,
                "line": record.line,
                "memories": list(record.memories),
                "tier": tier,
                "tiers": list(record.tiers),
                "correct": verdict.correct,
                "why": verdict.why,
            }
        )
    first_word = sorted(record.first_word_ms for record in lines)
    whole_line = sorted(record.line_ms for record in lines)
    clause = sorted(r.model_first_clause_ms for r in lines if r.model_first_clause_ms is not None)
    model_line = sorted(r.model_line_ms for r in lines if r.model_line_ms is not None)
    decode_s = (first.decode_ms + second.decode_ms) / 1e3
    tokens = first.completion_tokens + second.completion_tokens
    return {
        "seed": seed,
        "recall": sum(bool(q["correct"]) for q in questions) / len(questions),
        "recall_by_tier": {tier: dict(counts) for tier, counts in by_tier.items()},
        "turns": len(lines),
        "first_word_ms_p50": quantile(first_word, 0.5),
        "first_word_ms_p95": quantile(first_word, 0.95),
        "line_ms_p50": quantile(whole_line, 0.5),
        "line_ms_p95": quantile(whole_line, 0.95),
        "model_first_clause_ms_p95": quantile(clause, 0.95) if clause else None,
        "model_line_ms_p95": quantile(model_line, 0.95) if model_line else None,
        "tokens_per_s": tokens / decode_s if decode_s else 0.0,
        "tick_us_p50": max(first.frames.tick_us_p50, second.frames.tick_us_p50),
        "tick_us_p99": max(first.frames.tick_us_p99, second.frames.tick_us_p99),
        "tick_us_p999": max(first.frames.tick_us_p999, second.frames.tick_us_p999),
        "frames": first.frames.frames + second.frames.frames,
        "frames_late": first.frames.late + second.frames.late,
        "tiers": dict(Counter(first.tiers) + Counter(second.tiers)),
        "drafted": sum(record.drafted for record in lines),
        "passed": sum(record.passed for record in lines),
        "shown": sum(record.shown for record in lines),
        "model": second.model,
        "provider": second.provider,
        "rss_mb": max(first.rss_mb, second.rss_mb),
        "questions": questions,
    }


def _answering_tier(record: LineRecord, question: Any) -> str:
    """The tier of the clause that answers; of the whole line where no single clause does."""
    for tier, clause in zip(record.tiers, record.clauses, strict=True):
        if score(clause, question).correct:
            return tier
    return record.tiers[0] if len(set(record.tiers)) == 1 else "mixed" if record.tiers else "none"


def _print_summary(console: Console, summary: dict[str, Any]) -> None:
    right = sum(question["correct"] for question in summary["questions"])
    console.say()
    asked = len(summary["questions"])
    console.say(f"He answered {right} of {asked} questions rightly.", style="bold")
    for question in summary["questions"]:
        if not question["correct"]:
            console.say(f"  wrong: {question['question']}  ({question['why']})", style="red")
    tiers = ", ".join(f"{count} {tier}" for tier, count in summary["tiers"].items())
    rows = [
        (label, *(f"{summary[f'{key}_{q}']:.0f} {unit}" for q in quantiles))
        for label, key, unit, quantiles in (
            ("time to the first word", "first_word_ms", "ms", ("p50", "p95")),
            ("time to the whole line", "line_ms", "ms", ("p50", "p95")),
            ("world.tick (median, 99 %)", "tick_us", "us", ("p50", "p99")),
        )
    ]
    console.table("What it cost", ("", "median", "95 %"), rows)
    console.say(f"clauses shown: {tiers or 'none'}; the model wrote {summary['drafted']},")
    console.say(
        f"  of which {summary['passed']} passed the check and {summary['shown']} were shown"
    )
    console.say(f"model: {summary['model']} ({summary['provider'] or 'not loaded'}),")
    console.say(f"  {summary['tokens_per_s']:.0f} tokens/s, {summary['rss_mb']:.0f} MB at most")
    console.say(f"60 Hz loop: {summary['frames']} frames, {summary['frames_late']} late")
