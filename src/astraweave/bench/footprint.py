"""What a world with both default models costs: time, memory, and what a game ships."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from astraweave.bench.case import Case, Figures, Unavailable, case
from astraweave.bench.start import MEMORY_SCRIPT, TIME_SCRIPT, in_turns
from astraweave.core.settings import DEFAULT_EMBEDDER, DEFAULT_MODEL
from astraweave.errors import AstraweaveError
from astraweave.models import ModelFiles, ModelStore

__all__ = ["CASES", "wanted_models"]

_ROUNDS = 3
_OPEN = """
import tempfile
with tempfile.TemporaryDirectory(prefix="astraweave-") as folder:
    import astraweave
    settings = astraweave.Settings.from_environment(
        model={model!r}, embedder={embedder!r}, offline=True
    )
    world = astraweave.World.open(folder, settings=settings)
    assert not world.notices, world.notices
"""
# A line is asked for, so that what is loaded with the first use (memory for the prompt) counts too.
_SPEAK = """
    world.npc("tam", persona="tam").say("Good morning! How is the forge today?").wait()
"""


def wanted_models(*model_ids: str) -> tuple[ModelFiles, ...]:
    """The files of these models.

    Raises
    ------
    Unavailable
        One of them is not on this machine; benchmarks fetch nothing.
    """
    store = ModelStore()
    try:
        return tuple(store.ensure(model_id, offline=True) for model_id in model_ids)
    except AstraweaveError as error:
        raise Unavailable(f"{error}") from None


def _opening() -> str:
    wanted_models(DEFAULT_MODEL, DEFAULT_EMBEDDER)
    return _OPEN.format(model=DEFAULT_MODEL, embedder=DEFAULT_EMBEDDER)


@case("world.open_ms", unit="ms")
def open_time() -> Figures:
    """Import and open an empty world with both models, in a fresh process; files in the cache."""
    (ours,) = in_turns(TIME_SCRIPT, _opening(), rounds=_ROUNDS)
    return Figures(ours=ours)


@case("world.open_rss", unit="MB")
def open_memory() -> Figures:
    """Peak resident memory of a process that opened such a world and was answered one line."""
    if sys.platform == "win32":
        raise Unavailable("peak memory of a process is not read on Windows")
    (ours,) = in_turns(MEMORY_SCRIPT, _opening() + _SPEAK, rounds=_ROUNDS)
    return Figures(ours=ours)


@case("world.bundle", unit="MB")
def bundle_size() -> Figures:
    """What `astraweave models bundle` writes for both models."""
    wanted_models(DEFAULT_MODEL, DEFAULT_EMBEDDER)
    with tempfile.TemporaryDirectory(prefix="astraweave-") as folder:
        out = ModelStore().bundle((DEFAULT_MODEL, DEFAULT_EMBEDDER), Path(folder) / "bundle")
        size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return Figures(ours=size / 1e6)


CASES: tuple[Case, ...] = (open_time, open_memory, bundle_size)
