"""Tiny random models as files, a readable NumPy decoder over the same file, and the ONNX graph.

The reference follows llama.cpp: rows of Q and K as they lie in the file, with interleaved rotary
for llama and half-split rotary for the others. So it knows nothing of how we reorder rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

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
