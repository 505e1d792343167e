"""However a stream of events is cut, and whatever is in it, the events are the same."""

from __future__ import annotations

import contextlib
import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from astraweave.errors import InvalidResponse
from astraweave.inference.sse import EventParser, ServerSentEvent


def reference(stream: bytes) -> list[ServerSentEvent]:
    """The standard's own steps, over all of it at once."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    *lines, _incomplete = re.split("\r\n|\r|\n", text)
    events: list[ServerSentEvent] = []
    data, kind, last_id = "", "", ""
    for line in lines:
        if not line:
            if data:
                events.append(
                    ServerSentEvent(
                        data=data.removesuffix("\n"), event=kind or "message", id=last_id
                    )
                )
            data, kind = "", ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data += value + "\n"
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last_id = value
    return events


PIECES = st.sampled_from(
    [b"data", b"event", b"id", b"retry", b":", b": ", b" ", b"\r", b"\n", b"\r\n", b"\n\n", b"\r\r",
     b"\xef\xbb\xbf", "é€😀".encode(), b"\xe2\x82", b"\xff", b"\0", b"[DONE]", b"data: x\n\n"]
)  # fmt: skip
STREAMS = st.lists(st.one_of(PIECES, st.binary(max_size=4)), max_size=40).map(b"".join)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(stream)) for place in places} | {0, len(stream)})
    return [stream[a:b] for a, b in itertools.pairwise(ends)]


@given(STREAMS, st.lists(st.integers(0, 200), max_size=30))
@example(b"\xef\xbb\xbfdata: a\r\n\r\n", [1, 2, 12])
@example(b"data: a\r\r\ndata: b\n\r", [8, 9])
@example(b"data: \xe2\x82\xac\n\n", [7, 8])
@example(b"data\n\n", [])
@example(b"\r\n\r\ndata:x\r\n\r\n", [1])
def test_any_cutting_gives_what_the_standard_says(stream: bytes, places: list[int]) -> None:
    parser = EventParser()
    events = [event for piece in cut(stream, places) for event in parser.push(piece)]
    assert events == reference(stream)


@given(st.binary(max_size=300))
def test_bytes_one_by_one_are_as_good_as_all_at_once(stream: bytes) -> None:
    one, whole = EventParser(), EventParser()
    events = [event for at in range(len(stream)) for event in one.push(stream[at : at + 1])]
    assert events == whole.push(stream)


@given(STREAMS, st.integers(1, 40), st.lists(st.integers(0, 200), max_size=10))
def test_nothing_but_our_own_error_comes_of_any_bytes(
    stream: bytes, limit: int, places: list[int]
) -> None:
    parser = EventParser(limit)
    with contextlib.suppress(InvalidResponse):
        for piece in cut(stream, places):
            assert all(len(event.data) <= limit for event in parser.push(piece))


@pytest.mark.parametrize("piece", [b"a" * 1000, b"data: aaaaaaaaa\n"])
def test_an_endless_line_and_an_endless_event_are_cut_off(piece: bytes) -> None:
    parser = EventParser(10_000)
    with pytest.raises(InvalidResponse, match="more than 10,000 bytes"):
        [parser.push(piece) for _ in range(2000)]


def test_an_event_is_there_with_its_blank_line_even_where_that_is_a_lone_cr() -> None:
    parser = EventParser()
    assert [event.data for event in parser.push(b"data: a\r\r")] == ["a"]
    assert parser.push(b"\n") == []
    assert [event.data for event in parser.push(b"data: b\n\n")] == ["b"]
