"""A world opens on any machine, with the models that can be had."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import astraweave as aw
from astraweave.embeddings import MockEmbeddingClient
from astraweave.errors import ConfigError
from astraweave.world.brains import ModelWarning


def test_without_the_extras_a_world_opens_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    with pytest.warns(ModelWarning, match=r"astraweave\[cpu\]"):
        world = aw.World.open(tmp_path, settings=aw.Settings(offline=True))
    with world:
        assert world.model_info is None
        assert len(world.notices) == 2
        assert world.npc("tam", persona="tam").say("Hello!").wait().text


def test_missing_models_are_a_warning(tmp_path: Path) -> None:
    settings = aw.Settings(offline=True, home=tmp_path / "home")
    with pytest.warns(ModelWarning, match="model '"):
        world = aw.World.open(tmp_path / "slot", settings=settings)
    with world:
        assert isinstance(world._brains.embedder, MockEmbeddingClient)
        assert world.npc("tam", persona="tam").say("Hello!").wait().tiers == ("composed",) * 2


def test_an_unknown_provider_is_refused_and_the_slot_is_free(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nonsense"):
        aw.World.open(tmp_path, settings=aw.Settings(offline=True, provider="nonsense"))
    aw.World.open(tmp_path, settings=aw.Settings(model="none", embedder="mock")).close()


@pytest.mark.models
@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json", "config.json", "manifest.json"])
def test_a_damaged_model_is_a_warning(
    tmp_path: Path, model_store, decoder_files, encoder_files, file: str
) -> None:
    home = tmp_path / "home"
    folder = home / "models" / decoder_files.directory.name
    folder.mkdir(parents=True)
    for path in decoder_files.directory.iterdir():
        if path.name == file:
            (folder / path.name).write_bytes(path.read_bytes()[:100])
        else:
            (folder / path.name).symlink_to(path)
    settings = aw.Settings(offline=True, home=home, embedder="mock")
    with pytest.warns(ModelWarning, match="language model"):
        world = aw.World.open(tmp_path / "slot", settings=settings)
    with world:
        assert world.npc("tam", persona="tam").say("Hello!").wait().text
