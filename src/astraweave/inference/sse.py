"""Server-sent events, read from bytes as they come.

Source: WHATWG HTML Living Standard, 'Server-sent events', parsing an event stream.
"""

from __future__ import annotations

import re

import msgspec

from astraweave.errors import InvalidResponse

__all__ = ["EventParser", "ServerSentEvent"]

_LINE_END = re.compile(rb"\r\n?|\n")
_BOM = b"\xef\xbb\xbf"
_CR = 13
_LF = b"\n"


class ServerSentEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event.

    Attributes
    ----------
    data : str
        Its lines of data, joined by line feeds.
    event : str
        Its type; ``"message"`` where the server names none.
    id : str
        The last id that the server gave, with this event or an earlier one.
    """

    data: str
    event: str = "message"
    id: str = ""


class EventParser:
    r"""Turns bytes into events; however they are cut, the events are the same.

    Lines end with CR, LF or CRLF. Bytes that are no UTF-8 become U+FFFD. An event is complete with
    the blank line after it: what is begun when the bytes end is none.

    Parameters
    ----------
    max_event_bytes : int
        Longest line, and most data of one event; what is longer is refused before it is kept.

    Examples
    --------
    >>> parser = EventParser()
    >>> parser.push(b": hello\r\ndata: Aye,\r\ndata: it"), parser.push(b" is.\r\n\r")
    ([], [ServerSentEvent(data='Aye,\nit is.', event='message', id='')])
    """

    def __init__(self, max_event_bytes: int = 1 << 20) -> None:
        self._limit = max_event_bytes
        self._line: list[bytes] = []
        """Pieces of a line whose end has not come."""
        self._line_bytes = 0
        self._data: list[str] = []
        self._data_bytes = 0
        self._event = ""
        self._id = ""
        self._after_cr = False
        self._first_line = True

    def push(self, data: bytes) -> list[ServerSentEvent]:
        """The events that are complete now.

        Raises
        ------
        InvalidResponse
            A line or an event is too long; the parser must not be used again.
        """
        if self._after_cr and data:
            self._after_cr = False
            if data.startswith(_LF):
                data = data[1:]
        events: list[ServerSentEvent] = []
        start = 0
        for end in _LINE_END.finditer(data):
            self._hold(data[start : end.start()])
            start = end.end()
            self._end_line(events)
        self._hold(data[start:])
        self._after_cr = start == len(data) > 0 and data[-1] == _CR
        return events

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._line_bytes += len(piece)
            if self._line_bytes > self._limit:
                raise self._too_long("a line")
            self._line.append(piece)

    def _end_line(self, events: list[ServerSentEvent]) -> None:
        line = b"".join(self._line)
        self._line.clear()
        self._line_bytes = 0
        if self._first_line:
            self._first_line = False
            line = line.removeprefix(_BOM)
        if line:
            self._field(line)
        else:
            self._dispatch(events)

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data_bytes += len(value) + 1
            if self._data_bytes > self._limit:
                raise self._too_long("an event")
            self._data.append(value.decode("utf-8", "replace"))
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        # Everything else is a comment (no name), `retry`, which concerns those who reconnect, or
        # a field of another time.

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        if self._data:
            data = "\n".join(self._data)
            events.append(ServerSentEvent(data=data, event=self._event or "message", id=self._id))
            self._data.clear()
            self._data_bytes = 0
        self._event = ""

    def _too_long(self, what: str) -> InvalidResponse:
        return InvalidResponse(
            f"the server sent {what} of more than {self._limit:,} bytes in its event stream",
            limit=self._limit,
        )
