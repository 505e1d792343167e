"""The parser, and the way from an error of ours to one line and an exit code."""

from __future__ import annotations

import argparse
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TextIO

import astraweave
from astraweave.cli.console import warn
from astraweave.errors import AstraweaveError

__all__ = ["main"]

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0: done; 1: the run found something wrong; 2: it could not run; 130: Ctrl-C.
    """
    arguments = _parser().parse_args(argv)
    try:
        with _friendly_warnings():
            command: Command = import_module(f"astraweave.cli.{arguments.module}").run
            return command(arguments)
    except AstraweaveError as error:
        print(f"astraweave: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our output went away (`| head`)
        sys.stderr.close()
        return 0


@contextmanager
def _friendly_warnings() -> Iterator[None]:
    """Say our own warnings in one line, each once; Python's form is for those who write code."""
    usual = warnings.showwarning
    said: set[str] = set()

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if not category.__module__.startswith("astraweave."):
            usual(message, category, filename, lineno, file, line)
        elif (text := " ".join(str(message).split())) not in said:
            said.add(text)
            warn(text)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = usual


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="astraweave", description="Characters that remember, on the player's own machine."
    )
    parser.add_argument("--version", action="version", version=astraweave.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, module: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(module=module)
        return command

    demo = add("demo", "demo", "Meet Tam the smith twice; the second time he remembers the first.")
    demo.add_argument("--seed", type=int, default=1, help="draws what is talked about (default 1)")
    demo.add_argument(
        "--turns", type=int, default=40, metavar="N", help="turns of the first sitting"
    )
    demo.add_argument("--save", type=Path, metavar="DIR", help="keep the save here")
    demo.add_argument("--json", action="store_true", help="print one object at the end")
    demo.add_argument("--sitting", type=int, choices=(1, 2), help=argparse.SUPPRESS)
    demo.add_argument("--result", type=Path, help=argparse.SUPPRESS)
    demo.add_argument("--without", action="append", default=[], help=argparse.SUPPRESS)

    talk = add("talk", "talk", "Talk with a character; Ctrl-C or an empty line ends it.")
    talk.add_argument(
        "--persona",
        metavar="FILE",
        default="tam",
        help="a persona's TOML file, or a built-in name (default tam)",
    )
    talk.add_argument("--save", type=Path, metavar="DIR", help="where it remembers you")
    talk.add_argument("--recover", action="store_true", help="also what a crash left unsaved")

    models = add("models", "models", "Weights: what there is, fetch, verify, bundle for shipping.")
    actions = models.add_subparsers(required=True, metavar="ACTION", dest="action")
    for action, text in (
        ("list", "models of the registry and whether they are here"),
        ("fetch", "download, check and convert"),
        ("verify", "check every file against its checksum"),
        ("bundle", "write what a game ships"),
    ):
        sub = actions.add_parser(action, help=text, description=text)
        sub.add_argument("--json", action="store_true", help="for scripts")
        if action != "list":
            sub.add_argument("ids", nargs="*", metavar="ID", help="default: the default models")
        if action == "bundle":
            sub.add_argument("--out", type=Path, required=True, metavar="DIR")

    voices = add("voices", "voices", "How characters say things: check a voice, look at its lines.")
    kinds = voices.add_subparsers(required=True, metavar="ACTION", dest="action")
    text = "what is missing or wrong in a voice, by file and line"
    lint = kinds.add_parser("lint", help=text, description=text)
    lint.add_argument("which", nargs="*", metavar="FILE|NAME", help="default: the built-in voices")
    lint.add_argument("--json", action="store_true", help="for scripts")
    text = "lines of each act, as they would be spoken"
    show = kinds.add_parser("show", help=text, description=text)
    show.add_argument("which", metavar="FILE|NAME")
    show.add_argument("--act", metavar="ACT", help="all lines of one act, with their conditions")
    show.add_argument("--seed", type=int, default=1, help="draws the lines (default 1)")
    show.add_argument("--json", action="store_true", help="for scripts")

    doctor = add("doctor", "doctor", "What this machine has, what is missing or slow, and why.")
    doctor.add_argument("--json", action="store_true", help="for scripts")
    doctor.add_argument(
        "--measure",
        action="store_true",
        help="also how fast it decodes, beside what its memory allows (five seconds)",
    )

    evaluate = add("eval", "eval", "Measure how good the answers are, on data of yours.")
    parts = evaluate.add_subparsers(required=True, metavar="WHAT", dest="what")
    text = "whether questions about long conversations find the turns that answer them"
    memory = parts.add_parser("memory", help=text, description=text)
    memory.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="FILE",
        help="conversations with questions in LoCoMo's form, JSON, plain or gzipped",
    )
    memory.add_argument("--json", action="store_true", help="print one object at the end")
    memory.add_argument(
        "--per-question", type=Path, metavar="FILE", help="write what each brought, as JSON lines"
    )

    text = "whether characters of a game find what they are asked for, and only what they can know"
    game = parts.add_parser("game", help=text, description=text)
    game.add_argument("--json", action="store_true", help="print one object at the end")
    game.add_argument(
        "--per-question", type=Path, metavar="FILE", help="write what each brought, as JSON lines"
    )

    text = "whether the check keeps a model's bad lines out and lets the good ones pass"
    check = parts.add_parser("check", help=text, description=text)
    check.add_argument("--json", action="store_true", help="print one object at the end")
    check.add_argument("--words-only", action="store_true", help="without the embedding model")
    check.add_argument("--rules-only", action="store_true", help="without the fitted weights")
    check.add_argument("--half", choices=("tuning", "held_out"), help="only one half")

    bench = add("bench", "bench", "Measure on this machine.")
    bench.add_argument(
        "what",
        nargs="?",
        default="all",
        choices=("all", "frame", "memory", "dialogue", "companion", "serving"),
        help="all: the short cases (default); frame: a 60 Hz loop beside a thinking character; "
        "memory: finding among 10,000 memories; dialogue: how long a player waits; "
        "companion: what is remembered of twenty sittings; "
        "serving: many characters at one model, and the road there",
    )
    bench.add_argument("--json", action="store_true", help="print one JSON document")
    bench.add_argument(
        "--only", metavar="NAME", help="cases or parts whose names begin so (all, serving)"
    )
    bench.add_argument(
        "--data",
        type=Path,
        metavar="FILE.npy",
        help="search your own vectors, a 2-d float array: its last tenth (1,000 at most) are the "
        "queries (all)",
    )
    bench.add_argument(
        "--metric",
        choices=("cosine", "dot", "l2"),
        default="cosine",
        help="how nearness is measured in --data (default cosine)",
    )
    bench.add_argument(
        "--plot",
        type=Path,
        metavar="FILE.png",
        help="where to draw recall against queries a second (all; a run of all cases draws "
        "astraweave-bench.png)",
    )
    bench.add_argument(
        "--frames",
        type=int,
        metavar="N",
        help="frames of each kind (frame; default 20000), beside a thinking town (serving; 3000)",
    )
    bench.add_argument(
        "--seconds", type=float, default=10.0, metavar="S", help="of steady load (serving)"
    )
    bench.add_argument(
        "--llama-server",
        type=Path,
        metavar="PROGRAM",
        help="llama.cpp's server, measured beside our decoding with the model of --gguf (serving)",
    )
    bench.add_argument("--gguf", type=Path, metavar="FILE", help="its model (serving)")
    bench.add_argument(
        "--crowd",
        type=int,
        default=1_000,
        metavar="N",
        help="characters with a thousand memories each (memory)",
    )
    bench.add_argument("--turns", type=int, default=200, metavar="N", help="turns (dialogue)")
    bench.add_argument(
        "--seed", type=int, default=1, help="draws what is said (dialogue, companion)"
    )
    bench.add_argument(
        "--seeds",
        type=int,
        default=1,
        metavar="K",
        help="so many seeds, from --seed on (companion)",
    )
    bench.add_argument("--without", choices=("model",), help="composed lines only (companion)")
    bench.add_argument(
        "--transcript", type=Path, metavar="FILE", help="write down all that is said (companion)"
    )
    return parser
