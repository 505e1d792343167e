"""Where the differential tests find published vocabularies."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--weights", metavar="DIR", help="a folder that holds the default weights")


def _tokenizer_file(config: pytest.Config, pattern: str, model_id: str) -> Path:
    folder = config.getoption("--weights", default=None)
    if folder:
        for found in sorted(Path(folder).rglob("*")):
            if found.match(pattern):
                return found
    try:
        from astraweave.core.settings import Settings
        from astraweave.models import ModelStore
    except ImportError:
        pytest.skip(f"needs {model_id}: pass --weights DIR with a file like {pattern}")
    return Path(ModelStore(Settings()).ensure(model_id).tokenizer)


@pytest.fixture(scope="session")
def smollm2_gguf(pytestconfig: pytest.Config) -> Path:
    """SmolLM2's GGUF, or the tokenizer.json that was written from it."""
    return _tokenizer_file(pytestconfig, "SmolLM2-135M-Instruct*.gguf", "smollm2-135m-instruct")


@pytest.fixture(scope="session")
def minilm_tokenizer_json(pytestconfig: pytest.Config) -> Path:
    return _tokenizer_file(pytestconfig, "*all-MiniLM-L6-v2/tokenizer.json", "all-minilm-l6-v2")
