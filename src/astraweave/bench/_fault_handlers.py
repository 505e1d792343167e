"""How the server of faults answers a request in each of its modes."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Callable, Coroutine
from typing import Any

from astraweave.bench import _fault_answers as answers
from astraweave.bench._fault_answers import Answer
from astraweave.bench._fault_modes import MODES, Mode, aiohttp_web

__all__ = ["FaultHandlers"]

_DIMENSIONS = 64


class FaultHandlers:
    """Answers requests well or badly; lives on the server's loop.

    Parameters
    ----------
    rng : random.Random
        Which of the possible nonsense is said.
    answer : callable
        What the model says.
    token_s, slow_s, byte_s : float
        See `FaultServer`.
    retry_after : str
        The header's value.
    """

    def __init__(
        self,
        rng: random.Random,
        answer: Answer,
        *,
        token_s: float,
        slow_s: float,
        byte_s: float,
        retry_after: str,
    ) -> None:
        self._rng = rng
        self._answer = answer
        self._token_s = token_s
        self._slow_s = slow_s
        self._byte_s = byte_s
        self._retry_after = retry_after
        self._ids = 0

    async def handle(self, mode: Mode, request: Any, asked: dict[str, Any]) -> Any:
        """Treat a request as the mode says."""
        return await _FAULTS[mode](self, request, asked)

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
        return aiohttp_web().Response()

    async def _reset_midway(self, request: Any, asked: dict[str, Any]) -> Any:
        body = self._expected(request, asked)
        response = await self._begin(request, streamed=_is_streamed(asked), length=len(body))
        await response.write(body[: len(body) // 2])
        await asyncio.sleep(0.02)  # what was sent is on its way
        _reset(request.transport)
        return response

    async def _rate_limit(self, _request: Any, _asked: dict[str, Any]) -> Any:
        return aiohttp_web().json_response({"error": {"message": "Too many requests."}}, status=429)

    async def _rate_limit_retry_after(self, request: Any, asked: dict[str, Any]) -> Any:
        response = await self._rate_limit(request, asked)
        response.headers["Retry-After"] = self._retry_after
        return response

    async def _server_error(self, _request: Any, _asked: dict[str, Any]) -> Any:
        return aiohttp_web().json_response({"error": {"message": "It broke."}}, status=500)

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
        response = aiohttp_web().StreamResponse(headers=headers)
        await response.prepare(request)
        return response

    def _whole(self, request: Any, body: bytes, *, request_id: str | None = None) -> Any:
        headers = {"X-Request-Id": request_id or _request_id(request)}
        return aiohttp_web().Response(body=body, content_type="application/json", headers=headers)

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
        raise aiohttp_web().HTTPNotFound

    def _next_id(self) -> str:
        self._ids += 1
        return f"chatcmpl-{self._ids}"


_Handler = Callable[[FaultHandlers, Any, dict[str, Any]], Coroutine[Any, Any, Any]]
_FAULTS: dict[Mode, _Handler] = {
    mode: getattr(FaultHandlers, f"_{'reset' if mode == 'refuse' else mode}") for mode in MODES
}


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
