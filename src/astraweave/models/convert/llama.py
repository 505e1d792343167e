"""A llama-architecture GGUF to an ONNX decoder with a KV cache.

The graph appends tokens to a cache that the caller owns:

==================  =========================  ===================================================
input               shape, dtype               meaning
==================  =========================  ===================================================
``input_ids``       (B, S) int64               tokens to append
``seqlens_k``       (B,) int32                 tokens of each row after this step, less one
``total_len``       () int32                   the longest row after this step
``logit_pos``       (B, 1) int64               which of the S tokens the logits are wanted for
``past_k{i}``       (B, kv_heads, P, head)     keys of layer i, room for P tokens; float32, or
                                               float16 where the weights are
``past_v{i}``       (B, kv_heads, P, head)     values likewise
==================  =========================  ===================================================

Outputs are ``logits`` (B, vocabulary) and ``present_k{i}``, ``present_v{i}``, which are to be bound
to the same memory as the past.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.models.convert import Precision
from astraweave.models.convert.decoder_shape import DecoderShape, unsupported
from astraweave.models.convert.gguf_file import GgufFile
from astraweave.models.convert.graph import GraphBuilder
from astraweave.models.convert.quantize import BLOCK, Blocks, asymmetric, symmetric
from astraweave.models.progress import Progress, no_progress
from astraweave.models.weight_table import WeightTable

__all__ = ["convert_decoder"]

_ROWS = 8192
"""Rows of a matrix that are dequantised at a time."""
_ACCURACY = 4
"""MatMulNBits: quantise activations to int8 too; the fast kernels."""
_IGNORED = ("rope_freqs.weight",)


def convert_decoder(
    gguf: Path,
    graph: Path,
    *,
    context: int,
    precision: Precision = "int8",
    progress: Progress = no_progress,
) -> DecoderShape:
    """Write the decoder of `gguf` to `graph` (and ``GRAPH.data`` beside it).

    In 8 bits a table of what is where in that file goes beside it too (``weights.json``, see
    `WeightTable`), for whoever computes with the weights and has no `onnx`.

    Parameters
    ----------
    gguf, graph : Path
        What is read and what is written.
    context : int
        Longest context in tokens; the file's own limit holds too.
    precision : {"int8", "fp16", "fp32"}
        Weights and matrix products in 8 bits, for processors; everything but the logits in float16,
        for GPUs; or all in float32 (for comparison: slow and large).
    progress : Progress
        Hears the layers.

    Raises
    ------
    UnsupportedModel
        The architecture, a tensor or a tensor's type is not known; it is named.
    CorruptDataError
        The file is damaged or lacks something.
    """
    file = GgufFile(gguf)
    shape = DecoderShape.of(file, context)
    with GraphBuilder(graph, file.architecture, outside=("float32", "uint8")) as builder:
        decoder = _Decoder(file, shape, builder, precision)
        hidden, residual = decoder.begin()
        for layer in range(shape.layers):
            progress("convert", layer, shape.layers)
            hidden, residual = decoder.layer(layer, hidden, residual)
        decoder.end(hidden)
        if unknown := file.unused(_IGNORED):
            raise unsupported(file, f"the tensor {unknown[0]!r}", "it would have been left out")
        builder.save()
        if precision == "int8":
            table = WeightTable(shape=shape, tensors=builder.stored)
            (graph.with_name(WeightTable.NAME)).write_bytes(msgspec.json.encode(table))
    progress("convert", shape.layers, shape.layers)
    return shape


class _Decoder:
    """Adds one part of the model after another to the graph."""

    def __init__(
        self, file: GgufFile, shape: DecoderShape, graph: GraphBuilder, precision: Precision
    ) -> None:
        self.file = file
        self.shape = shape
        self.graph = graph
        self.int8 = precision == "int8"
        self.half = precision == "fp16"
        self.dtype = "float16" if self.half else "float32"
        # llama.cpp reorders the rows of Q and K of this architecture for interleaved rotary.
        self.interleaved = file.architecture == "llama"

    def begin(self) -> tuple[str, str]:
        """Ports, rotary tables, embedding and the first norm; hidden state and residual."""
        g, s = self.graph, self.shape
        g.input("input_ids", "int64", ["B", "S"])
        g.input("seqlens_k", "int32", ["B"])
        g.input("total_len", "int32", [])
        g.input("logit_pos", "int64", ["B", 1])
        g.output("logits", "float32", ["B", s.vocabulary])
        angles = np.arange(s.context)[:, None] * self._frequencies()[None, :]
        g.constant("rope.cos", np.cos(angles).astype(self.dtype))
        g.constant("rope.sin", np.sin(angles).astype(self.dtype))
        embedded = self._embedding()
        hidden = g.node(
            "SimplifiedLayerNormalization",
            [embedded, self._vector("blk.0.attn_norm.weight")],
            "l0.in",
            epsilon=s.epsilon,
            axis=-1,
            stash_type=1,
        )
        return hidden, embedded

    def layer(self, i: int, hidden: str, residual: str) -> tuple[str, str]:
        """One block: attention, then the gated feed-forward part."""
        g, s, name = self.graph, self.shape, f"l{i}"
        attended = self._attention(i, hidden)
        projected = self._linear(attended, [f"blk.{i}.attn_output"], f"{name}.o")
        hidden, residual = self._norm(projected, residual, f"blk.{i}.ffn_norm.weight", f"{name}.m")
        both = self._linear(hidden, [f"blk.{i}.ffn_gate", f"blk.{i}.ffn_up"], f"{name}.gu")
        halves = [f"{name}.gate", f"{name}.up"]
        g.node("Split", [both, self._sizes("halves", s.hidden, s.hidden)], halves, axis=-1)
        silu = g.fused("QuickGelu", halves[:1], f"{name}.silu", alpha=1.0)
        gated = g.node("Mul", [silu, halves[1]], f"{name}.gated")
        down = self._linear(gated, [f"blk.{i}.ffn_down"], f"{name}.down")
        last = i == s.layers - 1
        following = "output_norm.weight" if last else f"blk.{i + 1}.attn_norm.weight"
        return self._norm(down, residual, following, f"{name}.out")

    def end(self, hidden: str) -> None:
        """The head, on the wanted position of each row only."""
        g = self.graph
        wanted = g.node("GatherND", [hidden, "logit_pos"], "wanted", batch_dims=1)
        logits = "logits.half" if self.half else "logits"
        if "output.weight" in self.file:
            self._linear(wanted, ["output"], logits)
        elif self.int8:
            self._matmul_int8(
                wanted, "embedding", self.shape.vocabulary, self.shape.width, "logits"
            )
        else:
            head = g.node("Transpose", ["embedding"], "head", perm=[1, 0])
            g.node("MatMul", [wanted, head], logits)
        if self.half:
            g.node("Cast", [logits], "logits", to=1)

    def _frequencies(self) -> NDArray[np.float64]:
        s = self.shape
        powers = np.arange(0, s.head_size, 2) / s.head_size
        frequencies: NDArray[np.float64] = 1.0 / (s.rope_base**powers * s.rope_factor)
        if "rope_freqs.weight" in self.file:  # Llama 3.1 and later: a divisor for each
            frequencies /= self.file.tensor("rope_freqs.weight")
        return frequencies

    def _embedding(self) -> str:
        g, s = self.graph, self.shape
        if not self.int8:
            table = g.constant("embedding", self._tensor("token_embd.weight"))
            return g.node("Gather", [table, "input_ids"], "embedded")
        # The same table serves as the head where that is tied; its zero point is 128 everywhere.
        blocks = self._quantised("token_embd.weight", symmetric)
        self._store("embedding", blocks)
        rows = g.node("Gather", ["embedding.q", "input_ids"], "embedded.q")
        signed = g.node(
            "Sub",
            [
                g.node("Cast", [rows], "embedded.f", to=1),
                g.constant("middle", np.array(128, np.float32)),
            ],
            "embedded.signed",
        )
        scales = g.node("Gather", ["embedding.s", "input_ids"], "embedded.s")
        wide = g.node("Unsqueeze", [scales, self._sizes("last_axis", -1)], "embedded.s1")
        scaled = g.node("Mul", [signed, wide], "embedded.blocks")
        return g.node("Reshape", [scaled, self._sizes("rows", 0, 0, s.width)], "embedded")

    def _attention(self, i: int, hidden: str) -> str:
        g, s, name = self.graph, self.shape, f"l{i}"
        for kind in "kv":
            for when, port in (("past", g.input), ("present", g.output)):
                room = "P" if when == "past" else "Q"
                port(f"{when}_{kind}{i}", self.dtype, ["B", s.kv_heads, room, s.head_size])
        parts = [f"blk.{i}.attn_{part}" for part in "qkv"]
        packed = self._linear(hidden, parts, f"{name}.qkv", [s.heads, s.kv_heads, 0])
        queries = [packed, "", ""]
        if f"blk.{i}.attn_q_norm.weight" in self.file:
            queries = self._normed_heads(i, packed)
        return g.fused(
            "GroupQueryAttention",
            [
                *queries,
                f"past_k{i}",
                f"past_v{i}",
                "seqlens_k",
                "total_len",
                "rope.cos",
                "rope.sin",
            ],
            [f"{name}.attended", f"present_k{i}", f"present_v{i}"],
            num_heads=s.heads,
            kv_num_heads=s.kv_heads,
            do_rotary=1,
            rotary_interleaved=0,
        )

    def _normed_heads(self, i: int, packed: str) -> list[str]:
        """Q and K normalised head by head (Qwen 3), before the rotary embedding."""
        g, s, name = self.graph, self.shape, f"l{i}"
        sizes = [s.heads * s.head_size, s.kv_heads * s.head_size, s.kv_heads * s.head_size]
        split = [f"{name}.{part}" for part in "qkv"]
        g.node("Split", [packed, self._sizes("qkv", *sizes)], split, axis=-1)
        result = []
        for part, heads, wide in zip("qk", (s.heads, s.kv_heads), sizes[:2], strict=True):
            shape = self._sizes(f"{part}_heads", 0, 0, heads, s.head_size)
            by_head = g.node("Reshape", [f"{name}.{part}", shape], f"{name}.{part}h")
            normed = g.node(
                "SimplifiedLayerNormalization",
                [by_head, self._vector(f"blk.{i}.attn_{part}_norm.weight")],
                f"{name}.{part}n",
                epsilon=s.epsilon,
                axis=-1,
                stash_type=1,
            )
            flat = self._sizes(f"{part}_flat", 0, 0, wide)
            result.append(g.node("Reshape", [normed, flat], f"{name}.{part}r"))
        return [*result, split[2]]

    def _norm(self, x: str, residual: str, weight: str, name: str) -> tuple[str, str]:
        """Add `x` to the residual and normalise the sum."""
        outputs = [f"{name}.norm", "", "", f"{name}.sum"]
        self.graph.fused(
            "SkipSimplifiedLayerNormalization",
            [x, residual, self._vector(weight)],
            outputs,
            epsilon=self.shape.epsilon,
        )
        return outputs[0], outputs[3]

    def _linear(
        self, x: str, parts: Sequence[str], name: str, heads: Sequence[int] | None = None
    ) -> str:
        """One product for matrices that share their input; their biases too, where there are any.

        `heads` says for each part how many heads' rows are to be put back in order (0: none).
        """
        g = self.graph
        orders = [self._order(count) for count in heads or [0] * len(parts)]
        rows = sum(self.file.shape(f"{part}.weight")[0] for part in parts)
        columns = self.file.shape(f"{parts[0]}.weight")[1]
        biases = [f"{part}.bias" in self.file for part in parts]
        product = f"{name}.product" if any(biases) else name
        if self.int8:
            blocks = [self._quantised(f"{part}.weight", asymmetric) for part in parts]
            self._store(name, _stacked(blocks, orders))
            self._matmul_int8(x, name, rows, columns, product)
        else:
            weights = [self._tensor(f"{part}.weight") for part in parts]
            stacked = np.concatenate([w[o] for w, o in zip(weights, orders, strict=True)])
            g.node("MatMul", [x, g.constant(f"{name}.w", stacked.T)], product)
        if not any(biases):
            return name
        bias = np.concatenate(
            [
                self.file.tensor(f"{part}.bias")[order]
                if there
                else np.zeros(self.file.shape(f"{part}.weight")[0], np.float32)
                for part, order, there in zip(parts, orders, biases, strict=True)
            ]
        )
        return g.node("Add", [product, g.constant(f"{name}.bias", bias.astype(self.dtype))], name)

    def _order(self, heads: int) -> slice | NDArray[np.int64]:
        if not heads or not self.interleaved:
            return slice(None)
        size = self.shape.head_size
        return np.arange(heads * size).reshape(heads, size // 2, 2).swapaxes(1, 2).reshape(-1)

    def _quantised(self, name: str, quantise: Callable[[NDArray[np.float32]], Blocks]) -> Blocks:
        count = self.file.shape(name)[0]
        chunks = [
            quantise(self.file.tensor(name, slice(start, start + _ROWS)))
            for start in range(0, count, _ROWS)
        ]
        return _stacked(chunks, [slice(None)] * len(chunks))

    def _store(self, name: str, blocks: Blocks) -> None:
        g = self.graph
        g.constant(f"{name}.q", blocks.values)
        g.constant(f"{name}.s", blocks.scales)
        if blocks.zeros is not None:
            g.constant(f"{name}.z", blocks.zeros)

    def _matmul_int8(self, x: str, weights: str, rows: int, columns: int, name: str) -> None:
        inputs = [x, f"{weights}.q", f"{weights}.s"]
        if weights != "embedding":
            inputs.append(f"{weights}.z")
        self.graph.fused(
            "MatMulNBits",
            inputs,
            name,
            K=columns,
            N=rows,
            bits=8,
            block_size=BLOCK,
            accuracy_level=_ACCURACY,
        )

    def _vector(self, name: str) -> str:
        return self.graph.constant(name, self._tensor(name))

    def _tensor(self, name: str) -> NDArray[Any]:
        with np.errstate(over="ignore"):
            tensor = self.file.tensor(name).astype(self.dtype, copy=False)
        if self.half and not np.isfinite(tensor).all():
            raise unsupported(self.file, f"{name} in half precision", "its weights are too large")
        return tensor

    def _sizes(self, name: str, *sizes: int) -> str:
        return self.graph.constant(f"sizes.{name}", np.array(sizes, np.int64))


def _stacked(blocks: Sequence[Blocks], orders: Sequence[Any]) -> Blocks:
    """Rows of several matrices below one another, each in its order."""

    def stack(field: str) -> NDArray[Any]:
        arrays = [getattr(block, field) for block in blocks]
        return np.concatenate([a[o] for a, o in zip(arrays, orders, strict=True)])

    return Blocks(
        values=stack("values"),
        scales=stack("scales"),
        zeros=None if blocks[0].zeros is None else stack("zeros"),
    )
