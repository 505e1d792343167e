"""The server that does everything wrong does it as it says."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from astraweave.bench.fault_server import MODES, FaultServer, FaultServerProcess
from astraweave.errors import ConfigError

aiohttp = pytest.importorskip("aiohttp")

ASKED = {
    "model": "m",
    "messages": [{"role": "user", "content": "Is it warm?"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}


def ask(
    url: str, mode: str | None = None, path: str = "/chat/completions", **changes: Any
) -> tuple[int, bytes]:
    """Status and body; no answer in half a second is a TimeoutError."""

    async def post() -> tuple[int, bytes]:
        limit = aiohttp.ClientTimeout(total=0.5)
        headers = {"X-Request-Id": "mine", **({"X-Fault": mode} if mode else {})}
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.post(url + path, json=ASKED | changes, headers=headers) as response,
        ):
            return response.status, await response.read()

    return asyncio.run(post())


def test_a_friendly_answer_has_words_usage_and_an_end() -> None:
    with FaultServer(answer=lambda _: "Aye, it is.") as server:
        status, body = ask(server.url)
        assert status == 200
        assert body.count(b"data: ") == 7  # role, three words, the end, usage, [DONE]
        assert body.endswith(b"data: [DONE]\n\n")
        assert b'"completion_tokens":3' in body
        status, body = ask(server.url, stream=False, max_tokens=2)
        assert b'"content":"Aye, it"' in body
        assert b'"finish_reason":"length"' in body


def test_a_connection_is_refused_and_then_taken_on_the_same_port() -> None:
    with FaultServer() as server:
        server.mode = "refuse"
        with pytest.raises(aiohttp.ClientConnectorError):
            ask(server.url)
        server.mode = "ok"
        assert ask(server.url)[0] == 200


def test_a_server_that_begins_by_refusing_listens_later() -> None:
    with FaultServer("refuse") as server:
        with pytest.raises(aiohttp.ClientConnectorError):
            ask(server.url)
        server.mode = "server_error"
        assert ask(server.url)[0] == 500


@pytest.mark.parametrize("mode", ["silence", "slow_headers", "slow_bytes"])
def test_who_is_kept_waiting_holds_nobody_up(mode: str) -> None:
    with FaultServer() as server:
        with pytest.raises(TimeoutError):
            ask(server.url, mode)
        assert ask(server.url)[0] == 200
        assert server.served == {mode: 1, "ok": 1}


def test_a_process_of_its_own_is_steered_from_here() -> None:
    with FaultServerProcess(answer="Aye.") as server:
        assert b"Aye." in ask(server.url)[1]
        server.mode = "server_error"
        assert ask(server.url)[0] == 500
        assert server.served == {"ok": 1, "server_error": 1}
        server.close()


def test_requests_meet_what_their_number_says() -> None:
    with FaultServer(choose=lambda n: "server_error" if n % 2 else "ok") as server:
        assert [ask(server.url)[0] for _ in range(4)] == [200, 500, 200, 500]


def test_an_unknown_mode_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="'meteor' is no mode; there are: ok, refuse"):
        FaultServer("meteor")  # type: ignore[arg-type]
    assert len(set(MODES)) == 16
