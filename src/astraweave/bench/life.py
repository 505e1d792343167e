"""How memories live: a sweep over a million, writing one down, and what survives a cap."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np

from astraweave.bench.case import Case, Figures, Pair, case, time_call
from astraweave.core.clock import ManualClock
from astraweave.embeddings import MockEmbeddingClient
from astraweave.kernels.forgetting import sweep_with_numba, sweep_with_numpy
from astraweave.rag import LifeSettings, MemoryLife, MemoryStore, NoveltyTable, RagPipeline
from astraweave.world import Slot

__all__ = ["CASES", "KeptFigures", "measure_kept"]

_ROWS = 1_000_000
_DAY = 86_400.0
_PEOPLE = ("Mira", "Oswin", "Hild", "Bram", "Sunniva", "Corvin", "Tilda", "Rurik", "Nessa", "Falk")
_KIN = ("sister", "brother", "aunt", "cousin", "neighbour", "daughter", "friend")
_DEEDS = ("lost", "hid", "sold", "stole", "buried", "found", "pawned", "broke", "borrowed")
_THINGS = (
    "silver ring", "red lantern", "copper kettle", "oak shield", "blue cloak", "fishing net",
    "bronze key", "clay jar", "goat bell", "ivory comb", "brass compass", "tin whistle", "fur hat",
)  # fmt: skip
_PLACES = ("the mill", "the north gate", "Hallow Bridge", "the tannery", "the old well", "Grimhold")
_AIR = (
    "Good morning to you.", "A fine day, is it not?", "Ha, that was close.", "How is business?",
    "Well, I must be off.", "Hm, let me think.", "See you tomorrow!", "Thank you kindly.",
    "Wait here a moment.", "What is new in town?",
)  # fmt: skip
_GOODS = ("salt", "wool", "timber", "turnips", "barrels", "hides", "slate", "barley", "candles")


class KeptFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a character's important memories once its shelf was cut.

    Attributes
    ----------
    memories, facts : int
        On the whole shelf; how many of them are asked for.
    kept : dict of str to float
        Share of the questions that still bring their fact among the first five, by cut:
        ``"whole"``, ``"half"``, ``"quarter"``, and the same for a shelf that simply lets the
        oldest go (``"half_oldest_go"``, ``"quarter_oldest_go"``).
    """

    memories: int
    facts: int
    kept: dict[str, float]


def measure_kept(lines: int = 1200, facts: int = 120) -> KeptFigures:
    """Fill a shelf over sixty days, cut it to a half and a quarter, and ask for the facts.

    One line in ten is a fact that somebody tells about their kin; the rest is talk and what goes by
    on the street. A third of the facts comes to mind once more, weeks later. Nothing tells the
    writer which lines count; it judges them itself.
    """
    kept: dict[str, float] = {}
    for name, share, oldest_go in (
        ("whole", 1.0, False),
        ("half", 0.5, False),
        ("quarter", 0.25, False),
        ("half_oldest_go", 0.5, True),
        ("quarter_oldest_go", 0.25, True),
    ):
        with _mind() as (rag, _):
            asked = _live(rag, lines, facts)
            store, now = rag._store, 61 * _DAY
            limit = round(share * store.count())
            total = store.count()
            if oldest_go:
                store.delete(*store.ids("tam")[: total - limit].tolist())
            elif share < 1.0:
                assert rag.life is not None
                life = MemoryLife(store._connection, store, LifeSettings(max_memories=limit))
                for memory_id in asked.values():
                    life.restore(memory_id, rag.life.lived(memory_id))
                life.forget(life.overflow("tam", now))
            kept[name] = _found(rag, asked, now)
    return KeptFigures(memories=total, facts=facts, kept=kept)


def _live(rag: RagPipeline, lines: int, facts: int) -> dict[str, int]:
    """Sixty days of a character; questions and the ids of the facts that answer them."""
    asked: dict[str, int] = {}
    every = lines // facts
    for number in range(lines):
        at = 60 * _DAY * number / lines
        if number % every == every // 2:
            fact = number // every
            text, question = _fact(fact)
            memory = rag.remember(
                text, owner="tam", speaker="player", addressee="tam", game_time=at
            )
            asked[question] = memory.id
        elif number % 3:
            text = f"Cart {number} brought {_GOODS[number % 9]} through {_PLACES[number % 6]}."
            rag.remember(text, owner="tam", game_time=at)
        else:
            text = _AIR[number // 3 % len(_AIR)]
            rag.remember(text, owner="tam", speaker="player", addressee="tam", game_time=at)
    for place, memory_id in enumerate(asked.values()):
        if place % 3 == 0:
            rag.recalled([memory_id], 60 * _DAY)
    return asked


def _fact(number: int) -> tuple[str, str]:
    who, kin = _PEOPLE[number % 10], _KIN[number % 7]
    deed, thing, place = _DEEDS[number % 9], _THINGS[number % 13], _PLACES[number % 6]
    owes = 3 + number
    return (
        f"My {kin} {who} {deed} a {thing} near {place} for {owes} crowns.",
        f"Which {kin} was it that {deed} the {thing} for {owes} crowns?",
    )


def _found(rag: RagPipeline, asked: dict[str, int], now: float) -> float:
    nothing = np.zeros(rag._store.dimensions, np.float32)
    hits = 0
    for question, memory_id in asked.items():
        retrieved = rag.retrieve(
            question, owner="tam", k=5, speaker="player", now=now, vector=nothing
        )
        hits += any(one.memory.id == memory_id for one in retrieved)
    return hits / len(asked)


@contextmanager
def _mind() -> Iterator[tuple[RagPipeline, sqlite3.Connection]]:
    """A pipeline over the tables of a world."""
    with (
        tempfile.TemporaryDirectory(prefix="astraweave-") as folder,
        closing(Slot.open(Path(folder), clock=ManualClock())) as slot,
    ):
        embedder = MockEmbeddingClient(384)
        store = MemoryStore(slot.connection, embedder)
        life = MemoryLife(slot.connection, store)
        novelty = NoveltyTable(slot.connection)
        yield RagPipeline(store, embedder, life=life, novelty=novelty), slot.connection


@case("life.sweep_1m", unit="ms", peer_name="numpy")
def sweep() -> Pair:
    """Strengths of 1,000,000 memories, compiled, beside the same formula in NumPy."""
    rng = np.random.default_rng(0)
    columns = (
        rng.uniform(0.0, 1e8, _ROWS),
        rng.uniform(60.0, 1e8, _ROWS).astype(np.float32),
        rng.random(_ROWS, np.float32),
        rng.integers(0, 9, _ROWS).astype(np.uint16),
        (rng.random(_ROWS) < 0.02).astype(np.float32),
    )
    strength = np.empty(_ROWS, np.float32)
    plain = sweep_with_numpy()
    reference = strength.copy()
    plain(1e8, *columns, reference)
    if find_spec("numba") is None:
        return Pair(ours=lambda: plain(1e8, *columns, strength))
    compiled: Callable[..., None] = sweep_with_numba()
    compiled(1e8, *columns, strength)
    agree = float((strength.view(np.uint32) == reference.view(np.uint32)).mean())
    return Pair(
        ours=lambda: compiled(1e8, *columns, strength),
        peer=lambda: plain(1e8, *columns, reference),
        quality={"equal_bits": agree},
    )


@case("life.remember", unit="us")
def remember() -> Figures:
    """Writing a line down, without its vector: judged, compared, linked and stored; a mean."""
    texts = [_fact(number)[0] for number in range(200)]
    texts += [_AIR[number % 10] for number in range(200)]
    with _mind() as (rag, _):
        rounds = iter(range(10_000))

        def hear() -> None:
            start = next(rounds) * 1e6
            for number, text in enumerate(texts):
                rag.remember(
                    text, owner=f"npc{number % 8}", speaker=f"p{start:.0f}", addressee="tam",
                    game_time=start + 400.0 * number,
                )  # fmt: skip

        seconds = time_call(hear)
    return Figures(ours=seconds / len(texts) * 1e6)


@cache
def _kept() -> KeptFigures:
    return measure_kept()


@case("life.kept_facts", unit="share")
def kept() -> Figures:
    """Of a character's important facts, how many are still found on a shelf cut to a half."""
    figures = _kept()
    return Figures(ours=figures.kept["half"], quality=figures.kept)


CASES: tuple[Case, ...] = (sweep, remember, kept)
