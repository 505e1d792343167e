"""`astraweave eval`: how good the answers are, on the user's own data."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

from astraweave.cli.console import Console
from astraweave.core.settings import DEFAULT_EMBEDDER, Settings
from astraweave.embeddings.protocol import EmbeddingClient
from astraweave.errors import InputError
from astraweave.evaluation.check_eval import report_check
from astraweave.evaluation.conversation import CATEGORIES, read_conversations
from astraweave.evaluation.game_country import KINDS
from astraweave.evaluation.game_memory import GameReport, evaluate_game
from astraweave.evaluation.memory import MemoryReport, Scores, evaluate_memory

__all__ = ["run"]

Report = TypeVar("Report", MemoryReport, GameReport)

_WAYS = (("ours", "ours"), ("bm25", "BM25 alone"), ("minilm", "MiniLM alone"))


def run(arguments: argparse.Namespace) -> int:
    """Evaluate one thing; prints a table or one JSON object."""
    ways = {"memory": _memory, "game": _game, "check": report_check}
    return ways[arguments.what](arguments)


def _game(arguments: argparse.Namespace) -> int:
    """The characters of a small country."""
    console = Console(quiet=arguments.json)
    embedder = _embedder()
    with console.progress() as progress:
        report = evaluate_game(
            embedder, progress=lambda done, total, what: progress("questions", done, total, what)
        )
    return _told(arguments, console, report, _print_game)


def _memory(arguments: argparse.Namespace) -> int:
    """Long conversations, from a file of the user's."""
    console = Console(quiet=arguments.json)
    conversations = read_conversations(arguments.data)
    if not any(question.evidence for one in conversations for question in one.questions):
        raise InputError(f"no question in {arguments.data} names turns as its evidence")
    embedder = _embedder()
    with console.progress() as progress:
        report = evaluate_memory(
            conversations,
            embedder,
            progress=lambda done, total, what: progress("questions", done, total, what),
        )
    return _told(arguments, console, report, _print)


def _embedder() -> EmbeddingClient:
    """The default embedding model, fetched where it is not there yet."""
    from astraweave.embeddings import OnnxEmbedder
    from astraweave.models import ModelStore

    return OnnxEmbedder(ModelStore(Settings.from_environment()).ensure(DEFAULT_EMBEDDER))


def _told(
    arguments: argparse.Namespace,
    console: Console,
    report: Report,
    show: Callable[[Console, Report], None],
) -> int:
    """Say what was found, as a table or one object, and write each question where that is asked."""
    if arguments.per_question is not None:
        _write_raw(report.answered, arguments.per_question)
    if arguments.json:
        print(json.dumps(report.as_document(), indent=2))
        return 0
    show(console, report)
    if arguments.per_question is not None:
        console.say(f"each question: {arguments.per_question}")
    return 0


def _write_raw(answered: Iterable[msgspec.Struct], path: Path) -> None:
    """One JSON object a line."""
    try:
        with path.open("wb") as file:
            file.writelines(msgspec.json.encode(one) + b"\n" for one in answered)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error}", path=str(path)) from error


def _print_game(console: Console, report: GameReport) -> None:
    rows = [
        (title, "all", str(len(report.questions())), *_hits(report, way)) for way, title in _WAYS
    ]
    rows += [
        ("ours", KINDS[kind], str(len(report.questions(kind))), *_hits(report, "ours", kind))
        for kind in KINDS
        if report.questions(kind)
    ]
    document = report.as_document()
    console.table(
        f"{len(report.answered)} questions, in percent",
        ("search", "about", "questions", "hit@1", "hit@5"),
        rows,
    )
    console.say(
        f"{document['secrets']} questions aim at what the asked cannot know; leaked over all "
        f"questions: {report.leaked}; the answer itself, and not only what leads to it, is among "
        f"the first five for {100.0 * report.answer():.1f} %"
    )
    console.say(
        f"{report.memories} memories; a question took {document['ms_p50']:.1f} ms (p50), "
        f"{document['ms_p95']:.1f} ms (p95), embedding included"
    )


def _hits(report: GameReport, way: str, kind: str | None = None) -> list[str]:
    return [f"{100.0 * report.hit(k, way, kind):.1f}" for k in (1, 5)]


def _print(console: Console, report: MemoryReport) -> None:
    names = [field.encode_name for field in msgspec.structs.fields(Scores)]
    rows = [(title, "all", *_percent(report.scores(way))) for way, title in _WAYS]
    rows += [
        (
            "ours",
            CATEGORIES.get(category, str(category)),
            *_percent(report.scores("ours", category)),
        )
        for category in report.categories()
    ]
    console.table(
        f"{len(report.answered)} questions, in percent", ("search", "questions", *names), rows
    )
    document = report.as_document()
    console.say(
        f"{report.without_evidence} questions without evidence left out; a question took "
        f"{document['ms_p50']:.1f} ms (p50), {document['ms_p95']:.1f} ms (p95), embedding included"
    )


def _percent(scores: Scores) -> list[str]:
    return [f"{100.0 * value:.1f}" for value in msgspec.structs.astuple(scores)]
