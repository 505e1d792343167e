"""Runs the labelled lines of `heard.toml` through the writer, and counts."""

from __future__ import annotations

import sqlite3
import tomllib
from collections import Counter
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

SCENES = tomllib.loads((Path(__file__).parent / "heard.toml").read_text("utf-8"))["scene"]
TUNED, HELD_OUT = SCENES[0::2], SCENES[1::2]
LASTING = {"new", "changed"}


def run(scenes):
    """Yield (label, right, the line, what became of it) for every line."""
    for scene in scenes:
        connection = sqlite3.connect(":memory:")
        create_memory_tables(connection)
        create_life_tables(connection)
        create_writing_tables(connection)
        store = MemoryStore(connection, MockEmbeddingClient(8))
        names = NameIndex(WorldView().snapshot())
        writer = MemoryWriter(
            store, lambda names=names: names, life=MemoryLife(connection, store),
            novelty=NoveltyTable(connection),
        )  # fmt: skip
        owner, partner = scene["owner"], "player"
        made = {}
        for number, (speaker, label, text, *of) in enumerate(scene["lines"], 1):
            addressee = partner if speaker == owner else owner if speaker else ""
            partner = speaker if speaker not in (owner, "") else partner
            written = writer.write(
                text, owner=owner, speaker=speaker, addressee=addressee,
                game_time=3600.0 * number,
            )  # fmt: skip
            made[number] = {one.memory.id for one in written if one.outcome in LASTING}
            yield label, written, made.get(of[0] if of else 0, set()), text
        connection.close()


def score(scenes):
    """Figures over scenes, and the lines that went wrong."""
    counts, wrong = Counter(), []
    for label, written, target, text in run(scenes):
        lasting = [one for one in written if one.outcome in LASTING]
        again = any(
            one.outcome in {"again", "retold"} and one.memory.id in target for one in written
        )
        replaced = {old for one in written for old in one.superseded}
        counts[label] += 1
        counts["lasting"] += len(lasting)
        good = {
            "keep": bool(lasting),
            "junk": not lasting,
            "echo": not lasting,
            "again": again,
            "change": bool(replaced & target),
        }[label]
        if label in {"junk", "echo"}:
            counts["junk kept"] += len(lasting)
        if label == "again" and not again:
            counts["doubled"] += 1
        if label in {"keep", "change"} and not lasting:
            counts["missed"] += 1
        if label == "change" and not good:
            counts["unnoticed"] += 1
        if replaced - (target if label == "change" else set()):
            counts["wrongly superseded"] += 1
            good = False
        if not good:
            wrong.append((label, text, [(one.outcome, one.memory.text) for one in written]))
    return {
        "lines": sum(counts[name] for name in ("keep", "junk", "echo", "again", "change")),
        "junk_rate": counts["junk kept"] / counts["lasting"],
        "missed": counts["missed"] / (counts["keep"] + counts["change"]),
        "doubled": counts["doubled"] / counts["again"],
        "unnoticed": counts["unnoticed"] / counts["change"],
        "wrongly_superseded": counts["wrongly superseded"],
    }, wrong


if __name__ == "__main__":
    for half in (TUNED, HELD_OUT):
        figures, _ = score(half)
        print(figures)
