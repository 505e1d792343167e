"""Saves, loads, hashes and replays of a world with ten thousand memories."""

from __future__ import annotations

import json
import math
import statistics
import sys
import tempfile
import zlib
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.bench.bars import Bar
from astraweave.bench.case import Case, Figures, case
from astraweave.core.clock import ManualClock, monotonic_ns
from astraweave.core.settings import Settings
from astraweave.embeddings import MockEmbeddingClient
from astraweave.rag import Memory, MemoryChanges
from astraweave.world import World
from astraweave.world.events import MemoriesChanged
from astraweave.world.keeper import Keeper
from astraweave.world.ledger import Ledger

__all__ = ["CASES", "TimelineFigures", "measure_timeline"]

_SETTINGS = Settings(model="none", embedder="mock")
_DIMENSIONS = 384
_BATCH = 500


class TimelineFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one run measured: medians, and the slowest where a bar asks for it."""

    memories: int
    file_mb: float
    """The file after the first save."""
    first_save_ms: float
    line_save_ms: float
    """A save after one line of dialogue."""
    line_save_slowest_ms: float
    """The slowest of them: the first of a session writes the file anew."""
    line_save_kb: float
    """By how much the file grows with it; the mean of those saves that do not write it anew."""
    load_ms: float
    """Going back to an older save; the slowest."""
    open_ms: float
    """Opening the slot; the slowest."""
    hash_ms: float
    """The hash of the whole state, from nothing; a load does that once."""
    event_us: float
    """An event written, applied and hashed, on the second thread (a `World.put`)."""
    send_us: float
    """What the same costs on the game's thread."""
    empty_tick_us: float
    replay_event_us: float

    @property
    def bars(self) -> tuple[Bar, ...]:
        """What ten thousand memories are held to."""
        return (
            Bar(name="load, slowest", value=self.load_ms, limit=200.0, unit="ms"),
            Bar(name="open, slowest", value=self.open_ms, limit=200.0, unit="ms"),
        )


def measure_timeline(
    folder: Path, *, memories: int = 10_000, owners: int = 20, repeats: int = 24
) -> TimelineFigures:
    """Fill a world with memories whose vectors are drawn, then save, talk, load and replay."""
    line_ms, line_kb, load_ms, open_ms = [], [], [], []
    file = folder / "slot" / "world.aw"
    with _open(folder) as world:
        _fill(world, memories, owners)
        first_ms = _timed(lambda: world.save(name="first"))
        first_mb = file.stat().st_size / 1e6
        for number in range(repeats):
            world.npcs["npc0"].say(f"I have {number} apples and a dog called Biscuit.").wait()
            before = file.stat().st_size
            node = file.stat().st_ino
            line_ms.append(_timed(world.save))
            if file.stat().st_ino == node:
                line_kb.append((file.stat().st_size - before) / 1024)
        saves = world.saves()
        for number in range(min(repeats, 8)):
            chosen = saves[-1 - number % 4].id
            load_ms.append(_timed(partial(world.load, chosen)))
        keeper = world._keeper
        hash_ms = min(world._block(_hash_ms, keeper) for _ in range(3))
        ticks = 2000
        empty_us = _timed(partial(_idle, world, ticks)) / ticks * 1e3
        world._block(int)
        send_us = _timed(partial(_put, world, ticks)) / ticks * 1e3
        event_us = (_timed(lambda: world._block(int)) / ticks * 1e3) + send_us
        world.tick()
        record = world.export_journal(folder / "session.awj")
        replay_us = _timed(lambda: World.replay(record)) / len(record.events) * 1e3
    for _ in range(min(repeats, 8)):
        start = monotonic_ns()
        with _open(folder) as world:
            open_ms.append((monotonic_ns() - start) / 1e6)
    return TimelineFigures(
        memories=memories,
        file_mb=first_mb,
        first_save_ms=first_ms,
        line_save_ms=statistics.median(line_ms),
        line_save_slowest_ms=max(line_ms),
        line_save_kb=statistics.mean(line_kb) if line_kb else math.nan,
        load_ms=max(load_ms),
        open_ms=max(open_ms),
        hash_ms=hash_ms,
        event_us=event_us,
        send_us=send_us,
        empty_tick_us=empty_us,
        replay_event_us=replay_us,
    )


class _Drawn(MockEmbeddingClient):
    """Vectors that do not compress, as those of a model do not."""

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        drawn = [
            np.random.default_rng(zlib.crc32(text.encode())).normal(size=self.dimensions)
            for text in texts
        ]
        units = np.array([each / np.linalg.norm(each) for each in drawn], np.float32)
        return units.reshape(-1, self.dimensions)

    def embed(self, text: str) -> NDArray[np.float32]:
        one: NDArray[np.float32] = self.embed_batch([text])[0]
        return one


def _open(folder: Path) -> World:
    embedder = _Drawn(_DIMENSIONS)
    return World.open(folder / "slot", settings=_SETTINGS, clock=ManualClock(), embedder=embedder)


def _fill(world: World, memories: int, owners: int) -> None:
    for owner in range(owners):
        world.npc(f"npc{owner}", persona="tam")
    keeper = world._keeper
    for begin in range(0, memories, _BATCH):
        put = tuple(
            Memory(
                id=n + 1,
                owner=f"npc{n % owners}",
                text=f"The cart with the number {n} came through gate {n % 7} with salt and wood.",
                speaker="player",
                game_time=float(n),
            )
            for n in range(begin, min(memories, begin + _BATCH))
        )
        event = MemoriesChanged(changes=MemoryChanges(put=put), why="told")
        world._timeline.happen(keeper.happen, event)
    world.tick()
    world._block(_draw_vectors, keeper)


def _draw_vectors(keeper: Keeper) -> None:
    waiting = keeper.store.pending()
    vectors = np.random.default_rng(0).normal(size=(len(waiting), _DIMENSIONS))
    keeper.store.set_vectors(waiting, vectors.astype(np.float32))


def _idle(world: World, ticks: int) -> None:
    for _ in range(ticks):
        world.tick()


def _put(world: World, times: int) -> None:
    for number in range(times):
        world.put("gold", number)


def _hash_ms(keeper: Keeper) -> float:
    return _timed(lambda: Ledger(keeper.slot.state, keeper.store))


def _timed(call: object) -> float:
    assert callable(call), "there is something to time"
    start = monotonic_ns()
    call()
    return (monotonic_ns() - start) / 1e6


@cache
def _figures() -> TimelineFigures:
    with tempfile.TemporaryDirectory(prefix="astraweave-") as folder:
        return measure_timeline(Path(folder))


@case("timeline.load_10k", unit="ms")
def load() -> Figures:
    """The slowest of eight times going back to one of the last saves of 10,000 memories."""
    return Figures(ours=_figures().load_ms)


@case("timeline.save_line", unit="ms")
def save_line() -> Figures:
    """A save of 10,000 memories after one more line; quality: by how many KB the file grows."""
    figures = _figures()
    return Figures(ours=figures.line_save_ms, quality={"kb": figures.line_save_kb})


@case("timeline.event", unit="us")
def event() -> Figures:
    """An event of the game's own: written, applied, hashed and journalled."""
    return Figures(ours=_figures().event_us)


CASES: tuple[Case, ...] = (load, save_line, event)


def main() -> None:
    """``python -m astraweave.bench.timeline``; the figures as JSON."""
    with tempfile.TemporaryDirectory(prefix="astraweave-") as folder:
        figures = measure_timeline(Path(folder))
    sys.stdout.write(json.dumps(msgspec.to_builtins(figures), indent=2) + "\n")


if __name__ == "__main__":
    main()
