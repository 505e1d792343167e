"""Converted decoders against a readable NumPy decoder over the same GGUF.

The reference follows llama.cpp: rows of Q and K as they lie in the file, with interleaved rotary
for llama and half-split rotary for the others. So it knows nothing of how we reorder rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tokenizers import Tokenizer

from astraweave.errors import AstraweaveError, CorruptDataError, UnsupportedModel
from astraweave.models import ModelFiles
from astraweave.models.convert.gguf_file import TENSOR_TYPES
from astraweave.models.convert.llama import convert_decoder

Array = NDArray[np.float32]

WIDTH, HIDDEN, LAYERS, VOCAB, CONTEXT = 64, 96, 2, 320, 128
HEADS, KV_HEADS = 4, 2


# -- a tiny random model --


def _random_blocks(rng: np.random.Generator, kind: str, rows: int, columns: int) -> Any:
    """Bytes of a K-quantised matrix: sane half-precision scales, everything else at random."""
    size, halves = {"Q4_K": (144, (0, 2)), "Q5_K": (176, (0, 2)), "Q6_K": (210, (208,))}[kind]
    data = rng.integers(0, 256, (rows, columns // 256, size), dtype=np.uint8)
    for at in halves:
        scale = rng.uniform(0.5, 1.0, (rows, columns // 256, 1)).astype(np.float16)
        data[..., at : at + 2] = (scale / np.float16(1500 if kind == "Q6_K" else 900)).view(
            np.uint8
        )
    return data.reshape(rows, -1)


def write_gguf(  # noqa: C901 (one switch for each variant)
    path: Path,
    architecture: str = "llama",
    *,
    kind: str = "F32",
    biases: bool = False,
    qk_norm: bool = False,
    tied: bool = True,
    head_size: int | None = None,
    width: int = WIDTH,
    hidden: int = HIDDEN,
    rope: dict[str, Any] | None = None,
    rope_factors: bool = False,
    extra: dict[str, Array] | None = None,
    integers: dict[str, int] | None = None,
    seed: int = 7,
) -> Path:
    """A whole model file with random weights, of the given architecture and tensor type."""
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(str(path), architecture)
    head = head_size or width // HEADS
    a = architecture
    for key, value in {
        "block_count": LAYERS,
        "embedding_length": width,
        "feed_forward_length": hidden,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV_HEADS,
        "context_length": CONTEXT,
        **({"attention.key_length": head, "attention.value_length": head} if head_size else {}),
        **(integers or {}),
    }.items():
        writer.add_uint32(f"{a}.{key}", value)
    writer.add_float32(f"{a}.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_float32(f"{a}.rope.freq_base", (rope or {}).get("base", 10_000.0))
    if rope and "type" in rope:
        writer.add_string(f"{a}.rope.scaling.type", rope["type"])
        writer.add_float32(f"{a}.rope.scaling.factor", rope["factor"])

    def matrix(name: str, rows: int, columns: int) -> None:
        weights = (rng.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)
        quant = gguf.GGMLQuantizationType[kind]
        if kind in {"Q4_K", "Q5_K", "Q6_K"}:
            writer.add_tensor(name, _random_blocks(rng, kind, rows, columns), raw_dtype=quant)
        elif kind == "F32":
            writer.add_tensor(name, weights)
        elif kind == "F16":
            writer.add_tensor(name, weights.astype(np.float16))
        else:
            writer.add_tensor(name, gguf.quants.quantize(weights, quant), raw_dtype=quant)

    def vector(name: str, size: int, around: float) -> None:
        values = around + 0.2 * rng.standard_normal(size)
        writer.add_tensor(name, values.astype(np.float32))

    matrix("token_embd.weight", VOCAB, width)
    vector("output_norm.weight", width, 1)
    if not tied:
        matrix("output.weight", VOCAB, width)
    if rope_factors:
        writer.add_tensor("rope_freqs.weight", np.linspace(1, 8, head // 2).astype(np.float32))
    for i in range(LAYERS):
        p = f"blk.{i}."
        vector(p + "attn_norm.weight", width, 1)
        vector(p + "ffn_norm.weight", width, 1)
        for part, heads in (("q", HEADS), ("k", KV_HEADS), ("v", KV_HEADS)):
            matrix(f"{p}attn_{part}.weight", heads * head, width)
            if biases:
                vector(f"{p}attn_{part}.bias", heads * head, 0)
            if qk_norm and part != "v":
                vector(f"{p}attn_{part}_norm.weight", head, 1)
        matrix(p + "attn_output.weight", width, HEADS * head)
        matrix(p + "ffn_gate.weight", hidden, width)
        matrix(p + "ffn_up.weight", hidden, width)
        matrix(p + "ffn_down.weight", width, hidden)
    for name, tensor in (extra or {}).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


# -- the reference --


def rms(x: Array, weight: Array, epsilon: float) -> Array:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weight


def rotate(x: Array, angles: Array, interleaved: bool) -> Array:
    """Rotary embedding of (tokens, heads, size)."""
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    half = x.shape[-1] // 2
    a, b = (x[..., 0::2], x[..., 1::2]) if interleaved else (x[..., :half], x[..., half:])
    turned = (a * cos - b * sin, a * sin + b * cos)
    return np.stack(turned, -1).reshape(x.shape) if interleaved else np.concatenate(turned, -1)


def reference_logits(path: Path, ids: list[int]) -> Array:
    """Logits behind every token, shape (tokens, vocabulary), in float32."""
    reader = gguf.GGUFReader(str(path))
    meta = {key: field.contents() for key, field in reader.fields.items()}
    a = meta["general.architecture"]
    weights = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in reader.tensors}
    epsilon = meta[f"{a}.attention.layer_norm_rms_epsilon"]
    heads, kv_heads = meta[f"{a}.attention.head_count"], meta[f"{a}.attention.head_count_kv"]
    size = meta.get(f"{a}.attention.key_length", meta[f"{a}.embedding_length"] // heads)
    powers = np.arange(0, size, 2) / size
    frequencies = meta[f"{a}.rope.freq_base"] ** -powers / weights.get("rope_freqs.weight", 1)
    if meta.get(f"{a}.rope.scaling.type") == "linear":
        frequencies = frequencies / meta[f"{a}.rope.scaling.factor"]
    tokens = len(ids)
    angles = np.arange(tokens)[:, None] * frequencies
    future = np.triu(np.full((tokens, tokens), -np.inf), 1)
    x = weights["token_embd.weight"][ids]
    for i in range(meta[f"{a}.block_count"]):
        layer = {
            k.removeprefix(f"blk.{i}."): w for k, w in weights.items() if k.startswith(f"blk.{i}.")
        }
        h = rms(x, layer["attn_norm.weight"], epsilon)
        q, k, v = (
            (h @ layer[f"attn_{p}.weight"].T + layer.get(f"attn_{p}.bias", 0)).reshape(
                tokens, -1, size
            )
            for p in "qkv"
        )
        if "attn_q_norm.weight" in layer:
            q = rms(q, layer["attn_q_norm.weight"], epsilon)
            k = rms(k, layer["attn_k_norm.weight"], epsilon)
        q, k = (rotate(part, angles, a == "llama") for part in (q, k))
        k, v = (np.repeat(part, heads // kv_heads, 1) for part in (k, v))
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(size) + future
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        attended = np.einsum("hqk,khd->qhd", scores, v).reshape(tokens, -1)
        x = x + attended @ layer["attn_output.weight"].T
        h = rms(x, layer["ffn_norm.weight"], epsilon)
        gate = h @ layer["ffn_gate.weight"].T
        hidden = gate / (1 + np.exp(-gate)) * (h @ layer["ffn_up.weight"].T)
        x = x + hidden @ layer["ffn_down.weight"].T
    head = weights.get("output.weight", weights["token_embd.weight"])
    return np.asarray(rms(x, weights["output_norm.weight"], epsilon) @ head.T, np.float32)


# -- the graph --


class Decoder:
    """One row of a converted decoder; `feed` appends tokens and gives the last one's logits."""

    def __init__(self, path: Path, room: int = CONTEXT) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        self.past = {
            port.name: np.zeros(
                (1, port.shape[1], room, port.shape[3]),
                np.float16 if port.type == "tensor(float16)" else np.float32,
            )
            for port in self.session.get_inputs()
            if port.name.startswith("past_")
        }
        self.outputs = [port.name for port in self.session.get_outputs()]
        self.length = 0

    def feed(self, ids: list[int]) -> Array:
        self.length += len(ids)
        values = self.session.run(
            self.outputs,
            {
                "input_ids": np.array([ids], np.int64),
                "seqlens_k": np.array([self.length - 1], np.int32),
                "total_len": np.array(self.length, np.int32),
                "logit_pos": np.array([[len(ids) - 1]], np.int64),
                **self.past,
            },
        )
        by_name = dict(zip(self.outputs, values, strict=True))
        self.past = {name: by_name[name.replace("past", "present")] for name in self.past}
        return np.asarray(by_name["logits"][0])


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


IDS = np.random.default_rng(3).integers(0, VOCAB, 24).tolist()
TEXT = """<|im_start|>system
You are Tam, the smith of a small village. You speak plainly and keep your promises.<|im_end|>
<|im_start|>user
Good morning, Tam. Yesterday I brought you my father's sword. Is it ready, and what do I owe you?
<|im_end|>
<|im_start|>assistant
Good morning. The blade was cracked near the hilt, so I had to heat it twice, but it is ready."""
VARIANTS: dict[str, dict[str, Any]] = {
    "llama": {},
    "llama-separate-head": {"tied": False},
    "llama-biases": {"biases": True},
    "llama-rope-base": {"rope": {"base": 500_000.0}},
    "llama-rope-linear": {"rope": {"type": "linear", "factor": 4.0}},
    "llama-rope-factors": {"rope_factors": True},
    "llama-head-size": {"head_size": 32},
    "qwen2": {"architecture": "qwen2", "biases": True},
    "qwen3": {"architecture": "qwen3", "qk_norm": True, "head_size": 32, "tied": False},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_float_graph_is_the_reference(tmp_path: Path, variant: str) -> None:
    path = write_gguf(tmp_path / "m.gguf", **VARIANTS[variant])
    convert_decoder(path, tmp_path / "m.onnx", context=CONTEXT, precision="fp32")
    expected = reference_logits(path, IDS)
    found = Decoder(tmp_path / "m.onnx").feed(IDS)
    np.testing.assert_allclose(found, expected[-1], atol=2e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_int8_graph_is_near_the_reference(tmp_path: Path, variant: str) -> None:
    path = write_gguf(tmp_path / "m.gguf", **VARIANTS[variant])
    convert_decoder(path, tmp_path / "m.onnx", context=CONTEXT)
    expected = reference_logits(path, IDS)[-1]
    found = Decoder(tmp_path / "m.onnx").feed(IDS)
    # Activations have eight bits too: structure is pinned by the float test, this one by a bound.
    assert np.abs(found - expected).max() < 0.2 * expected.std()
    assert np.corrcoef(found, expected)[0, 1] > 0.998


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_half_precision_graph_is_near_the_reference(tmp_path: Path, variant: str) -> None:
    path = write_gguf(tmp_path / "m.gguf", **VARIANTS[variant])
    convert_decoder(path, tmp_path / "m.onnx", context=CONTEXT, precision="fp16")
    expected = reference_logits(path, IDS)[-1]
    decoder = Decoder(tmp_path / "m.onnx")
    found = decoder.feed(IDS)
    assert found.dtype == np.float32
    # Eleven bits of mantissa, over a dozen roundings.
    assert np.abs(found - expected).max() < 0.02 * expected.std()


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_half_precision_graph_has_half_precision_throughout(tmp_path: Path, variant: str) -> None:
    """So that nothing is cast on the way, and keys and values take two bytes."""
    path = write_gguf(tmp_path / "m.gguf", **VARIANTS[variant])
    convert_decoder(path, tmp_path / "m.onnx", context=CONTEXT, precision="fp16")
    graph = onnx.load(tmp_path / "m.onnx").graph
    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    assert not [tensor.name for tensor in graph.initializer if tensor.data_type == single]
    kinds = {port.name: port.type.tensor_type.elem_type for port in (*graph.input, *graph.output)}
    assert kinds.pop("logits") == single
    assert {kind for name, kind in kinds.items() if name[:4] in ("past", "pres")} == {half}
    assert [node.name for node in graph.node if node.op_type == "Cast"] == ["logits.Cast"]


@pytest.mark.parametrize("kind", sorted(TENSOR_TYPES))
def test_every_tensor_type_is_read(tmp_path: Path, kind: str) -> None:
    sizes = {"width": 256, "hidden": 256} if kind.endswith("_K") else {}
    path = write_gguf(tmp_path / "m.gguf", kind=kind, tied=False, **sizes)
    expected = reference_logits(path, IDS)[-1]
    convert_decoder(path, tmp_path / "f.onnx", context=CONTEXT, precision="fp32")
    np.testing.assert_allclose(
        Decoder(tmp_path / "f.onnx").feed(IDS), expected, atol=3e-4 * np.abs(expected).max()
    )
    convert_decoder(path, tmp_path / "i.onnx", context=CONTEXT)
    found = Decoder(tmp_path / "i.onnx").feed(IDS)
    assert np.corrcoef(found, expected)[0, 1] > 0.998


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_prompt_in_chunks_is_the_prompt_as_a_whole(tmp_path: Path, precision: Any) -> None:
    path = write_gguf(tmp_path / "m.gguf", kind="Q4_1")
    convert_decoder(path, tmp_path / "m.onnx", context=CONTEXT, precision=precision)
    whole = Decoder(tmp_path / "m.onnx").feed(IDS)
    chunked = Decoder(tmp_path / "m.onnx")
    for start in range(0, len(IDS), 8):
        last = chunked.feed(IDS[start : start + 8])
    np.testing.assert_allclose(last, whole, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"architecture": "gemma3"}, "gemma3"),
        ({"rope": {"type": "yarn", "factor": 4.0}}, "yarn"),
        ({"integers": {"expert_count": 8}}, "mixture of experts"),
        ({"integers": {"rope.dimension_count": 8}}, "rotary embedding of a part"),
        ({"width": 80}, "embedding_length 80"),
        ({"extra": {"blk.0.attn_gate.weight": np.zeros((4, 4), np.float32)}}, "blk.0.attn_gate"),
    ],
)
def test_what_is_not_supported_is_named(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    path = write_gguf(tmp_path / "m.gguf", **changes)
    with pytest.raises(UnsupportedModel, match=named) as caught:
        convert_decoder(path, tmp_path / "m.onnx", context=CONTEXT)
    assert str(path) in str(caught.value)


def test_an_unsupported_tensor_type_is_named(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", kind="TQ1_0", width=256, hidden=256)
    with pytest.raises(UnsupportedModel, match=r"token_embd\.weight is of type TQ1_0"):
        convert_decoder(path, tmp_path / "m.onnx", context=CONTEXT)


@pytest.mark.parametrize("kept", [0, 3, 30, 400, 5000])
def test_a_file_that_is_cut_short_is_corrupt(tmp_path: Path, kept: int) -> None:
    path = write_gguf(tmp_path / "m.gguf")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CorruptDataError, match=r"m\.gguf"):
        convert_decoder(path, tmp_path / "m.onnx", context=CONTEXT)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage_gives_a_graph_or_an_error_of_ours(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "m.gguf"
    whole = write_gguf(tmp_path / "whole.gguf", seed=3).read_bytes()
    header = whole.index(b"blk.1.ffn_down.weight") + 64
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, header))] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    try:
        convert_decoder(path, tmp_path / "m.onnx", context=CONTEXT)
    except AstraweaveError as error:
        assert "m.gguf" in str(error)  # noqa: PT017 (an error is allowed, not wanted)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e35])
def test_weights_that_are_no_numbers_are_corrupt(tmp_path: Path, wrong: float) -> None:
    path = write_gguf(tmp_path / "m.gguf")
    weights = np.array([0.5, wrong, 0.5], np.float32).tobytes()
    path.write_bytes(path.read_bytes()[: -len(weights)] + weights)
    with pytest.raises(CorruptDataError, match="no number"):
        convert_decoder(path, tmp_path / "m.onnx", context=CONTEXT)


def test_what_is_no_gguf_is_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"<html>not found</html>" * 100)
    with pytest.raises(CorruptDataError, match=r"m\.gguf"):
        convert_decoder(path, tmp_path / "m.onnx", context=CONTEXT)


@pytest.mark.models
@pytest.mark.slow
def test_the_default_model_keeps_its_choices_in_int8(
    decoder_files: ModelFiles, model_store: Any, tmp_path: Path
) -> None:
    source = model_store.sources(decoder_files.card.id) / "model.gguf"
    if not source.is_file():
        pytest.skip("the store holds the converted model only (a bundle)")
    convert_decoder(source, tmp_path / "f.onnx", context=512, precision="fp32")
    ids = Tokenizer.from_file(str(decoder_files.tokenizer)).encode(TEXT).ids
    exact, quick = Decoder(tmp_path / "f.onnx"), Decoder(decoder_files.graph)
    divergences, same = [], []
    for start in range(0, len(ids), 2):
        p, q = (softmax(d.feed(ids[start : start + 2])) for d in (exact, quick))
        divergences.append(float((p * np.log(p / q)).sum()))
        same.append(p.argmax() == q.argmax())
    assert np.mean(divergences) < 0.02
    assert np.mean(same) > 0.85
