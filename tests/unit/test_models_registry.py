from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest

from astraweave.core.settings import DEFAULT_EMBEDDER, DEFAULT_MODEL, Settings
from astraweave.errors import ConfigError
from astraweave.models import ModelCard, ModelStore, Registry
from astraweave.models.sources import FileSource, HubSource, UrlSource, WheelSource

ENTRY = """
[[models]]
id = "tiny"
family = "test"
version = "1"
task = "chat"
licence = "MIT"
dims = 64
context = 128
source = { kind = "file", path = "/somewhere" }
files = { "model.gguf" = "tiny.gguf" }
sha256 = { "model.gguf" = "%s" }
""" % ("0" * 64)


def load(folder: Path, text: str) -> Registry:
    path = folder / "registry.toml"
    path.write_text(text, encoding="utf-8")
    return Registry.load(path)


def test_the_defaults_are_known() -> None:
    registry = Registry.default()
    assert {DEFAULT_MODEL, DEFAULT_EMBEDDER} <= {card.id for card in registry}
    assert registry[DEFAULT_MODEL].task == "chat"
    assert registry[DEFAULT_EMBEDDER].dims == 384
    assert all(isinstance(card.source, WheelSource) for card in registry)


def test_a_registry_written_is_the_registry_read(tmp_path: Path) -> None:
    sources = [
        HubSource(repo="o/n", revision="v1"),
        UrlSource(url="https://example.org/w"),
        FileSource(path='C:\\a "b"\\ü'),
    ]
    card = load(tmp_path, ENTRY)["tiny"]
    cards = [
        msgspec.structs.replace(card, id=f"m{number}", source=source)
        for number, source in enumerate(sources)
    ]
    registry = Registry([*Registry.default(), *cards])
    again = load(tmp_path, registry.toml())
    assert list(again) == list(registry)
    assert len(again) == 5


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("family =", "famly =", ["'tiny'", "'famly'", "did you mean 'family'"]),
        ("[[models]]", "[[model]]", ["'model'", "did you mean 'models'"]),
        ('kind = "file"', 'kind = "flie"', ["'tiny'", "source.kind", "'flie'", "'file'"]),
        ("path =", "paht =", ["'tiny'", "source", "'paht'", "did you mean 'path'"]),
        ('task = "chat"', 'task = "chats"', ["'tiny'", "chats", "$.task"]),
        ("dims = 64", 'dims = "64"', ["'tiny'", "$.dims"]),
        ("dims = 64", "dims = 0", ["'tiny'", "dims"]),
        ('licence = "MIT"', "", ["'tiny'", "licence"]),
        ('id = "tiny"', 'id = "../tiny"', ["../tiny"]),
        ('id = "tiny"', "", ["number 1", "id"]),
        ('{ "model.gguf" = "tiny.gguf" }', '{ "../m" = "x" }', ["'tiny'", "../m"]),
        ('sha256 = { "model.gguf"', 'sha256 = { "model.guf"', ["model.guf", "'model.gguf'"]),
        ("0" * 64, "0" * 63, ["'tiny'", "sha256", "64"]),
        ("[[models]]", "[[models]", ["TOML", "line 2"]),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    assert old in ENTRY
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, ENTRY.replace(old, new, 1))
    for part in ("registry.toml", *expected):
        assert part in str(caught.value)


def test_an_entry_may_stand_once_only(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'tiny'.* twice"):
        load(tmp_path, ENTRY + ENTRY)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        Registry.load(tmp_path / "none.toml")
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot read"):
        Registry.load(tmp_path / "x.toml")


def test_an_unknown_model_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'smollm2-135m-instruct'"):
        Registry.default()["smolm2-135m-instruct"]


def test_the_users_own_registry_adds_and_replaces(tmp_path: Path) -> None:
    own = ENTRY + ENTRY.replace('"tiny"', f'"{DEFAULT_MODEL}"')
    (tmp_path / "registry.toml").write_text(own)
    store = ModelStore(Settings(home=tmp_path))
    assert store.registry["tiny"].family == "test"
    assert store.registry[DEFAULT_MODEL].family == "test"
    assert DEFAULT_EMBEDDER in store.registry


def test_the_packaged_file_has_every_field() -> None:
    path = Path(__file__).parents[2] / "src/astraweave/models/registry.toml"
    for entry in tomllib.loads(path.read_text())["models"]:
        assert set(entry) == set(ModelCard.__struct_fields__)
