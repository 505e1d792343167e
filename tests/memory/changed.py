"""Runs the labelled pairs of `changed.toml` through the writer, and counts."""

from __future__ import annotations

import itertools
import sqlite3
import tomllib
from pathlib import Path

from astraweave.core.worldview import WorldView
from astraweave.embeddings import MockEmbeddingClient
from astraweave.rag import MemoryStore
from astraweave.rag._linking import NameIndex
from astraweave.rag.life import MemoryLife
from astraweave.rag.life_columns import create_life_tables
from astraweave.rag.store import create_memory_tables
from astraweave.rag.writing import MemoryWriter
from astraweave.rag.writing_novelty import NoveltyTable, create_writing_tables

PAIRS = tomllib.loads((Path(__file__).parent / "changed.toml").read_text("utf-8"))
HALVES = {"tuned": slice(0, None, 2), "held out": slice(1, None, 2)}
_HOUR = 3600.0


class Ear:
    """Tam, and what he has heard."""

    def __init__(self):
        self._connection = sqlite3.connect(":memory:")
        create_memory_tables(self._connection)
        create_life_tables(self._connection)
        create_writing_tables(self._connection)
        self._store = MemoryStore(self._connection, MockEmbeddingClient(8))
        names = NameIndex(WorldView().snapshot())
        self._writer = MemoryWriter(
            self._store, lambda: names, life=MemoryLife(self._connection, self._store),
            novelty=NoveltyTable(self._connection),
        )  # fmt: skip
        self._hours = itertools.count(1)

    def hears(self, speaker, text):
        """Ids of the memories that hold a line, and of those that it has superseded."""
        written = self._writer.write(
            text, owner="tam", speaker=speaker,
            addressee="player" if speaker == "tam" else "tam" if speaker else "",
            game_time=_HOUR * next(self._hours),
        )  # fmt: skip
        gone = {old for one in written for old in one.superseded}
        return {one.memory.id for one in written}, gone

    def text(self, memory_id):
        memory = self._store.get(memory_id)
        return memory.text if memory is not None else ""


def score(half):
    """Figures over a half of the pairs, and the pairs that went wrong."""
    right = wrong_stay = 0
    wrong = []
    changes, stays = PAIRS["change"][HALVES[half]], PAIRS["stay"][HALVES[half]]
    for label, pairs in (("change", changes), ("stay", stays)):
        for who, before, other, after in pairs:
            ear = Ear()
            held, _ = ear.hears(who, before)
            _, gone = ear.hears(other, after)
            noticed = bool(gone & held)
            right += label == "change" and noticed
            wrong_stay += label == "stay" and noticed
            if noticed != (label == "change"):
                wrong.append((label, before, after))
    found = right + wrong_stay
    return {
        "pairs": len(changes) + len(stays),
        "precision": right / found if found else 1.0,
        "recall": right / len(changes),
    }, wrong


def crossed(half):
    """What is superseded by a line of another pair, where one mind hears all first lines first."""
    pairs = [*PAIRS["change"][HALVES[half]], *PAIRS["stay"][HALVES[half]]]
    ear, wrong = Ear(), []
    seen = set()
    for who, before, _, _ in pairs:
        if (who, before) not in seen:
            seen.add((who, before))
            _, gone = ear.hears(who, before)
            wrong += [(ear.text(old), before) for old in gone]
    for _, before, other, after in pairs:
        _, gone = ear.hears(other, after)
        wrong += [(ear.text(old), after) for old in gone if ear.text(old) not in before]
    return wrong


if __name__ == "__main__":
    for name in HALVES:
        figures, misses = score(name)
        print(name, {key: round(value, 3) for key, value in figures.items()})
        if name == "tuned":
            for one in misses:
                print("  ", *one, sep=" | ")
        print("  crossed:", len(crossed(name)))
        for one in crossed(name):
            print("  ", *one, sep=" | ")
