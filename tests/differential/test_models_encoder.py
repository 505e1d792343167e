"""Converted encoders against a readable NumPy BERT over the same safetensors."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from astraweave.errors import AstraweaveError, CorruptDataError, UnsupportedModel
from astraweave.models import ModelFiles
from astraweave.models.convert.bert import convert_encoder, read_pooling

Array = NDArray[np.float32]

CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 80,
    "max_position_embeddings": 40,
    "vocab_size": 100,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-12,
    "position_embedding_type": "absolute",
    "transformers_version": "4.8.2",
}


def write_bert(folder: Path, prefix: str = "", **changes: Any) -> tuple[Path, Path]:
    config = CONFIG | changes
    rng = np.random.default_rng(11)
    width, hidden = config["hidden_size"], config["intermediate_size"]
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (config["vocab_size"], width),
        "embeddings.position_embeddings.weight": (config["max_position_embeddings"], width),
        "embeddings.token_type_embeddings.weight": (2, width),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.LayerNorm.bias": (width,),
        "pooler.dense.weight": (width, width),
    }
    for i in range(config["num_hidden_layers"]):
        p = f"encoder.layer.{i}."
        for name, rows, columns in (
            ("attention.self.query", width, width),
            ("attention.self.key", width, width),
            ("attention.self.value", width, width),
            ("attention.output.dense", width, width),
            ("intermediate.dense", hidden, width),
            ("output.dense", width, hidden),
        ):
            shapes[p + name + ".weight"] = (rows, columns)
            shapes[p + name + ".bias"] = (rows,)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[p + name + ".weight"] = shapes[p + name + ".bias"] = (width,)
    tensors = {}
    for name, shape in shapes.items():
        values = rng.standard_normal(shape) / (np.sqrt(shape[-1]) if len(shape) > 1 else 5)
        if name.endswith("LayerNorm.weight"):
            values += 1
        tensors[prefix + name] = values.astype(np.float32)
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder / "model.safetensors", folder / "config.json"


def reference(weights: Path, config: Path, ids: list[int], pooling: str = "mean") -> Array:
    """The unit sentence vector of one text."""
    c = CONFIG | json.loads(config.read_text())
    w = {k.removeprefix("bert."): v.astype(np.float64) for k, v in load_file(weights).items()}

    def norm(x: Any, name: str) -> Any:
        x = x - x.mean(-1, keepdims=True)
        scaled = x / np.sqrt((x * x).mean(-1, keepdims=True) + c["layer_norm_eps"])
        return scaled * w[name + ".weight"] + w[name + ".bias"]

    def dense(x: Any, name: str) -> Any:
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    x = w["embeddings.word_embeddings.weight"][ids]
    x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    heads = c["num_attention_heads"]
    for i in range(c["num_hidden_layers"]):
        p = f"encoder.layer.{i}."
        q, k, v = (
            dense(x, f"{p}attention.self.{n}").reshape(len(ids), heads, -1)
            for n in ("query", "key", "value")
        )
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        attended = np.einsum("hqk,khd->qhd", scores, v).reshape(len(ids), -1)
        x = norm(
            x + dense(attended, p + "attention.output.dense"), p + "attention.output.LayerNorm"
        )
        h = dense(x, p + "intermediate.dense")
        h = h * 0.5 * (1 + np.vectorize(math.erf)(h / math.sqrt(2)))
        x = norm(x + dense(h, p + "output.dense"), p + "output.LayerNorm")
    pooled = x.mean(0) if pooling == "mean" else x[0]
    return np.asarray(pooled / np.linalg.norm(pooled), np.float32)


class Encoder:
    def __init__(self, path: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(str(path), options, ["CPUExecutionProvider"])

    def __call__(self, *texts: list[int]) -> Array:
        longest = max(map(len, texts))
        ids = np.array([[*t, *[0] * (longest - len(t))] for t in texts], np.int64)
        mask = np.array([[1] * len(t) + [0] * (longest - len(t)) for t in texts], np.int64)
        feeds = {"input_ids": ids, "attention_mask": mask}
        return np.asarray(self.session.run(["sentence_embedding"], feeds)[0])


LONG = np.random.default_rng(1).integers(1, 100, 30).tolist()
SHORT = LONG[3:9]


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("prefix", ["", "bert."])
def test_a_float_graph_is_the_reference(tmp_path: Path, pooling: Any, prefix: str) -> None:
    files = write_bert(tmp_path, prefix)
    convert_encoder(*files, tmp_path / "e.onnx", pooling=pooling, precision="fp32")
    encoder = Encoder(tmp_path / "e.onnx")
    expected = np.stack([reference(*files, text, pooling) for text in (LONG, SHORT)])
    np.testing.assert_allclose(encoder(LONG, SHORT), expected, atol=1e-5)
    np.testing.assert_allclose(encoder(SHORT), expected[1:], atol=1e-5)


def test_an_int8_graph_is_near_the_reference(tmp_path: Path) -> None:
    files = write_bert(tmp_path)
    convert_encoder(*files, tmp_path / "e.onnx")
    encoder = Encoder(tmp_path / "e.onnx")
    for text in (LONG, SHORT):
        vector = encoder(text)[0]
        assert vector @ reference(*files, text) > 0.99
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert not list(tmp_path.glob(".encoder*"))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model_type": "xlm-roberta"}, "xlm-roberta"),
        ({"hidden_act": "relu"}, "relu"),
        ({"position_embedding_type": "relative_key"}, "relative_key"),
    ],
)
def test_what_is_not_supported_is_named(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    files = write_bert(tmp_path, **changes)
    with pytest.raises(UnsupportedModel, match=named):
        convert_encoder(*files, tmp_path / "e.onnx")


def test_a_tensor_that_would_be_left_out_is_named(tmp_path: Path) -> None:
    weights, config = write_bert(tmp_path)
    extra = {"encoder.layer.0.adapter.weight": np.zeros((2, 2), np.float32)}
    save_file(load_file(weights) | extra, weights)
    with pytest.raises(UnsupportedModel, match=r"encoder\.layer\.0\.adapter\.weight"):
        convert_encoder(weights, config, tmp_path / "e.onnx")


@pytest.mark.parametrize("kept", [0, 7, 100, 5000])
def test_weights_that_are_cut_short_are_corrupt(tmp_path: Path, kept: int) -> None:
    weights, config = write_bert(tmp_path)
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(CorruptDataError, match=r"model\.safetensors"):
        convert_encoder(weights, config, tmp_path / "e.onnx")


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_gives_a_graph_or_an_error_of_ours(tmp_path: Path, data: st.DataObject) -> None:
    weights, config = write_bert(tmp_path)
    target = data.draw(st.sampled_from([weights, config]))
    damaged = bytearray(target.read_bytes())
    header = min(len(damaged), 4096)  # tensors' names, shapes and places, or the whole config
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, header - 1))] = data.draw(st.integers(0, 255))
    target.write_bytes(damaged)
    try:
        convert_encoder(weights, config, tmp_path / "e.onnx")
    except AstraweaveError as error:
        assert str(tmp_path) in str(error)  # noqa: PT017 (an error is allowed, not wanted)


def test_a_config_that_does_not_fit_is_corrupt(tmp_path: Path) -> None:
    weights, config = write_bert(tmp_path)
    config.write_text(json.dumps(CONFIG | {"num_hidden_layers": 3}))
    with pytest.raises(CorruptDataError, match=r"encoder\.layer\.2"):
        convert_encoder(weights, config, tmp_path / "e.onnx")
    for text in (
        b"{",
        b'{"model_type": "\xff"}',
        json.dumps(CONFIG | {"num_attention_heads": 5}).encode(),
    ):
        config.write_bytes(text)
        with pytest.raises(CorruptDataError, match="config"):
            convert_encoder(weights, config, tmp_path / "e.onnx")


def test_other_ways_of_pooling_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pooling.json"
    path.write_text(json.dumps({"pooling_mode_max_tokens": True, "pooling_mode_cls_token": False}))
    with pytest.raises(UnsupportedModel, match="max_tokens"):
        read_pooling(path)


@pytest.mark.models
def test_the_default_embedder_is_near_its_float_self(
    encoder_files: ModelFiles, model_store: Any
) -> None:
    source = model_store.sources(encoder_files.card.id)
    if not source.is_dir():
        pytest.skip("the store holds the converted model only (a bundle)")
    tokenizer = Tokenizer.from_file(str(encoder_files.tokenizer))
    encoder = Encoder(encoder_files.graph)
    cosines = []
    for text in (
        "Tam the smith mended my hammer.",
        "Where is the old mill?",
        "She sold three sheep at the market in the valley and came back with a new coat.",
        "No.",
    ):
        ids = tokenizer.encode(text).ids
        expected = reference(source / "model.safetensors", source / "config.json", ids)
        cosines.append(float(encoder(ids)[0] @ expected))
    assert np.mean(cosines) > 0.985
    assert min(cosines) > 0.97
