"""`astraweave models`: list, fetch, verify, bundle."""

from __future__ import annotations

import argparse
import json
from typing import Any

import msgspec

from astraweave.cli.console import Console
from astraweave.core.settings import Settings
from astraweave.errors import AstraweaveError
from astraweave.inference import precision_for, provider_name
from astraweave.models import ModelStore

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Run one action on the user's cache."""
    console = Console(quiet=arguments.json)
    settings = Settings.from_environment()
    store = ModelStore(settings, precision=precision_for(provider_name(settings.provider)))
    action = {"list": _list, "fetch": _fetch, "verify": _verify, "bundle": _bundle}
    ids = getattr(arguments, "ids", None) or list(settings.registry_models)
    code, result = action[arguments.action](console, store, ids, arguments)
    if arguments.json:
        print(json.dumps(result, indent=2))
    return code


Outcome = tuple[int, Any]


def _list(console: Console, store: ModelStore, _: list[str], __: argparse.Namespace) -> Outcome:
    rows = store.list()
    header = ("id", "task", "licence", "state", "size")
    console.table(
        "Models",
        header,
        [(row.id, row.task, row.licence, row.state, _megabytes(row.size)) for row in rows],
    )
    return 0, msgspec.to_builtins(rows)


def _fetch(console: Console, store: ModelStore, ids: list[str], _: argparse.Namespace) -> Outcome:
    done = []
    with console.progress() as progress:
        for model_id in ids:
            files = store.fetch(model_id, progress)
            done.append({"id": model_id, "directory": str(files.directory)})
    for row in done:
        console.say(f"{row['id']}: ready in {row['directory']}")
    return 0, done


def _verify(console: Console, store: ModelStore, ids: list[str], _: argparse.Namespace) -> Outcome:
    rows = []
    with console.progress() as progress:
        for model_id in ids:
            problem = ""
            try:
                store.verify(model_id, progress)
            except AstraweaveError as error:
                problem = str(error)
            rows.append({"id": model_id, "ok": not problem, "problem": problem})
    for row in rows:
        console.say(f"{row['id']}: {row['problem'] or 'every checksum is right'}")
    return int(any(row["problem"] for row in rows)), rows


def _bundle(
    console: Console, store: ModelStore, ids: list[str], arguments: argparse.Namespace
) -> Outcome:
    with console.progress() as progress:
        store.bundle(ids, arguments.out, progress)
    size = sum(path.stat().st_size for path in arguments.out.rglob("*") if path.is_file())
    console.say(f"{arguments.out}: {_megabytes(size)}, ready to ship")
    return 0, {"directory": str(arguments.out), "bytes": size, "models": ids}


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size else ""
