"""Which pages have changed between two saves, against the whole images of the database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.world import _pages, _sessions
from astraweave.world._digests import PageDigests
from astraweave.world._pages import ChangedPages
from astraweave.world.deltas import apply_deltas

pytestmark = pytest.mark.skipif(
    not hasattr(sqlite3.Connection, "serialize"), reason="needs SQLite's serialising"
)

ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 60), st.integers(0, 9000)),
        st.tuples(st.just("delete"), st.integers(0, 60), st.integers(1, 30)),
        st.tuples(st.just("commit"), st.just(0), st.just(0)),
        st.tuples(st.just("rollback"), st.just(0), st.just(0)),
        st.tuples(st.just("save"), st.just(0), st.just(0)),
        st.tuples(st.just("failed save"), st.just(0), st.just(0)),
    ),
    min_size=5,
    max_size=40,
)


class Followed:
    """A database, what follows it, and the image of the latest save."""

    def __init__(self, folder: Path) -> None:
        self.path = _sessions.create_session(folder, 1, b"", base=b"", head=b"")
        self.connection = _sessions.connect(self.path)
        self.connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, value BLOB)")
        self.connection.commit()
        self.pages = ChangedPages(self.path)
        self.saved = b""
        self.whole = 0

    def image(self) -> bytes:
        self.whole += 1
        return self.connection.serialize()

    def save(self, *, settled: bool = True) -> None:
        self.commit()
        expected = self.connection.serialize()
        snapshot = self.pages.snapshot(self.image)
        assert snapshot.digests.id == PageDigests(expected).id
        assert snapshot.digests.length == len(expected)
        if snapshot.delta is not None:
            assert apply_deltas(self.saved, [snapshot.delta], len(expected)) == expected
        else:
            assert snapshot.image == expected
        if settled:
            self.pages.settled(snapshot)
            self.saved = expected

    def commit(self) -> None:
        self.connection.commit()
        self.pages.relieve(self.connection)


@pytest.mark.parametrize("long", [1000, 3])
@settings(max_examples=60, deadline=None)
@given(actions=ACTIONS)
def test_what_has_changed_leads_from_save_to_save(tmp_path_factory, long, actions) -> None:
    """Also where the log is brought into the database in between."""
    world = Followed(tmp_path_factory.mktemp("followed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pages, "_LONG", long * 4120)
        world.save()
        for what, number, size in [*actions, ("save", 0, 0)]:
            if what == "put":
                content = bytes([number, size % 256]) * (size // 2)
                world.connection.execute("REPLACE INTO t VALUES (?, ?)", (number, content))
            elif what == "delete":
                world.connection.execute("DELETE FROM t WHERE id >= ? AND id < ?", (number, size))
            elif what == "commit":
                world.commit()
            elif what == "rollback":
                world.connection.rollback()
            else:
                world.save(settled=what == "save")
    world.connection.close()
    assert world.whole == 1, "nothing but the first one took the whole image"


def fill(world: Followed, number: int) -> None:
    world.connection.execute("REPLACE INTO t VALUES (?, ?)", (number, bytes([number]) * 20_000))


@pytest.mark.parametrize("how", ["checkpoint", "log", "database", "vacuum"])
def test_what_cannot_be_told_is_taken_whole(tmp_path: Path, how: str) -> None:
    world = Followed(tmp_path)
    for number in range(30):
        fill(world, number)
    world.save()
    fill(world, 40)
    world.commit()
    if how == "checkpoint":  # somebody else's
        world.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        fill(world, 41)
    elif how == "vacuum":
        world.connection.execute("DELETE FROM t WHERE id < 20")
        world.connection.commit()
        world.connection.execute("VACUUM")
    elif how == "database":
        world.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        world.pages._begin_log()
        world.pages._kept = {1: bytes(4096)}
    else:
        world.pages._salt = (1, 2)
    world.save()
    assert world.whole == 2
    fill(world, 42)
    world.save()
    assert world.whole == 2
    world.connection.close()


def test_other_page_sizes_are_taken_whole(tmp_path: Path) -> None:
    path = tmp_path / "session-1.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA page_size = 8192")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY)")
    connection.commit()
    pages = ChangedPages(path)
    for number in range(3):
        connection.execute("INSERT INTO t VALUES (?)", (number,))
        connection.commit()
        snapshot = pages.snapshot(connection.serialize)
        assert snapshot.image == connection.serialize()
        assert not snapshot.followed
        pages.settled(snapshot)
    connection.close()
