"""The server of faults on a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from astraweave.bench import _fault_answers as answers
from astraweave.bench._fault_answers import Answer
from astraweave.bench._fault_handlers import FaultHandlers
from astraweave.bench._fault_modes import Mode, aiohttp_web, checked
from astraweave.core.closing import Closing
from astraweave.core.rng import RandomStreams

__all__ = ["FaultServer"]

T = TypeVar("T")
_PATIENCE_S = 10.0
_SILENT = logging.Logger("astraweave.fault_server", logging.CRITICAL + 1)


class FaultServer(Closing):
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
        self._handlers = FaultHandlers(
            RandomStreams(seed)["faults"],
            answer,
            token_s=token_s,
            slow_s=slow_s,
            byte_s=byte_s,
            retry_after=retry_after,
        )
        self._choose = choose
        self._mode = checked(mode)
        self.served: Counter[str] = Counter()
        self.requests: list[dict[str, Any]] = []
        self._number = 0
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
        self._call(self._switch(checked(mode)))

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

    # -- on the server's own thread

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)

    async def _open(self) -> None:
        web = aiohttp_web()
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
        self._site = aiohttp_web().SockSite(self._runner, self._bound, backlog=1024)
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
        chosen = self._choose(number) if self._choose is not None else self._mode
        mode = checked(request.headers.get("X-Fault") or chosen)
        self.served[mode] += 1
        return await self._handlers.handle(mode, request, asked)


def _bind(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound
