"""HTTP to a model's server: one set of connections, time limits a phase, errors of our own tree.

The key travels in one header and is nowhere else: not in a text, a repr, a log or an exception, nor
in what an exception keeps hold of. No proxy, no netrc and no cookie is taken from the environment,
redirects are not followed, certificates are verified, and no answer is read beyond its limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import msgspec

from astraweave.core.closing import Closing
from astraweave.errors import (
    AstraweaveError,
    InputError,
    InvalidResponse,
    UsageError,
)
from astraweave.inference._http_connections import (
    Connections,
    connection_errors,
    hung_up,
    load_aiohttp,
    request_headers,
)
from astraweave.inference._http_errors import lost_connection, status_error
from astraweave.inference._http_timeouts import HttpTimeouts, Watch
from astraweave.inference._http_url import Endpoint
from astraweave.inference.event_loop import EventLoop, Work
from astraweave.inference.sse import EventParser, ServerSentEvent

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Expect", "HttpClient", "HttpTimeouts", "decode"]

T = TypeVar("T")

Expect: TypeAlias = Literal["more", "rest", "nothing"]
"""What a reader of events waits for: more of the answer; only its trailer; nothing."""

_REST_S = 1.0
"""How long to wait for a trailer, once the answer itself is complete."""
_DRAIN_S = 0.1
_MOST_STALE = 3
_ERROR_BYTES = 8192
_numbers = itertools.count()


class HttpClient(Closing):
    """Asks one server. Thread-safe; its requests run on an `EventLoop`.

    Parameters
    ----------
    base_url : str
        ``http://host:port/v1`` or the like.
    key : str, optional
        Sent as ``Authorization: Bearer ...``; never over unencrypted HTTP to a public host.
    headers : mapping, optional
        More headers for each request; their values are kept as secret as the key.
    timeouts : HttpTimeouts
        How long to wait.
    max_bytes : int
        Longest answer; a longer one is cut off there.
    max_event_bytes : int
        Longest event of a stream.
    connections : int
        Most connections at once; further requests wait for one.
    proxy : str, optional
        ``http://host:port`` of a proxy.
    ca_file : path, optional
        Certificates to trust instead of the system's.
    loop : EventLoop, optional
        Shared with other clients, and theirs to stop; default: one of its own.

    Raises
    ------
    MissingExtraError
        aiohttp is not installed.
    ConfigError
        An address, the key or a header cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeouts: HttpTimeouts = HttpTimeouts(),  # noqa: B008 - immutable
        max_bytes: int = 16 << 20,
        max_event_bytes: int = 1 << 20,
        connections: int = 64,
        proxy: str | None = None,
        ca_file: str | Path | None = None,
        loop: EventLoop | None = None,
    ) -> None:
        load_aiohttp()
        self.endpoint = Endpoint.parse(base_url)
        self._proxy = Endpoint.parse(proxy, what="proxy").url if proxy else None
        self._secrets = tuple(
            value for value in (key, *(headers or {}).values()) if value and len(value) > 3
        )
        self._timeouts = timeouts
        self._max_bytes = max_bytes
        self._max_event_bytes = max_event_bytes
        self._prefix = f"astraweave-{os.getpid()}-{next(_numbers)}"
        self._request_numbers = itertools.count()
        self._running: set[Work] = set()
        self._connections = Connections(
            headers=request_headers(self.endpoint, key, headers or {}),
            limit=connections,
            connect_s=timeouts.connect_s,
            ca_file=ca_file,
        )
        self.loop = loop or EventLoop()
        self.loop.at_end(self._connections.close)
        # Also at interpreter exit, and where nobody called `close`.
        self._finish = weakref.finalize(
            self, _finish, self.loop, self._connections, self._running, alone=loop is None
        )

    def __repr__(self) -> str:
        return f"HttpClient({self.endpoint.url!r})"

    # -- on the loop's thread

    async def ask(self, path: str, content: object = None, *, from_root: bool = False) -> bytes:
        """A whole answer: to a POST of `content` as JSON, or to a GET where there is none.

        Parameters
        ----------
        path : str
            Below the base URL; with `from_root` below the server's root.

        Raises
        ------
        AstraweaveError
            ModelUnavailable, ModelTimeout, InvalidResponse, ConfigError, InputError or
            CapacityError; ``phase``, ``status``, ``retry_after_s`` and ``rate_limited`` stand in
            its details.
        """

        async def read(response: aiohttp.ClientResponse, watch: Watch) -> bytes:
            parts: list[bytes] = []
            size = 0
            while part := await response.content.readany():
                watch.enter("between", self._timeouts.between_s)
                size += len(part)
                self._check_size(size, self._max_bytes)
                parts.append(part)
            return b"".join(parts)

        return await self._exchange(path, content, read, from_root=from_root)

    async def stream(
        self,
        path: str,
        content: object,
        on_event: Callable[[ServerSentEvent], Expect],
        *,
        max_bytes: int | None = None,
    ) -> None:
        """POST `content` as JSON and hand on the events of the answer until one is enough.

        Returns when `on_event` expects nothing more, or when the server has ended the stream.
        Whatever `on_event` raises passes, and drops the connection.

        Parameters
        ----------
        max_bytes : int, optional
            Longest answer, where that is less than the client's own limit.

        Raises
        ------
        AstraweaveError
            As `ask`.
        """

        async def read(response: aiohttp.ClientResponse, watch: Watch) -> None:
            _check_is_stream(response)
            parser = EventParser(self._max_event_bytes)
            limit = min(self._max_bytes, max_bytes or self._max_bytes)
            size = 0
            while part := await response.content.readany():
                size += len(part)
                self._check_size(size, limit)
                for event in parser.push(part):
                    expect = on_event(event)
                    if expect == "nothing":
                        await _drain(response)
                        return
                    rest = expect == "rest"
                    watch.enter("between", _REST_S if rest else self._timeouts.between_s)

        await self._exchange(path, content, read, from_root=False)

    async def _exchange(
        self,
        path: str,
        content: object,
        read: Callable[[aiohttp.ClientResponse, Watch], Awaitable[T]],
        *,
        from_root: bool,
    ) -> T:
        body = None if content is None else _encode(content)
        watch = Watch(self._timeouts, self.endpoint.place)
        url = (self.endpoint.root if from_root else self.endpoint.url) + path
        request_id = f"{self._prefix}-{next(self._request_numbers)}"
        failure: AstraweaveError | None = None
        try:
            async with watch:
                response = await self._send(url, body, request_id, watch)
                try:
                    await self._check_answer(response, request_id, path)
                    return await read(response, watch)
                finally:
                    # Reuses the connection where the answer was read to its end.
                    if response.content.at_eof() and response.content.exception() is None:
                        response.release()
                    else:
                        response.close()
        except connection_errors() as error:
            if isinstance(error, AstraweaveError):
                raise
            failure = lost_connection(error, self.endpoint.place)
        # Outside of the handler: what aiohttp raised knows the request's headers.
        raise failure or watch.late

    async def _send(
        self, url: str, body: bytes | None, request_id: str, watch: Watch
    ) -> aiohttp.ClientResponse:
        """Send a request and wait for the headers of its answer.

        A connection that has served before may be one that the server is just hanging up on. What
        was lost on such a one, before any answer, is sent again.
        """
        for attempt in itertools.count():
            watch.reused = False
            try:
                return await self._connections.open().request(
                    "GET" if body is None else "POST",
                    url,
                    data=body,
                    headers={"X-Request-Id": request_id},
                    allow_redirects=False,
                    proxy=self._proxy,
                    trace_request_ctx=watch,
                )
            except hung_up():
                if not watch.reused or attempt >= _MOST_STALE:
                    raise
        raise AssertionError("the loop ends by itself")

    async def _check_answer(
        self, response: aiohttp.ClientResponse, request_id: str, path: str
    ) -> None:
        echoed = response.headers.get("X-Request-Id", "")
        if echoed.startswith("astraweave-") and echoed != request_id:
            raise InvalidResponse(
                f"{self.endpoint.place} answered another request than this one", place=path
            )
        if response.status != 200:
            said = b""
            with contextlib.suppress(*connection_errors()):
                while len(said) < _ERROR_BYTES and (part := await response.content.readany()):
                    said += part
            raise status_error(
                response.status,
                response.headers,
                said[:_ERROR_BYTES],
                place=self.endpoint.place,
                path=path,
                secrets=self._secrets,
            )
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise InvalidResponse(
                f"{self.endpoint.place} sent a compressed answer, which nobody asked for"
            )

    def _check_size(self, size: int, limit: int) -> None:
        if size > limit:
            raise InvalidResponse(
                f"{self.endpoint.place} sent more than {limit:,} bytes; the rest was not read",
                limit=limit,
            )

    # -- from any thread

    def start(
        self,
        work: Callable[[], Coroutine[Any, Any, None]],
        *,
        ended: Callable[[], object] | None = None,
    ) -> Work:
        """Begin a coroutine on the loop (see `EventLoop.start`); `close` cancels it.

        Raises
        ------
        UsageError
            The client is closed, or belongs to another process.
        """
        self.check_usable()
        return self.loop.start(work, ended=ended, among=self._running)

    def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine on the loop and wait for it."""
        self.check_usable()
        return self.loop.call(work)

    def check_usable(self) -> None:
        """Raise UsageError where `start` would."""
        self.loop.check_usable()
        if not self._finish.alive:
            raise UsageError("the client is closed")

    def close(self) -> None:
        """Cancel what runs and close all connections. Closing twice is allowed."""
        self._finish()


def _finish(loop: EventLoop, connections: Connections, running: set[Work], *, alone: bool) -> None:
    """End a client, which is closed or has gone."""
    if alone:
        loop.stop()
        return
    for work in tuple(running):
        work.cancel()
    with contextlib.suppress(UsageError):  # the loop has ended, and closed everything
        if loop.here:
            loop.start(connections.close)
        else:
            loop.call(connections.close)


def decode(body: bytes | str, kind: type[T], what: str) -> T:
    """JSON as what it should be.

    Raises
    ------
    InvalidResponse
        It is something else.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidResponse(f"the server's {what} cannot be read: {error}", what=what) from None


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read what little may be left of a complete answer: the connection is then used again."""
    with contextlib.suppress(TimeoutError, *connection_errors()):
        async with asyncio.timeout(_DRAIN_S):
            left = 1 << 16
            while left > 0 and (part := await response.content.readany()):
                left -= len(part)


def _check_is_stream(response: aiohttp.ClientResponse) -> None:
    kind = response.headers.get("Content-Type", "text/event-stream")
    if kind.partition(";")[0].strip().lower() in ("text/html", "application/json"):
        raise InvalidResponse(
            f"a stream of events was asked for, and the server sent {kind[:80]!r}"
        )


def _encode(content: object) -> bytes:
    try:
        return msgspec.json.encode(content)
    except UnicodeEncodeError:
        raise InputError(
            "a text of the request contains half a surrogate pair, which cannot be sent; clean it "
            "first (astraweave.core.text.sanitize)"
        ) from None
