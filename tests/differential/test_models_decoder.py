"""Converted decoders against a readable NumPy decoder over the same GGUF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_decoders import (
    CONTEXT,
    IDS,
    TEXT,
    VARIANTS,
    Decoder,
    reference_logits,
    softmax,
    write_gguf,
)
from tokenizers import Tokenizer

from astraweave.errors import AstraweaveError, CorruptDataError, UnsupportedModel
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
