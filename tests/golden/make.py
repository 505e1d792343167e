"""Write the golden save of this version: a small world, as this code saves it.

Run it once for every new schema or file format (a test tells), and commit what it writes::

    python tests/golden/make.py

Released ones are never written again: games in the world have saves like them.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
import sys
import tempfile
from pathlib import Path

import astraweave as aw
from astraweave.world import _schema, savefile

HERE = Path(__file__).parent


def schema_of(connection: sqlite3.Connection) -> list[str]:
    """Every table and index of a database, without what a virtual table makes for itself."""
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name")
    return [" ".join(sql.split()) for (sql,) in rows if "'memory_text_" not in sql]


def current_schema() -> list[str]:
    """Of a world that is made now."""
    connection = sqlite3.connect(":memory:")
    try:
        _schema.migrate(connection, "a new world")
        return schema_of(connection)
    finally:
        connection.close()


def play(folder: Path) -> dict[str, object]:
    """A morning in Harrow; what it left in the minds."""
    clock = aw.ManualClock(3600.0)
    settings = aw.Settings(model="none", embedder="mock")
    with aw.World.open(folder, settings=settings, seed=7, clock=clock) as world:
        tam = world.npc("tam", persona="tam")
        world.npc("hild", persona=aw.Persona(id="hild", name="Hild", role="baker"))
        world.view.add(
            aw.Entity(id="mill", name="the old mill", kind="place", aliases=("the mill",)),
            aw.Entity(id="oven", name="the oven", place="mill"),
        )
        world.view.state(aw.Fact("tam", "works at", "forge"), aw.Fact("hild", "lives in", "mill"))
        for text in ("My dog is called Biscuit.", "What is my dog called?"):
            tam.say(text).wait()
            clock.advance(60.5)
        world.npc("hild").remember("The bridge at Redford is down.", importance=0.8, tags=("news",))
        world.tick()
        world.save(name="before the fair")
        world.put("gold", 5)
        world.save({"chapter": 0})  # writes the file anew, since one was there
        world.put("gold", 7)
        world.save({"chapter": 1, "place": "Harrow"})  # goes behind it
        snapshot = world.view.snapshot()
        return {
            "saves": {info.id: info.state_hash for info in world.saves()},
            "note": {"chapter": 1, "place": "Harrow"},
            "now": clock.now(),
            "npcs": sorted(world.npcs),
            "history": [[turn.speaker, turn.text, turn.game_time] for turn in tam.history],
            "memories": {
                npc: [
                    [m.speaker, m.text, m.game_time, m.importance, list(m.tags)]
                    for m in world._block(world._keeper.store.for_owner, npc)
                ]
                for npc in ("tam", "hild")
            },
            "entities": list(snapshot.entities),
            "facts": sorted([f.subject, f.predicate, f.object] for f in snapshot.facts),
            "view": world.view.version,
            "next draw": world._rng["dialogue/tam"].random(),
        }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        told = play(Path(folder))
        data = (Path(folder) / "world.aw").read_bytes()
    told |= {"format": savefile.FORMAT_VERSION, "schema": current_schema()}
    stem = f"world-{len(_schema.MIGRATIONS)}-{savefile.FORMAT_VERSION}"
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    (out / f"{stem}.aw.gz").write_bytes(gzip.compress(data, 9, mtime=0))
    (out / f"{stem}.json").write_text(json.dumps(told, indent=1) + "\n", "utf-8")
    print(f"{stem}: {len(data)} bytes, {(out / f'{stem}.aw.gz').stat().st_size} compressed")


if __name__ == "__main__":
    main()
