"""What aiohttp keeps for one server: its session, with its connections and headers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astraweave.errors import ConfigError, MissingExtraError
from astraweave.inference._http_url import Endpoint, checked_header, checked_key

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Connections", "connection_errors", "hung_up", "load_aiohttp", "request_headers"]

_KEEP_ALIVE_S = 4.0
"""Below the five seconds after which common servers hang up on an idle connection."""


class Connections:
    """The session of aiohttp, which must begin and end on the loop's thread."""

    def __init__(
        self,
        *,
        headers: dict[str, str],
        limit: int,
        connect_s: float,
        ca_file: str | Path | None,
    ) -> None:
        self._headers = headers
        self._limit = limit
        self._connect_s = connect_s
        self._ca_file = ca_file
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> aiohttp.ClientSession:
        if self._session is None:
            aiohttp = load_aiohttp()
            tracing = aiohttp.TraceConfig()
            tracing.on_connection_reuseconn.append(_reused)
            tracing.on_request_headers_sent.append(_asked)
            verify: Any = True
            if self._ca_file is not None:
                import ssl

                verify = ssl.create_default_context(cafile=str(self._ca_file))
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._limit, keepalive_timeout=_KEEP_ALIVE_S, ssl=verify
                ),
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=self._connect_s, sock_read=None
                ),
                trace_configs=[tracing],
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


async def _reused(_session: object, context: Any, _what: object) -> None:
    context.trace_request_ctx.reused = True


async def _asked(_session: object, context: Any, _what: object) -> None:
    context.trace_request_ctx.asked()


def request_headers(endpoint: Endpoint, key: str | None, more: Mapping[str, str]) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "astraweave",
    }
    for name, value in more.items():
        checked_header(name, value)
        if name.lower() in ("host", "content-length", "transfer-encoding", "x-request-id"):
            raise ConfigError(f"the header {name} is not yours to set", field=name)
        checked_key(value, endpoint)
        headers[name] = value
    if key is not None:
        headers["Authorization"] = f"Bearer {checked_key(key, endpoint)}"
    return headers


def load_aiohttp() -> Any:
    try:
        import aiohttp
    except ImportError:
        raise MissingExtraError("a model on a server", "http") from None
    return aiohttp


def connection_errors() -> tuple[type[Exception], ...]:
    """What aiohttp and the connection raise."""
    return (load_aiohttp().ClientError, OSError, UnicodeError)


def hung_up() -> tuple[type[Exception], ...]:
    """What is raised where the other side has closed the connection."""
    aiohttp = load_aiohttp()
    return (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
