"""A thousand characters with a thousand memories each: how long they take, and how much memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from astraweave.bench._sentences import made_sentence
from astraweave.bench.bars import Bar
from astraweave.bench.case import Case, Figures, Unavailable, case
from astraweave.bench.meeting import peak_rss_mb
from astraweave.core.clock import ManualClock
from astraweave.core.rng import RandomStreams
from astraweave.embeddings import MockEmbeddingClient
from astraweave.observability import Distribution, Telemetry
from astraweave.rag import Memory, MemoryStore, RagPipeline
from astraweave.world import Slot

__all__ = ["CASES", "CrowdFigures", "default_crowd_figures", "measure_crowd"]

_SCRIPT = """
import sys
from pathlib import Path
import msgspec
from astraweave.bench.crowd import measure_crowd
print(msgspec.json.encode(measure_crowd(Path(sys.argv[1]), owners=int(sys.argv[2]))).decode())
"""
_OPERATIONS_A_COMMIT = 500


class CrowdFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one run measured.

    Attributes
    ----------
    owners, memories : int
        Characters, and memories of all of them when the operations began.
    add, search, forget : Distribution
        Milliseconds of one memory with its vector added, of 5 found for a question whose vector is
        given, and of one forgotten.
    rss_mb : float
        The most that the process held, filling included.
    """

    owners: int
    memories: int
    add: Distribution
    search: Distribution
    forget: Distribution
    rss_mb: float

    @property
    def bars(self) -> tuple[Bar, ...]:
        """What a crowd is held to."""
        return (
            Bar(name="crowd: add p99", value=self.add.p99_ms, limit=0.5, unit="ms"),
            Bar(name="crowd: search p99", value=self.search.p99_ms, limit=2.0, unit="ms"),
            Bar(name="crowd: forget p99", value=self.forget.p99_ms, limit=0.5, unit="ms"),
            Bar(name="crowd: memory", value=self.rss_mb or None, limit=1500.0, unit="MB"),
        )


def measure_crowd(
    folder: Path,
    *,
    owners: int = 1_000,
    memories: int = 1_000,
    operations: int = 10_000,
    dimensions: int = 384,
) -> CrowdFigures:
    """Fill a slot, then add, search and forget at random, 7 : 10 : 3, writing as a slot does.

    Texts are made by rule, vectors drawn (seed 0). To measure memory, call it in a process that has
    done nothing else.

    Parameters
    ----------
    folder : Path
        An empty folder for the slot.
    owners, memories : int
        Characters, and memories of each.
    operations : int
        How many, each of one character drawn at random.
    dimensions : int
        Of a vector.
    """
    chance = RandomStreams(0)["crowd"]
    draw = np.random.default_rng(0)
    telemetry = Telemetry()
    embedder = MockEmbeddingClient(dimensions)
    with Slot.open(folder, clock=ManualClock()) as slot:
        store = MemoryStore(slot.connection, embedder)
        slot.attach(store)
        pipeline = RagPipeline(store, embedder)
        for owner in range(owners):
            stored = store.add_many(
                (_memory(owner, owner * 37 + n, owners) for n in range(memories)), embed=False
            )
            store.set_vectors(stored, draw.standard_normal((memories, dimensions), np.float32))
            slot.commit()
        vectors = draw.standard_normal((256, dimensions), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for n in range(operations):
            owner, kind = chance.randrange(owners), chance.random()
            vector = vectors[n % len(vectors)]
            ids = store.ids(f"npc{owner}")
            if kind < 0.5:
                question = f"Who {made_sentence(owner + n).split(' ', 1)[1]}"
                with telemetry.span("search"):
                    pipeline.retrieve(question, owner=f"npc{owner}", vector=vector)
            elif kind < 0.85 or not len(ids):
                memory = _memory(owner, n, owners)
                with telemetry.span("add"):
                    store.set_vectors([store.add(memory, embed=False)], vector[None])
            else:
                gone = int(ids[chance.randrange(len(ids))])
                with telemetry.span("forget"):
                    store.delete(gone)
            if n % _OPERATIONS_A_COMMIT == 0:
                slot.commit()
    spans = telemetry.spans()
    return CrowdFigures(
        owners=owners,
        memories=owners * memories,
        add=spans["add"],
        search=spans["search"],
        forget=spans["forget"],
        rss_mb=peak_rss_mb(),
    )


def _memory(owner: int, n: int, owners: int) -> Memory:
    me = f"npc{owner}"
    return Memory(
        owner=me,
        text=made_sentence(n),
        speaker="player" if n % 2 else f"npc{(owner + 1) % owners}",
        addressee=me,
        game_time=60.0 * n,
        entities=(made_sentence(n).split(" ", 1)[0].lower(),),
    )


@cache
def default_crowd_figures(owners: int = 1_000) -> CrowdFigures:
    """A thousand memories of each of `owners` characters, in a fresh process; measured once.

    Raises
    ------
    Unavailable
        The process failed, for want of memory most likely.
    """
    with tempfile.TemporaryDirectory(prefix="astraweave-") as folder:
        command = [sys.executable, "-c", _SCRIPT, folder, str(owners)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise Unavailable(f"a fresh process failed: {done.stderr.strip()[-500:]}")
    return msgspec.json.decode(done.stdout, type=CrowdFigures)


@case("memory.crowd_rss", unit="MB", heavy=True)
def crowd_memory() -> Figures:
    """Peak memory of a process with 1,000 characters that have 1,000 memories each."""
    figures = default_crowd_figures()
    if not figures.rss_mb:
        raise Unavailable("peak memory of a process is not read here")
    return Figures(ours=figures.rss_mb)


@case("memory.crowd_search", unit="ms", heavy=True)
def crowd_search() -> Figures:
    """5 memories of one of them for a question whose vector is given; p99 among other work."""
    figures = default_crowd_figures()
    return Figures(
        ours=figures.search.p99_ms,
        quality={"add_p99_ms": figures.add.p99_ms, "forget_p99_ms": figures.forget.p99_ms},
    )


CASES: tuple[Case, ...] = (crowd_memory, crowd_search)
