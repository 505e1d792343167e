"""Where requests go, with whose trust, and what is done with odd answers."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")

from astraweave.errors import (
    AstraweaveError,
    CapacityError,
    ConfigError,
    InputError,
    InvalidResponse,
    ModelTimeout,
    ModelUnavailable,
    UsageError,
)
from astraweave.inference.event_loop import EventLoop
from astraweave.inference.http import HttpClient, HttpTimeouts

KEY = "sk-0123456789-very-secret"


class Handler(BaseHTTPRequestHandler):
    """Says what its server was told to, and remembers who asked."""

    server: Any
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.path, dict(self.headers)))
        status, headers, body = self.server.told
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(
    status: int = 200, body: bytes = b"{}", tls: ssl.SSLContext | None = None, **headers: str
) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.asked = []
    server.told = (status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None
    server.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(url: str, content: object = None, **settings: Any) -> bytes:
    with HttpClient(url, **settings) as client:
        return client.call(lambda: client.ask("/x", content))


def test_a_key_does_not_follow_a_redirect() -> None:
    with serving() as other, serving(307, Location=other.url + "/y") as server:
        with pytest.raises(ConfigError, match="sends requests elsewhere"):
            ask(server.url, {}, key=KEY)
        assert server.asked[0][1]["Authorization"] == f"Bearer {KEY}"
        assert other.asked == []


def test_no_proxy_and_no_password_is_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password word\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serving() as proxy, serving() as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert ask(server.url) == b"{}"
        assert proxy.asked == []
        assert "Authorization" not in server.asked[0][1]
        assert ask("http://nowhere.test/v1", proxy=proxy.url) == b"{}"
        assert proxy.asked[0][0] == "http://nowhere.test/v1/x"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1".split()
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key)]
    subprocess.run([*command, "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


def test_a_certificate_is_verified(certificate: tuple[Path, Path]) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    with serving(tls=tls) as server:
        with pytest.raises(ModelUnavailable, match="is not trusted") as caught:
            ask(server.url, key=KEY)
        assert KEY not in str(caught.value)
        assert server.asked == []
        assert ask(server.url, key=KEY, ca_file=certificate[0]) == b"{}"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (204, b"", InvalidResponse),
        (301, b"", ConfigError),
        (400, b'{"error": {"message": "no"}}', InputError),
        (400, b'{"error": {"type": "exceed_context_size_error"}}', CapacityError),
        (400, b'{"error": {"code": "context_length_exceeded"}}', CapacityError),
        (401, b"", ConfigError),
        (402, b"", ModelUnavailable),
        (403, b"", ConfigError),
        (404, b'{"error": {"message": "no such model"}}', ConfigError),
        (408, b"", ModelTimeout),
        (413, b"", CapacityError),
        (422, b'{"detail": [{"loc": ["x"]}]}', InputError),
        (429, b"", ModelUnavailable),
        (500, b"<html><h1>oh", ModelUnavailable),
        (502, b"\xff" * 100_000, ModelUnavailable),
        (503, b'{"error": "loading"}', ModelUnavailable),
        (504, b"[" * 8000, ModelTimeout),
    ],
)
def test_every_status_has_its_error(status: int, body: bytes, kind: type[AstraweaveError]) -> None:
    with serving(status, body) as server, pytest.raises(kind) as caught:
        ask(server.url, {})
    assert caught.value.details["status"] == status
    assert len(str(caught.value)) < 600
    assert "<h1>" not in str(caught.value)


def test_credit_that_is_used_up_is_no_rate_limit() -> None:
    body = b'{"error": {"code": "insufficient_quota", "message": "pay"}}'
    with serving(429, body) as server, pytest.raises(ModelUnavailable) as caught:
        ask(server.url)
    assert caught.value.details["rate_limited"] is False


def test_a_server_that_is_loading_says_when() -> None:
    with serving(503, b"", Retry_After="7") as server, pytest.raises(ModelUnavailable) as caught:
        ask(server.url)
    assert caught.value.details["retry_after_s"] == 7.0


def test_an_answer_too_long_is_cut_off() -> None:
    with serving(body=b"a" * 2_000_000) as server:
        with pytest.raises(InvalidResponse, match="more than 1,000,000 bytes"):
            ask(server.url, max_bytes=1_000_000)
        assert len(ask(server.url)) == 2_000_000


def test_a_compressed_answer_is_not_unpacked() -> None:
    with (
        serving(body=b"\x1f\x8b", Content_Encoding="gzip") as server,
        pytest.raises(InvalidResponse, match="compressed"),
    ):
        ask(server.url)
    assert server.asked[0][1]["Accept-Encoding"] == "identity"


def test_cookies_are_not_kept() -> None:
    with serving(Set_Cookie="a=b") as server:
        with HttpClient(server.url) as client:
            for _ in range(2):
                client.call(lambda: client.ask("/x"))
        assert "Cookie" not in server.asked[1][1]


@pytest.mark.parametrize("wrong", [{"X Y": "a"}, {"X": "a\r\nY: b"}, {"Host": "other"}, {"X": ""}])
def test_headers_that_cannot_be_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        HttpClient("http://127.0.0.1:1", headers=wrong)


@pytest.mark.parametrize("wrong", [0, -1.0, float("nan")])
def test_times_must_be_above_nothing(wrong: float) -> None:
    with pytest.raises(ConfigError, match="first_s must be above 0"):
        HttpTimeouts(first_s=wrong)


def test_clients_may_share_a_loop_which_outlives_them() -> None:
    loop = EventLoop("shared")
    try:
        with serving() as server:
            first, second = (HttpClient(server.url, loop=loop) for _ in range(2))
            assert first.call(lambda: first.ask("/x")) == b"{}"
            first.close()
            with pytest.raises(UsageError, match="closed"):
                first.call(lambda: first.ask("/x"))
            assert second.call(lambda: second.ask("/x")) == b"{}"
    finally:
        loop.stop()
        loop.stop()
    second.close()
    with pytest.raises(UsageError, match="closed"):
        second.call(lambda: second.ask("/x"))


def test_a_loop_does_not_wait_for_itself() -> None:
    with serving() as server, HttpClient(server.url) as client:

        async def from_within() -> bytes:
            return client.call(lambda: client.ask("/x"))

        with pytest.raises(UsageError, match="wait for itself"):
            client.call(from_within)
