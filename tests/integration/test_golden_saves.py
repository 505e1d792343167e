"""A save of every version that there ever was opens, with everything that was in it."""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path

import pytest

import astraweave as aw
from astraweave.world import World, _schema, savefile

GOLDEN = Path(__file__).parents[1] / "golden"
VERSIONS = sorted(GOLDEN.glob("world-*.json"), key=lambda path: int(path.stem.split("-")[1]))


def maker():
    spec = importlib.util.spec_from_file_location("golden_make", GOLDEN / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def unpack(told: Path, folder: Path) -> None:
    folder.mkdir()
    packed = told.with_suffix(".aw.gz").read_bytes()
    (folder / "world.aw").write_bytes(gzip.decompress(packed))


def open_world(folder: Path) -> World:
    settings = aw.Settings(model="none", embedder="mock")
    return World.open(folder, settings=settings, clock=aw.ManualClock())


def check(world: World, told: dict) -> None:
    assert world.clock.now() == told["now"]
    assert sorted(world.npcs) == told["npcs"]
    turns = world.npc("tam").history
    assert [[t.speaker, t.text, t.game_time] for t in turns] == told["history"]
    for npc, memories in told["memories"].items():
        kept = world._block(world._keeper.store.for_owner, npc)
        assert [
            [m.speaker, m.text, m.game_time, m.importance, list(m.tags)] for m in kept
        ] == memories
    snapshot = world.view.snapshot()
    assert list(snapshot.entities) == told["entities"]
    assert snapshot.find("the mill").id == "mill"
    assert sorted([f.subject, f.predicate, f.object] for f in snapshot.facts) == told["facts"]
    assert world.view.version == told["view"]


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_a_save_of_every_version_opens(tmp_path: Path, path: Path) -> None:
    told = json.loads(path.read_text("utf-8"))
    unpack(path, tmp_path / "slot")
    with open_world(tmp_path / "slot") as world:
        check(world, told)
        (old,) = world.saves()
        assert old.note == told["note"]
        then = world.state_hash
        assert old.state_hash in ("", then)
        assert world._rng["dialogue/tam"].random() == told["next draw"]
        assert "Biscuit" in world.npc("tam").say("What is my dog called?").wait().text
        new = world.save()
        assert new.parent == old.id
        world.load(old.id)  # now told by the newer one
        check(world, told)
        assert world.state_hash == then
        record = world.export_journal(tmp_path / "session.awj")
        assert World.replay(record).hash == world.state_hash
    with open_world(tmp_path / "slot") as world:
        assert world.state_hash == new.state_hash
        assert len(world.npc("tam").history) == len(told["history"]) + 2
        replayed = World.replay(world.export_journal(tmp_path / "more.awj", since=old.id))
        assert replayed.hash == world.state_hash


def test_the_newest_golden_save_has_the_schema_of_now() -> None:
    newest = json.loads(VERSIONS[-1].read_text("utf-8"))
    fresh = (len(_schema.MIGRATIONS), savefile.FORMAT_VERSION, maker().current_schema())
    saved = (int(VERSIONS[-1].stem.split("-")[1]), newest["format"], newest["schema"])
    assert saved == fresh, "the schema or the format changed: see tests/golden/make.py"
    assert len(VERSIONS) == len(_schema.MIGRATIONS)
