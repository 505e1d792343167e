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


def version_of(path: Path) -> tuple[int, ...]:
    """The schema and the format; files of the first two of each are called by the schema alone."""
    numbers = tuple(int(number) for number in path.stem.split("-")[1:])
    return numbers if len(numbers) > 1 else numbers * 2


VERSIONS = sorted(GOLDEN.glob("world-*.json"), key=version_of)


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
        *older, old = world.saves()
        assert old.note == told["note"]
        then = world.state_hash
        assert old.state_hash in ("", then)
        assert world._rng["dialogue/tam"].random() == told["next draw"]
        assert "Biscuit" in world.npc("tam").say("What is my dog called?").wait().text
        new = world.save()
        assert new.parent == old.id
        for save in older:
            world.load(save.id)
            assert world.state_hash == save.state_hash == told["saves"][save.id]
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


def test_a_tree_of_saves_of_the_second_format_is_retold(tmp_path: Path) -> None:
    """Named ones, a branch, and one that is told by more than one other."""
    told = json.loads((GOLDEN / "tree-2.json").read_text("utf-8"))
    unpack(GOLDEN / "tree-2.json", tmp_path / "slot")
    for _ in range(2):  # as it was written then, and as the first save leaves it
        with open_world(tmp_path / "slot") as world:
            saves = [info for info in world.saves() if info.id in told]
            assert [info.id for info in saves] == list(told)
            for info in saves:
                world.load(info.id)
                assert [info.name, info.parent, world.state_hash] == told[info.id]
            world.put("gold", 9)
            world.save()


def test_the_newest_golden_save_has_the_schema_of_now() -> None:
    newest = json.loads(VERSIONS[-1].read_text("utf-8"))
    fresh = (len(_schema.MIGRATIONS), savefile.FORMAT_VERSION, maker().current_schema())
    saved = (version_of(VERSIONS[-1])[0], newest["format"], newest["schema"])
    assert saved == fresh, "the schema or the format changed: see tests/golden/make.py"
    schemas, formats = zip(*map(version_of, VERSIONS), strict=True)
    assert set(schemas) == set(range(1, len(_schema.MIGRATIONS) + 1))
    assert set(formats) == set(range(1, savefile.FORMAT_VERSION + 1))
