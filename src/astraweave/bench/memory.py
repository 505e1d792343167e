"""Ten thousand memories: how long saving, loading and remembering take."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from astraweave.bench._sentences import made_sentence, question_about
from astraweave.bench.bars import Bar
from astraweave.bench.case import Case, Figures, case
from astraweave.bench.crowd import CrowdFigures, default_crowd_figures
from astraweave.bench.footprint import wanted_models
from astraweave.core.clock import ManualClock
from astraweave.core.settings import DEFAULT_EMBEDDER
from astraweave.embeddings import EmbeddingClient
from astraweave.observability import Distribution, Telemetry
from astraweave.rag import Memory, MemoryStore, RagPipeline
from astraweave.world import Slot

__all__ = [
    "CASES",
    "MemoryFigures",
    "default_memory_figures",
    "measure_memory",
    "ten_thousand_figures",
]


class MemoryFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one run measured; durations in milliseconds."""

    memories: int
    owners: int
    save_bytes: int
    save: Distribution
    load: Distribution
    retrieve: Distribution
    embed_query: Distribution
    found: float
    """Share of the questions whose sentence came back among the k."""
    crowd: CrowdFigures | None = None
    """A thousand characters with a thousand memories each, where they were measured."""

    @property
    def bars(self) -> tuple[Bar, ...]:
        """What ten thousand memories are held to; the slowest save and load count."""
        return (
            Bar(name="save, slowest", value=self.save.max_ms, limit=500.0, unit="ms"),
            Bar(name="load, slowest", value=self.load.max_ms, limit=200.0, unit="ms"),
            Bar(name="retrieve p95", value=self.retrieve.p95_ms, limit=8.0, unit="ms"),
            Bar(name="found", value=self.found, limit=0.9, unit="", floor=True),
            *(self.crowd.bars if self.crowd else ()),
        )


def measure_memory(
    folder: Path,
    embedder: EmbeddingClient,
    *,
    memories: int = 10_000,
    owners: int = 1,
    questions: int = 200,
    repeats: int = 5,
    k: int = 5,
) -> MemoryFigures:
    """Save, load and ask.

    Texts are made by rule, the same in every run. To keep the run short only the sentences that
    questions ask for are embedded; the other vectors are drawn at random (seed 0), which costs
    saving, loading and searching the same.

    Parameters
    ----------
    folder : Path
        An empty folder for the slot.
    embedder : EmbeddingClient
        Embeds the questions, one at a time.
    memories, owners : int
        How many, and how many characters share them evenly.
    questions, repeats, k : int
        Questions asked, saves and loads timed, memories asked for.
    """
    telemetry = Telemetry()
    clock = ManualClock()
    texts = [made_sentence(n) for n in range(memories)]
    asked = range(0, memories, max(1, memories // questions))
    with Slot.open(folder, clock=clock) as slot:
        store = MemoryStore(slot.connection, embedder)
        slot.attach(store)
        stored = store.add_many(
            (
                Memory(
                    owner=f"npc{n * owners // memories}",
                    text=text,
                    speaker="player",
                    game_time=60.0 * n,
                )
                for n, text in enumerate(texts)
            ),
            embed=False,
        )
        vectors = np.random.default_rng(0).normal(size=(memories, embedder.dimensions))
        for n in asked:
            vectors[n] = embedder.embed(texts[n])
        store.set_vectors(stored, vectors.astype(np.float32))
        for n in range(repeats):
            store.add(Memory(owner="npc0", text=f"This is line {n}."), embed=False)
            with telemetry.span("save"):
                info = slot.save()
    for _ in range(repeats):
        with telemetry.span("load"):
            slot = Slot.open(folder, clock=clock)
            store = MemoryStore(slot.connection, embedder)
        slot.close()
    with Slot.open(folder, clock=clock) as slot:
        store = MemoryStore(slot.connection, embedder)
        pipeline = RagPipeline(store, embedder, telemetry=telemetry)
        found = 0
        for n in asked:
            question = question_about(texts[n])
            retrieved = pipeline.retrieve(question, owner=stored[n].owner, k=k, speaker="player")
            found += any(one.memory.id == stored[n].id for one in retrieved)
    spans = telemetry.spans()
    return MemoryFigures(
        memories=memories,
        owners=owners,
        save_bytes=info.bytes,
        save=spans["save"],
        load=spans["load"],
        retrieve=spans["rag.retrieve"],
        embed_query=spans["rag.embed_query"],
        found=found / len(asked),
    )


def default_memory_figures(*, crowd: int = 1_000) -> MemoryFigures:
    """Ten thousand memories of one character, and a thousand of each of `crowd` characters.

    Measured once a process.

    Raises
    ------
    Unavailable
        The model is not on this machine.
    """
    return msgspec.structs.replace(ten_thousand_figures(), crowd=default_crowd_figures(crowd))


@cache
def ten_thousand_figures() -> MemoryFigures:
    """Ten thousand memories with the default embedding model; measured once a process.

    Raises
    ------
    Unavailable
        The model is not on this machine.
    """
    from astraweave.embeddings import OnnxEmbedder
    from astraweave.inference import Sessions

    (files,) = wanted_models(DEFAULT_EMBEDDER)
    with (
        tempfile.TemporaryDirectory(prefix="astraweave-") as folder,
        Sessions() as sessions,
    ):
        return measure_memory(Path(folder), OnnxEmbedder(files, sessions=sessions))


@case("memory.save_10k", unit="ms")
def save() -> Figures:
    """The slowest of five saves of a slot of 10,000 memories; the first one writes them all."""
    return Figures(ours=ten_thousand_figures().save.max_ms)


@case("memory.load_10k", unit="ms")
def load() -> Figures:
    """The slowest of five times opening that slot and reading what it holds."""
    return Figures(ours=ten_thousand_figures().load.max_ms)


@case("memory.retrieve_5", unit="ms")
def retrieve() -> Figures:
    """5 of 10,000 memories for a question, which is embedded first; p95 of 200."""
    figures = ten_thousand_figures()
    return Figures(ours=figures.retrieve.p95_ms, quality={"found": figures.found})


CASES: tuple[Case, ...] = (save, load, retrieve)
