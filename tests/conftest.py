"""Fixtures that need more than a line; the default weights are fetched on first use."""

from __future__ import annotations

import functools

import msgspec
import pytest

from astraweave.core.settings import DEFAULT_EMBEDDER, DEFAULT_MODEL, Settings
from astraweave.errors import ModelUnavailable
from astraweave.inference._row_copy import row_copy_graph
from astraweave.models import ModelFiles, ModelStore, Tokenizer


@pytest.fixture(scope="session")
def model_store() -> ModelStore:
    """The user's own store (``ASTRAWEAVE_HOME``, or the cache folder)."""
    return ModelStore(Settings.from_environment())


@pytest.fixture(scope="session")
def decoder_files(model_store: ModelStore) -> ModelFiles:
    return _ensured(model_store, DEFAULT_MODEL)


@pytest.fixture(scope="session")
def encoder_files(model_store: ModelStore) -> ModelFiles:
    return _ensured(model_store, DEFAULT_EMBEDDER)


@pytest.fixture(scope="session", params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> str:
    """Name of a provider; a test that takes it runs on every one that this machine has."""
    if request.param == "cuda" and (reason := _why_no_cuda()):
        pytest.skip(f"no GPU to test on: {reason} (docs/gpu.md says how to run this)")
    return str(request.param)


@functools.cache
def _why_no_cuda() -> str:
    try:
        import onnxruntime
    except ImportError:
        return "onnxruntime is not installed"
    wanted = "CUDAExecutionProvider"
    if wanted not in onnxruntime.get_available_providers():
        return "this onnxruntime was built without CUDA"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            row_copy_graph(1, (1, 1, 1), "float32"), options, providers=[wanted], enable_fallback=0
        )
    except Exception as error:
        return str(error).splitlines()[0]
    return "" if session.get_providers()[0] == wanted else "CUDA's libraries did not load"


@pytest.fixture(scope="session")
def byte_tokenizer() -> Tokenizer:
    """All bytes, some pieces of JSON and of English, and two control tokens; no weights needed."""
    pieces = (
        'in an er on or the and to of ed es ing is at it 00 10 12 99 "a "b ", ": {" "} [" "] ]} }, '
        'al se true null false ne on", "na name ca cat categ " me 123'
    ).split()
    others = [byte for byte in range(256) if not 0x21 <= byte < 0x7F and not 0xA1 <= byte != 0xAD]
    letter = {byte: chr(0x100 + at) for at, byte in enumerate(others)}
    vocab = {letter.get(byte, chr(byte)): byte for byte in range(256)}
    merges = []
    for piece in pieces:
        whole = "".join(letter.get(byte, chr(byte)) for byte in piece.encode())
        for end in range(2, len(whole) + 1):
            if whole[:end] not in vocab:
                vocab[whole[:end]] = len(vocab)
                merges.append([whole[: end - 1], whole[end - 1]])
    control = [
        {"id": len(vocab) + at, "content": content, "special": True}
        for at, content in enumerate(("<|end|>", "<|system|>"))
    ]
    plain = {"type": "ByteLevel", "add_prefix_space": False}
    document = {
        "model": {"type": "BPE", "vocab": vocab, "merges": merges},
        "added_tokens": control,
        "pre_tokenizer": plain,
        "decoder": plain,
    }
    return Tokenizer.from_json(msgspec.json.encode(document))


def _ensured(store: ModelStore, model_id: str) -> ModelFiles:
    try:
        return store.ensure(model_id)
    except ModelUnavailable as error:
        if store.offline:
            pytest.skip(f"ASTRAWEAVE_OFFLINE is set and the weights are missing: {error}")
        raise
