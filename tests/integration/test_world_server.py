"""A world that thinks on a server, by settings alone."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

import astraweave as aw
from astraweave.bench.fault_server import FaultServer
from astraweave.core.settings import Settings, server_address
from astraweave.embeddings import MockEmbeddingClient, OpenAIEmbedder
from astraweave.errors import ConfigError
from astraweave.llm import OpenAILanguageModel
from astraweave.world.brains import ModelWarning


def test_a_world_talks_through_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY_OF_THIS_TEST", "sk-0123456789")
    with FaultServer(answer=lambda _: "The forge is warm today.") as server:
        settings = aw.Settings(
            model=f"{server.url}#smith",
            embedder=f"{server.url}#vectors",
            model_key_env="A_KEY_OF_THIS_TEST",
        )
        assert "sk-0123456789" not in repr(settings)
        with aw.World.open(tmp_path, settings=settings) as world:
            assert world.notices == ()
            assert world.model_info is not None
            assert world.model_info.id == "smith"
            assert isinstance(world._brains.model, OpenAILanguageModel)
            assert isinstance(world._brains.embedder, OpenAIEmbedder)
            assert world.npc("tam", persona="tam").say("How is the forge?").wait().text
        asked = [each for each in server.requests if "messages" in each]
        assert asked
        assert asked[0]["model"] == "smith"


def test_a_server_that_is_not_there_takes_nothing_from_the_game(tmp_path: Path) -> None:
    with FaultServer("refuse") as server:
        settings = aw.Settings(model=server.url, embedder=f"{server.url}#vectors")
        with pytest.warns(ModelWarning, match="embedding model"):
            world = aw.World.open(tmp_path, settings=settings)
        with world:
            assert isinstance(world._brains.embedder, MockEmbeddingClient)
            assert world.npc("tam", persona="tam").say("Hello!").wait().text
            server.mode = "ok"
            assert world.npc("tam").say("How is the forge?").wait().text


def test_a_key_that_is_not_set_is_said_by_its_variable(tmp_path: Path) -> None:
    settings = aw.Settings(
        model="https://models.example.com/v1#m", model_key_env="NO_SUCH_KEY", embedder="mock"
    )
    with pytest.warns(ModelWarning, match="NO_SUCH_KEY, which should hold the key, is not set"):
        world = aw.World.open(tmp_path, settings=settings)
    with world:
        assert world.model_info is None


@pytest.mark.parametrize("address", ["http://me:word@x/v1", "https://x/v1?key=word"])
def test_settings_hold_no_password_and_do_not_repeat_one(address: str) -> None:
    for name in ("model", "embedder", "proxy"):
        with pytest.raises(ConfigError, match=f"the address in {name}") as caught:
            Settings.from_environment({f"ASTRAWEAVE_{name.upper()}": address})
        assert "word@" not in str(caught.value)
        assert "=word" not in str(caught.value)


def test_what_is_an_address_and_what_an_entry_of_the_registry() -> None:
    assert server_address("http://127.0.0.1:8080/v1") == ("http://127.0.0.1:8080/v1", "")
    assert server_address("none") is None
    settings = Settings(model="http://127.0.0.1:8080/v1#a", embedder="some-embedder")
    assert settings.registry_models == ("some-embedder",)
    assert Settings(model="none", embedder="mock").registry_models == ()
