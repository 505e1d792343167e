"""A model's server on loopback that does everything wrong that a server can do.

It speaks the language of OpenAI's chat completions and embeddings, and how it treats a request is
its mode: one for all, changed while it runs, or one for a single request in the header ``X-Fault``.
It needs the extra ``http``.

=========================== ================================================================
mode                        what happens
=========================== ================================================================
``ok``                      the request is answered
``refuse``                  nobody listens on the port
``reset``                   the connection is reset before an answer
``reset_midway``            ... in the midst of one
``rate_limit``              429, without ``Retry-After``
``rate_limit_retry_after``  429 with it
``server_error``            500
``slow_headers``            the answer begins after `slow_s`
``slow_bytes``              one byte in `byte_s`
``malformed_sse``           server-sent events that are none (a whole answer: as below)
``malformed_json``          JSON that is none
``schema_violation``        JSON of another shape; where the request holds the answer to a
                            schema, an answer that does not keep to it
``huge``                    100 MB
``other_answer``            the answer to another request
``mixed_answers``           an answer that goes on with another one's
``silence``                 nothing, for ever
=========================== ================================================================
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, get_args

from astraweave.bench import _fault_answers as answers
from astraweave.bench._fault_answers import Answer
from astraweave.core.rng import RandomStreams
from astraweave.errors import ConfigError, MissingExtraError, ModelUnavailable

__all__ = ["MODES", "FaultServer", "FaultServerProcess", "Mode", "main"]

Mode = Literal[
    "ok",
    "refuse",
    "reset",
    "reset_midway",
    "rate_limit",
    "rate_limit_retry_after",
    "server_error",
    "slow_headers",
    "slow_bytes",
    "malformed_sse",
    "malformed_json",
    "schema_violation",
    "huge",
    "other_answer",
    "mixed_answers",
    "silence",
]
MODES: tuple[Mode, ...] = get_args(Mode)

T = TypeVar("T")
_PATIENCE_S = 10.0
_SILENT = logging.Logger("astraweave.fault_server", logging.CRITICAL + 1)
_DIMENSIONS = 64


class FaultServer:
    """The server, on a thread of its own in this process. Thread-safe; use it in a `with`.

    Parameters
    ----------
    mode : str
        How it treats requests at first.
    seed : int
        Which of the possible nonsense is said.
    answer : callable, optional
        What the model says: from the request's JSON to a text, or to the calls that it wants.
    token_s : float
        Seconds before each token of a streamed answer; 0: all at once.
    slow_s, byte_s : float
        Seconds of ``slow_headers`` before an answer, and of ``slow_bytes`` before each byte.
    retry_after : str
        The header's value.
    choose : callable, optional
        From a request's number (0, 1, ...) to the mode that it meets, instead of `mode`.

    Attributes
    ----------
    url : str
        What a client takes for its `base_url`.
    served : Counter
        Requests by the mode that they met.
    requests : list of dict
        The last thousand requests' JSON.

    Examples
    --------
    >>> with FaultServer("rate_limit") as server:
    ...     server.url.startswith("http://127.0.0.1:")
    ...     server.mode = "ok"
    True
    """

    def __init__(
        self,
        mode: Mode = "ok",
        *,
        seed: int = 0,
        answer: Answer = answers.says,
        token_s: float = 0.0,
        slow_s: float = 30.0,
        byte_s: float = 1.0,
        retry_after: str = "1",
        choose: Callable[[int], Mode] | None = None,
    ) -> None:
        self._rng = RandomStreams(seed)["faults"]
        self._answer = answer
        self._token_s = token_s
        self._slow_s = slow_s
        self._byte_s = byte_s
        self._retry_after = retry_after
        self._choose = choose
        self._mode = _checked(mode)
        self.served: Counter[str] = Counter()
        self.requests: list[dict[str, Any]] = []
        self._number = 0
        self._ids = 0
        self._bound = _bind(0)
        self.port: int = self._bound.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._run, name="astraweave-fault-server", daemon=True
        )
        self._thread.start()
        try:
            self._call(self._open())
        except BaseException:
            self.close()
            raise

    @property
    def mode(self) -> Mode:
        """How requests are treated that come from now on; may be set at any time."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._call(self._switch(_checked(mode)))

    @property
    def connections(self) -> int:
        """How many clients are connected now."""

        async def count() -> int:
            return len(self._runner.server.connections)

        return self._call(count())

    def close(self) -> None:
        """Drop everybody and end the thread. Closing twice is allowed."""
        if self._thread.is_alive():
            with contextlib.suppress(Exception):
                self._call(self._shut())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._bound.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- on the server's own thread

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)

    async def _open(self) -> None:
        web = _web()
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=_SILENT,  # clients that hang up are what it is for
            handler_cancellation=True,
            shutdown_timeout=0.1,
        )
        await self._runner.setup()
        self._site: Any = None
        if self._mode != "refuse":
            await self._listen()

    async def _listen(self) -> None:
        self._site = _web().SockSite(self._runner, self._bound, backlog=1024)
        await self._site.start()

    async def _switch(self, mode: Mode) -> None:
        if mode == "refuse" and self._site is not None:
            await self._site.stop()
            self._site = None
            for connection in list(self._runner.server.connections):
                if connection.transport is not None:
                    connection.transport.abort()
            self._bound.close()
            self._bound = _bind(self.port)  # the port stays ours, and nobody listens
        elif mode != "refuse" and self._site is None:
            await self._listen()
        self._mode = mode

    async def _shut(self) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: Any) -> Any:
        raw = await request.read()
        asked = json.loads(raw) if raw else {}
        number, self._number = self._number, self._number + 1
        self.requests.append(asked)
        del self.requests[:-1000]
        mode = request.headers.get("X-Fault") or (
            self._choose(number) if self._choose is not None else self._mode
        )
        self.served[_checked(mode)] += 1
        answer = _FAULTS.get(mode, FaultServer._ok)
        return await answer(self, request, asked)

    async def _ok(self, request: Any, asked: dict[str, Any]) -> Any:
        if not _is_streamed(asked):
            return self._whole(request, self._body(request, asked))
        response = await self._begin(request)
        parts = answers.events(asked, self._answer(asked), self._next_id())
        if not self._token_s:
            parts = [b"".join(parts)]
        for part in parts:
            await asyncio.sleep(self._token_s)
            await response.write(part)
        return response

    async def _reset(self, request: Any, _asked: dict[str, Any]) -> Any:
        _reset(request.transport)
        return _web().Response()

    async def _reset_midway(self, request: Any, asked: dict[str, Any]) -> Any:
        body = self._expected(request, asked)
        response = await self._begin(request, streamed=_is_streamed(asked), length=len(body))
        await response.write(body[: len(body) // 2])
        await asyncio.sleep(0.02)  # what was sent is on its way
        _reset(request.transport)
        return response

    async def _rate_limit(self, _request: Any, _asked: dict[str, Any]) -> Any:
        return _web().json_response({"error": {"message": "Too many requests."}}, status=429)

    async def _rate_limit_retry_after(self, request: Any, asked: dict[str, Any]) -> Any:
        response = await self._rate_limit(request, asked)
        response.headers["Retry-After"] = self._retry_after
        return response

    async def _server_error(self, _request: Any, _asked: dict[str, Any]) -> Any:
        return _web().json_response({"error": {"message": "It broke."}}, status=500)

    async def _slow_headers(self, request: Any, asked: dict[str, Any]) -> Any:
        await asyncio.sleep(self._slow_s)
        return await self._ok(request, asked)

    async def _slow_bytes(self, request: Any, asked: dict[str, Any]) -> Any:
        body = self._expected(request, asked)
        response = await self._begin(request, streamed=_is_streamed(asked))
        for byte in body:
            await asyncio.sleep(self._byte_s)
            await response.write(bytes((byte,)))
        return response

    async def _malformed_sse(self, request: Any, asked: dict[str, Any]) -> Any:
        if not _is_streamed(asked):
            return await self._malformed_json(request, asked)
        return await self._say(request, asked, answers.broken_events(self._rng))

    async def _malformed_json(self, request: Any, asked: dict[str, Any]) -> Any:
        body = answers.broken_json(self._rng)
        return await self._say(request, asked, _as_event(body) if _is_streamed(asked) else body)

    async def _schema_violation(self, request: Any, asked: dict[str, Any]) -> Any:
        if asked.keys() & {"response_format", "structured_outputs", "grammar"}:
            said = answers.unheld(self._rng)
            if not _is_streamed(asked):
                return self._whole(request, answers.completion(asked, said, self._next_id()))
            told = b"".join(answers.events(asked, said, self._next_id()))
            return await self._say(request, asked, told)
        body = answers.violation(self._rng)
        return await self._say(request, asked, _as_event(body) if _is_streamed(asked) else body)

    async def _huge(self, request: Any, asked: dict[str, Any]) -> Any:
        streamed = _is_streamed(asked)
        response = await self._begin(request, streamed=streamed)
        for piece in answers.huge(streamed=streamed, rng=self._rng):
            await response.write(piece)
        return response

    async def _other_answer(self, request: Any, asked: dict[str, Any]) -> Any:
        other = f"{_request_id(request)[:-1]}?"  # nobody's
        if not _is_streamed(asked):
            return self._whole(request, self._body(request, asked), request_id=other)
        response = await self._begin(request, request_id=other)
        await response.write(self._expected(request, asked))
        return response

    async def _mixed_answers(self, request: Any, asked: dict[str, Any]) -> Any:
        if not _is_streamed(asked):
            return await self._other_answer(request, asked)
        mine, other = (
            answers.events(asked, self._answer(asked), self._next_id()) for _ in range(2)
        )
        half = len(mine) // 2
        return await self._say(request, asked, b"".join(mine[:half] + other[half:]))

    async def _silence(self, _request: Any, _asked: dict[str, Any]) -> Any:
        await asyncio.Event().wait()

    # -- pieces

    async def _say(self, request: Any, asked: dict[str, Any], body: bytes) -> Any:
        if not _is_streamed(asked):
            return self._whole(request, body)
        response = await self._begin(request)
        await response.write(body)
        return response

    async def _begin(
        self,
        request: Any,
        *,
        streamed: bool = True,
        length: int | None = None,
        request_id: str | None = None,
    ) -> Any:
        headers = {
            "Content-Type": "text/event-stream" if streamed else "application/json",
            "X-Request-Id": request_id or _request_id(request),
        }
        if length is not None and not streamed:
            headers["Content-Length"] = str(length)
        response = _web().StreamResponse(headers=headers)
        await response.prepare(request)
        return response

    def _whole(self, request: Any, body: bytes, *, request_id: str | None = None) -> Any:
        headers = {"X-Request-Id": request_id or _request_id(request)}
        return _web().Response(body=body, content_type="application/json", headers=headers)

    def _expected(self, request: Any, asked: dict[str, Any]) -> bytes:
        """The whole body that a friendly server would send."""
        if _is_streamed(asked):
            return b"".join(answers.events(asked, self._answer(asked), self._next_id()))
        return self._body(request, asked)

    def _body(self, request: Any, asked: dict[str, Any]) -> bytes:
        path = request.path.removeprefix("/v1")
        if path == "/models":
            return answers.model_list()
        if path == "/embeddings":
            return answers.vectors(asked, _embed)
        if path == "/chat/completions":
            return answers.completion(asked, self._answer(asked), self._next_id())
        raise _web().HTTPNotFound

    def _next_id(self) -> str:
        self._ids += 1
        return f"chatcmpl-{self._ids}"


_FAULTS: dict[str, Callable[[FaultServer, Any, dict[str, Any]], Coroutine[Any, Any, Any]]] = {
    mode: getattr(FaultServer, f"_{'reset' if mode == 'refuse' else mode}") for mode in MODES
}


class FaultServerProcess:
    """The same server in a process of its own, where it takes no time from the one that asks.

    Parameters
    ----------
    mode : str
        How it treats requests at first.
    answer : str
        What the model says.
    **settings
        Further settings of `FaultServer` that are numbers or texts.

    Raises
    ------
    ModelUnavailable
        The process did not come up; its own words are in the text.
    """

    def __init__(self, mode: Mode = "ok", *, answer: str = "", **settings: float | str) -> None:
        self._mode = _checked(mode)
        # A file, not a pipe: nobody reads it while the server runs.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        try:
            self.url: str = self._ask({"mode": mode, "answer": answer, **settings})["url"]
        except BaseException:
            self.close()
            raise

    @property
    def mode(self) -> Mode:
        """How requests are treated that come from now on; may be set at any time."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._ask({"mode": _checked(mode)})
        self._mode = mode

    @property
    def served(self) -> Counter[str]:
        """Requests by the mode that they met."""
        return Counter(self._ask({})["served"])

    def close(self) -> None:
        """End the process. Closing twice is allowed."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._said.seek(0)
            said = self._said.read().decode("utf-8", "replace").strip()
            raise ModelUnavailable(f"the fault server's process ended: {said[-500:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def main() -> int:
    """Serve until the orders end: JSON a line, the settings first, then modes."""
    first = json.loads(sys.stdin.readline())
    line: str = first.pop("answer")
    said: Answer = (lambda _request: line) if line else answers.says
    with FaultServer(answer=said, **first) as server:
        _tell({"url": server.url})
        for order in map(json.loads, sys.stdin):
            if "mode" in order:
                server.mode = order["mode"]
            _tell({"served": dict(server.served)})
    return 0


def _tell(fact: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


def _web() -> Any:
    try:
        from aiohttp import web
    except ImportError:
        raise MissingExtraError("the fault server", "http") from None
    return web


def _checked(mode: str) -> Mode:
    if mode not in MODES:
        raise ConfigError(f"{mode!r} is no mode; there are: {', '.join(MODES)}", mode=mode)
    return mode


def _bind(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def _reset(transport: Any) -> None:
    """Drop the connection so that the other side gets ECONNRESET, not an end."""
    if transport is not None:
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()


def _is_streamed(asked: dict[str, Any]) -> bool:
    return asked.get("stream") is True


def _as_event(body: bytes) -> bytes:
    return b"data: " + body + b"\n\n"


def _request_id(request: Any) -> str:
    return request.headers.get("X-Request-Id", "nobody's")  # type: ignore[no-any-return]


def _embed(texts: list[str]) -> list[list[float]]:
    from astraweave.embeddings import MockEmbeddingClient

    made: list[list[float]] = MockEmbeddingClient(_DIMENSIONS).embed_batch(texts).tolist()
    return made


if __name__ == "__main__":
    sys.exit(main())
