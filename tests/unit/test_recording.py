"""The recording of a session, as it lies in a world's database."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.errors import CorruptDataError
from astraweave.world._schema import migrate
from astraweave.world.events import ClockMoved, encode_event
from astraweave.world.recording import Recorded, Recording

EVENTS = st.lists(
    st.tuples(st.integers(1, 9), st.floats(0, 1e9), st.binary(min_size=4, max_size=4)), max_size=6
)


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    migrate(connection, "a new world")
    return connection


@given(commits=st.lists(EVENTS, max_size=4), undone=st.booleans())
def test_events_come_back_in_order(commits: list, undone: bool) -> None:
    connection = database()
    recording = Recording(connection)
    expected = []
    for events in commits:
        for tick, now, touched in events:
            data = encode_event(ClockMoved(now=now))
            recording.add(tick, data, [("now", touched)])
            expected.append(Recorded(tick, data, touched))
        recording.write()
        if undone:
            connection.rollback()
            recording.rolled_back()
            recording.write()
        connection.commit()
        recording.committed()
    assert recording.read()[0] == expected
    connection.close()


def test_rows_of_the_first_form_are_read() -> None:
    connection = database()
    data = encode_event(ClockMoved(now=3.0))
    connection.execute("INSERT INTO event(tick, data, touched) VALUES (4, ?, x'01020304')", (data,))
    recording = Recording(connection)
    recording.add(5, data, [("now", b"abcd")])
    events, _ = recording.read()
    assert events == [Recorded(4, data, b"\1\2\3\4"), Recorded(5, data, b"abcd")]
    connection.close()


@pytest.mark.parametrize("damage", [b"\0", b"\0junk", b"\0" + bytes(40)])
def test_a_damaged_row_is_told(damage: bytes) -> None:
    connection = database()
    connection.execute("INSERT INTO event(tick, data, touched) VALUES (1, ?, x'')", (damage,))
    with pytest.raises(CorruptDataError, match="recording"):
        Recording(connection).read()
    connection.close()
