"""The ONNX embedder on a small real encoder: mean of table rows, scaled to length 1."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from astraweave.core.settings import Settings
from astraweave.embeddings import EmbeddingClient, OnnxEmbedder
from astraweave.errors import (
    ConfigError,
    CorruptDataError,
    InputError,
    InvalidResponse,
    ModelUnavailable,
    UsageError,
)
from astraweave.inference import Sessions
from astraweave.observability import Telemetry

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

DIMENSIONS, MAX_TOKENS = 6, 10
TABLE = np.random.default_rng(0).normal(size=(128, DIMENSIONS)).astype(np.float32)


class Letters:
    """One token a character, between 1 and 2."""

    def encode_for_model(self, text: str, max_tokens: int) -> list[int]:
        return [1, *(3 + ord(one) % 120 for one in text[: max_tokens - 2]), 2]


def encoder_graph() -> object:
    helper, tensor = onnx.helper, onnx.TensorProto
    constants = {"table": TABLE, "axis1": np.array([1]), "axis2": np.array([2])}
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"], axis=0),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=tensor.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "axis2"], ["column"]),
        helper.make_node("Mul", ["rows", "column"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "axis1"], ["sum"], keepdims=0),
        helper.make_node("LpNormalization", ["sum"], ["sentence_embedding"], axis=-1, p=2),
    ]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [
            helper.make_tensor_value_info(name, tensor.INT64, ["batch", "sequence"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("sentence_embedding", tensor.FLOAT, ["batch", DIMENSIONS])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    onnx.save(encoder_graph(), str(tmp_path / "model.onnx"))
    config = {"kind": "encoder", "id": "letters", "dimensions": DIMENSIONS, "pooling": "mean"}
    (tmp_path / "config.json").write_text(json.dumps(config | {"max_tokens": MAX_TOKENS}))
    (tmp_path / "tokenizer.json").write_text("{}")
    return tmp_path


@pytest.fixture
def sessions():
    with Sessions(Settings(threads=1)) as opened:
        yield opened


def expected(text: str) -> np.ndarray:
    total = TABLE[Letters().encode_for_model(text, MAX_TOKENS)].sum(axis=0)
    return total / np.linalg.norm(total)


TEXTS = [
    "a much longer text than the window",
    "",
    "b",
    "middle",
    "b",
    "zz top",
    "\x00\ud800",
    "x" * 9,
]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_vectors_come_in_the_order_of_the_texts(
    folder: Path, sessions: Sessions, exact: bool, batch_size: int
) -> None:
    embedder = OnnxEmbedder(
        folder, sessions=sessions, exact=exact, batch_size=batch_size, tokenizer=Letters()
    )
    assert isinstance(embedder, EmbeddingClient)
    vectors = embedder.embed_batch(TEXTS)
    assert (vectors.shape, vectors.dtype) == ((len(TEXTS), DIMENSIONS), np.float32)
    np.testing.assert_allclose(vectors, [expected(text) for text in TEXTS], atol=1e-6)
    if exact:
        assert (vectors == [embedder.embed(text) for text in TEXTS]).all()
    assert embedder.embed_batch([]).shape == (0, DIMENSIONS)
    info = embedder.model_info
    assert (info.id, info.dimensions, info.max_tokens) == ("letters", DIMENSIONS, MAX_TOKENS)
    assert info.exact == (exact or batch_size == 1)


def test_long_texts_run_in_smaller_batches_with_the_same_vectors(
    folder: Path, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("astraweave.embeddings.onnx._RUN_TOKENS", 12)
    embedder = OnnxEmbedder(folder, sessions=sessions, tokenizer=Letters())
    vectors = embedder.embed_batch(TEXTS)
    np.testing.assert_allclose(vectors, [expected(text) for text in TEXTS], atol=1e-6)


def test_many_threads_get_their_own_vectors(folder: Path, sessions: Sessions) -> None:
    embedder = OnnxEmbedder(folder, sessions=sessions, tokenizer=Letters())
    wrong: list[str] = []

    def work(seed: int) -> None:
        for turn in range(40):
            text = f"{seed} {turn}"
            if not np.allclose(embedder.embed(text), expected(text), atol=1e-6):
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_bad_input_and_use_after_close(folder: Path, sessions: Sessions) -> None:
    telemetry = Telemetry()
    embedder = OnnxEmbedder(folder, sessions=sessions, tokenizer=Letters(), telemetry=telemetry)
    with pytest.raises(InputError, match="not bytes"):
        embedder.embed(b"text")
    with pytest.raises(InputError, match="list of texts"):
        embedder.embed_batch("text")
    embedder.embed("text")
    assert telemetry.counters["embedded_texts"] == 1
    embedder.close()
    embedder.close()
    with pytest.raises(UsageError, match="closed"):
        embedder.embed("text")
    assert not sessions.open(folder / "model.onnx").closed  # the world's sessions live on


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("config.json", None, ModelUnavailable, r"config\.json' cannot be read"),
        ("config.json", "{", CorruptDataError, r"config\.json' is damaged"),
        ("config.json", '{"kind": "encoder"}', CorruptDataError, "id"),
        (
            "config.json",
            '{"kind": "decoder", "id": "d", "dimensions": 6, "max_tokens": 9}',
            ConfigError,
            "needs an encoder",
        ),
        ("model.onnx", None, ModelUnavailable, r"model\.onnx' is missing"),
        ("model.onnx", "no graph", ModelUnavailable, "does not load"),
    ],
)
def test_a_wrong_file_is_named(
    folder: Path, sessions: Sessions, name: str, content: str | None, error: type, message: str
) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(error, match=message):
        OnnxEmbedder(folder, sessions=sessions, tokenizer=Letters())


def test_a_missing_tokenizer_is_named(folder: Path, sessions: Sessions) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelUnavailable, match=r"tokenizer\.json' is missing"):
        OnnxEmbedder(folder, sessions=sessions)


def test_files_that_do_not_belong_together_are_noticed(folder: Path, sessions: Sessions) -> None:
    config = {"kind": "encoder", "id": "letters", "dimensions": 7, "max_tokens": 9}
    (folder / "config.json").write_text(json.dumps(config))
    embedder = OnnxEmbedder(folder, sessions=sessions, tokenizer=Letters())
    with pytest.raises(InvalidResponse, match="no 7 finite numbers"):
        embedder.embed("text")


def test_a_batch_size_below_one_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="batch_size"):
        OnnxEmbedder(folder, batch_size=0, tokenizer=Letters())
