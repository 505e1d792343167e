"""Converted decoders against a readable NumPy decoder over the same GGUF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_decoders import (
    CONTEXT,
    HEADS,
    IDS,
    KV_HEADS,
    LAYERS,
    TEXT,
    VARIANTS,
    VOCAB,
    WIDTH,
    Decoder,
    reference_logits,
    softmax,
    write_gguf,
)
from tokenizers import Tokenizer

from astraweave.core.settings import Settings
from astraweave.errors import AstraweaveError, CorruptDataError, UnsupportedModel
from astraweave.inference import Session, Sessions
from astraweave.inference.kv_memory import DeviceKv, KvMemory, KvShape, kv_memory
from astraweave.models import ModelFiles
from astraweave.models.convert.gguf_file import TENSOR_TYPES
from astraweave.models.convert.llama import convert_decoder


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


class Bound:
    """Sequences of a converted decoder, over keys and values that lie where its provider is."""

    def __init__(self, session: Session, kv: KvMemory) -> None:
        self.session, self.kv = session, kv
        self.lengths = [0] * kv.shape.rows

    def step(self, start: int, ids: list[list[int]]) -> NDArray[np.float32]:
        """Append as many tokens to each row from `start` on; logits of the last ones."""
        count, size = len(ids), len(ids[0])
        lengths = self.lengths[start : start + count] = [
            length + size for length in self.lengths[start : start + count]
        ]
        inputs = {
            "input_ids": np.array(ids, np.int64),
            "seqlens_k": np.array(lengths, np.int32) - 1,
            "total_len": np.array(max(lengths), np.int32),
            "logit_pos": np.full((count, 1), size - 1, np.int64),
        }
        logits = np.zeros((count, VOCAB), np.float32)
        binding = self.session.binding()
        for name, value in inputs.items():
            binding.bind_input(
                name, "cpu", 0, value.dtype.type, list(value.shape), value.ctypes.data
            )
        self.kv.bind(binding, start, count)
        binding.bind_output("logits", "cpu", 0, np.float32, logits.shape, logits.ctypes.data)
        self.session.run_bound(binding)
        return logits


def bound(sessions: Sessions, graph: Path, kind: str) -> Bound:
    session = sessions.open(graph)
    numbers = {"layers": LAYERS, "kv_heads": KV_HEADS, "head_size": WIDTH // HEADS}
    dtype = "float16" if graph.stem == "fp16" else "float32"
    shape = KvShape(rows=3, row_tokens=CONTEXT, dtype=dtype, **numbers)
    kv = kv_memory(session, shape) if kind == "usual" else DeviceKv(shape, "cpu")
    return Bound(session, kv)


@pytest.mark.parametrize("kind", ["usual", "as on a device"])
@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_sequences_over_bound_memory_are_the_reference(
    tmp_path: Path, device: str, precision: Any, kind: str
) -> None:
    """Prompts in chunks, a copied prefix, a batch of unlike lengths: wherever the memory is."""
    if device != "cpu" and kind != "usual":
        pytest.skip("a device keeps its rows in one way")
    path = write_gguf(tmp_path / "m.gguf", kind="Q8_0")
    convert_decoder(path, tmp_path / f"{precision}.onnx", context=CONTEXT, precision=precision)
    first, second = IDS, IDS[:12] + IDS[:5]
    with Sessions(Settings(provider=device, threads=1, gpu_memory_mb=1024)) as sessions:
        decoder = bound(sessions, tmp_path / f"{precision}.onnx", kind)
        assert decoder.session.provider.lower().startswith(device)
        decoder.step(1, [first[:8]])
        decoder.step(1, [first[8:12]])
        decoder.kv.copy(1, 2, 12)
        decoder.lengths[2] = 12
        decoder.step(1, [first[12:-1]])
        decoder.step(2, [second[12:-1]])
        decoder.kv.swap(0, 2, 0, decoder.lengths[2])
        decoder.kv.swap(2, 0, 0, decoder.lengths[2])
        found = decoder.step(1, [first[-1:], second[-1:]])
        decoder.kv.close()
    bounds = {"int8": 0.2, "fp16": 0.03}
    for logits, ids in zip(found, (first, second), strict=True):
        expected = reference_logits(path, ids)[-1]
        assert np.abs(logits - expected).max() < bounds[precision] * expected.std()


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
@pytest.mark.parametrize(
    ("precision", "divergence", "agreement"), [("int8", 0.02, 0.85), ("fp16", 1e-4, 0.97)]
)
def test_the_default_model_keeps_its_choices(
    decoder_files: ModelFiles,
    model_store: Any,
    tmp_path: Path,
    precision: Any,
    divergence: float,
    agreement: float,
) -> None:
    source = model_store.sources(decoder_files.card.id) / "model.gguf"
    if not source.is_file():
        pytest.skip("the store holds the converted model only (a bundle)")
    convert_decoder(source, tmp_path / "f.onnx", context=512, precision="fp32")
    convert_decoder(source, tmp_path / "q.onnx", context=512, precision=precision)
    ids = Tokenizer.from_file(str(decoder_files.tokenizer)).encode(TEXT).ids
    exact, quick = Decoder(tmp_path / "f.onnx"), Decoder(tmp_path / "q.onnx")
    divergences, same = [], []
    for start in range(0, len(ids), 2):
        p, q = (softmax(d.feed(ids[start : start + 2])) for d in (exact, quick))
        divergences.append(float((p * np.log(p / q)).sum()))
        same.append(p.argmax() == q.argmax())
    print(f"{precision}: KL {np.mean(divergences):.2g}, same top token {np.mean(same):.3f}")
    assert np.mean(divergences) < divergence
    assert np.mean(same) > agreement
