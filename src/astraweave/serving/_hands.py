"""A few threads for somebody else's code."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

__all__ = ["Hands"]

_LOG = logging.getLogger(__name__)


class Hands:
    """Runs calls that may take a while on up to `most` daemon threads. Thread-safe."""

    def __init__(self, name: str, most: int = 4) -> None:
        self._name = name
        self._most = most
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False

    def run(self, call: Callable[[], None]) -> None:
        """Run it soon; nothing is run after `close`."""
        with self._lock:
            if self._closed:
                return
            self._calls.put(call)
            if self._idle < self._calls.qsize() and len(self._threads) < self._most:
                thread = threading.Thread(
                    target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def close(self, timeout: float = 1.0) -> None:
        """Let the threads end; one that hangs in somebody else's code is left behind."""
        with self._lock:
            self._closed = True
            threads = tuple(self._threads)
        for _ in threads:
            self._calls.put(None)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(timeout)

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            call = self._calls.get()
            with self._lock:
                self._idle -= 1
            if call is None:
                return
            try:
                call()
            except Exception:  # noqa: BLE001 - the thread is for others as well
                _LOG.exception("a call failed")
