"""BERT-style safetensors to one fused graph: token ids in, unit sentence vectors out.

Inputs ``input_ids`` and ``attention_mask`` are int64 of shape (B, S); the output
``sentence_embedding`` is float32 of shape (B, dims).
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.core.settings import keep_onnxruntime_quiet
from astraweave.errors import CorruptDataError, MissingExtraError, UnsupportedModel
from astraweave.models._json import decode_json
from astraweave.models.convert.graph import GraphBuilder
from astraweave.models.progress import Progress, no_progress

__all__ = ["EncoderShape", "Pooling", "convert_encoder", "read_pooling"]

Pooling = Literal["mean", "cls"]

_PREFIX = "bert."
_UNUSED = ("pooler.", "embeddings.position_ids", "cls.")
"""Tensors that a sentence vector does not need."""


class EncoderShape(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of an encoder; the fields of its ``config.json`` that matter here."""

    model_type: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    vocab_size: int
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    position_embedding_type: str = "absolute"

    @classmethod
    def read(cls, path: Path) -> EncoderShape:
        """Read a ``config.json``, refusing by name what the graph cannot do.

        Raises
        ------
        CorruptDataError
            It is not such a file.
        UnsupportedModel
            It describes something else than a plain BERT.
        """
        try:
            shape = decode_json(path.read_bytes(), cls)
        except ValueError as error:
            raise CorruptDataError(
                f"{path} is not the config of a BERT: {error}", path=str(path)
            ) from None
        if shape.num_attention_heads < 1 or shape.hidden_size % shape.num_attention_heads:
            raise CorruptDataError(
                f"{path}: {shape.num_attention_heads} heads do not divide {shape.hidden_size}",
                path=str(path),
            )
        wanted = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
        for field, value in wanted.items():
            if (found := getattr(shape, field)) != value:
                raise UnsupportedModel(
                    f"{path}: {field} {found!r} is not supported; it must be {value!r}",
                    path=str(path),
                    feature=f"{field} {found!r}",
                )
        return shape


def convert_encoder(
    weights: Path,
    config: Path,
    graph: Path,
    *,
    pooling: Pooling = "mean",
    precision: Literal["int8", "fp32"] = "int8",
    progress: Progress = no_progress,
) -> EncoderShape:
    """Write the encoder to `graph`, one file.

    Parameters
    ----------
    weights, config : Path
        ``model.safetensors`` and the ``config.json`` beside it.
    graph : Path
        What is written.
    pooling : {"mean", "cls"}
        How token vectors become one.
    precision : {"int8", "fp32"}
        Int8 quantises weights by channel and activations as they come.
    progress : Progress
        Hears two steps.

    Raises
    ------
    CorruptDataError
        The files are damaged or do not fit each other.
    UnsupportedModel
        Something that the graph cannot do, by name.
    """
    shape = EncoderShape.read(config)
    tensors = _read(weights)
    progress("convert", 0, 2)
    with tempfile.TemporaryDirectory(dir=graph.parent, prefix=".encoder.") as folder:
        plain = Path(folder) / "plain.onnx"
        with GraphBuilder(plain, "bert") as builder:
            _Encoder(tensors, shape, builder, weights).build(pooling)
            # Nothing is left to fuse; the quantiser warns unless it is told so.
            builder.save(**{"onnx.quant.pre_process": "onnxruntime.quant"})
        progress("convert", 1, 2)
        _finish(plain, graph, precision)
    progress("convert", 2, 2)
    return shape


def _read(path: Path) -> dict[str, NDArray[np.float32]]:
    try:
        import safetensors
        from safetensors.numpy import load_file
    except ImportError:
        raise MissingExtraError("converting safetensors", "convert") from None
    try:
        loaded = load_file(path)
    except (safetensors.SafetensorError, KeyError) as error:  # KeyError: a dtype NumPy has not
        raise CorruptDataError(
            f"{path} cannot be read as safetensors: {error}", path=str(path)
        ) from None
    return {
        name.removeprefix(_PREFIX): np.asarray(tensor, dtype=np.float32)
        for name, tensor in loaded.items()
        if not name.removeprefix(_PREFIX).startswith(_UNUSED)
    }


def _finish(plain: Path, graph: Path, precision: str) -> None:
    import onnx

    if precision == "fp32":
        onnx.save_model(onnx.load(plain), graph)
        return
    keep_onnxruntime_quiet()
    try:
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError:
        raise MissingExtraError("converting an encoder to int8", "cpu") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantize_dynamic(
            str(plain),
            str(graph),
            weight_type=QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul", "Attention", "Gather"],
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )


class _Encoder:
    def __init__(
        self,
        tensors: Mapping[str, NDArray[np.float32]],
        shape: EncoderShape,
        graph: GraphBuilder,
        path: Path,
    ) -> None:
        self.tensors = dict(tensors)
        self.shape = shape
        self.graph = graph
        self.path = path

    def build(self, pooling: Pooling) -> None:
        g, s = self.graph, self.shape
        g.input("input_ids", "int64", ["B", "S"])
        g.input("attention_mask", "int64", ["B", "S"])
        g.output("sentence_embedding", "float32", ["B", s.hidden_size])
        g.node("Cast", ["attention_mask"], "mask.int", to=6)
        x = self._embedding()
        for layer in range(s.num_hidden_layers):
            x = self._layer(layer, x)
        if self.tensors:
            name = min(self.tensors)
            raise UnsupportedModel(
                f"{self.path}: the tensor {name!r} is not part of a plain BERT",
                path=str(self.path),
                tensor=name,
            )
        pooled = self._mean(x) if pooling == "mean" else self._first(x)
        g.node("LpNormalization", [pooled], "sentence_embedding", axis=-1, p=2)

    def _embedding(self) -> str:
        g, s = self.graph, self.shape
        words = self._tensor("embeddings.word_embeddings.weight", s.vocab_size, s.hidden_size)
        places = self._tensor(
            "embeddings.position_embeddings.weight", s.max_position_embeddings, s.hidden_size
        )
        kinds = self._tensor("embeddings.token_type_embeddings.weight")
        table = g.constant("positions", places + kinds[0])  # every text is of the first kind
        word = g.node("Gather", [g.constant("words", words), "input_ids"], "word", axis=0)
        shape = g.node("Shape", ["input_ids"], "length", start=1, end=2)
        place = g.node("Slice", [table, self._sizes("zero", 0), shape], "place")
        summed = g.node("Add", [word, place], "embedded")
        return g.node(
            "LayerNormalization",
            [summed, *self._norm("embeddings.LayerNorm")],
            "embedded.norm",
            axis=-1,
            epsilon=s.layer_norm_eps,
        )

    def _layer(self, i: int, x: str) -> str:
        g, s = self.graph, self.shape
        part, name = f"encoder.layer.{i}", f"l{i}"
        kinds = [f"{part}.attention.self.{kind}" for kind in ("query", "key", "value")]
        square = (s.hidden_size, s.hidden_size)
        weight = np.concatenate([self._tensor(f"{k}.weight", *square).T for k in kinds], axis=1)
        bias = np.concatenate([self._tensor(f"{k}.bias", s.hidden_size) for k in kinds])
        attended = g.fused(
            "Attention",
            [x, g.constant(f"{name}.qkv", weight), g.constant(f"{name}.qkv.b", bias), "mask.int"],
            f"{name}.attended",
            num_heads=s.num_attention_heads,
        )
        x = self._add(attended, x, f"{part}.attention.output", f"{name}.a")
        wide = g.node("MatMul", [x, self._weight(f"{part}.intermediate.dense")], f"{name}.wide")
        active = g.fused(
            "BiasGelu", [wide, self._bias(f"{part}.intermediate.dense")], f"{name}.gelu"
        )
        return self._add(active, x, f"{part}.output", f"{name}.f")

    def _add(self, x: str, residual: str, part: str, name: str) -> str:
        """Project, add bias and residual, normalise.

        onnxruntime adds the bias within its matrix product. The rest it would fuse, were it an
        Add, to a SkipLayerNormalization, which takes four times as long as these two nodes: a
        quarter of the whole model's time.
        """
        g = self.graph
        product = g.node("MatMul", [x, self._weight(f"{part}.dense")], f"{name}.product")
        shifted = g.node("Add", [product, self._bias(f"{part}.dense")], f"{name}.shifted")
        summed = g.node("Sum", [shifted, residual], f"{name}.sum")
        return g.node(
            "LayerNormalization",
            [summed, *self._norm(f"{part}.LayerNorm")],
            f"{name}.norm",
            axis=-1,
            epsilon=self.shape.layer_norm_eps,
        )

    def _mean(self, x: str) -> str:
        g = self.graph
        mask = g.node("Cast", ["attention_mask"], "mask.float", to=1)
        mask = g.node("Unsqueeze", [mask, self._sizes("last", -1)], "mask.wide")
        axis = self._sizes("tokens", 1)
        kept = g.node("Mul", [x, mask], "kept")
        total = g.node("ReduceSum", [kept, axis], "total", keepdims=0)
        count = g.node("ReduceSum", [mask, axis], "count", keepdims=0)
        return g.node("Div", [total, count], "pooled")

    def _first(self, x: str) -> str:
        first = self.graph.constant("sizes.first", np.array(0, np.int64))
        return self.graph.node("Gather", [x, first], "pooled", axis=1)

    def _weight(self, name: str) -> str:
        return self.graph.constant(f"{name}.weight", self._tensor(f"{name}.weight").T)

    def _bias(self, name: str) -> str:
        return self.graph.constant(f"{name}.bias", self._tensor(f"{name}.bias"))

    def _norm(self, name: str) -> list[str]:
        parts = (f"{name}.weight", f"{name}.bias")
        return [self.graph.constant(p, self._tensor(p, self.shape.hidden_size)) for p in parts]

    def _tensor(self, name: str, *sizes: int) -> NDArray[np.float32]:
        """Take a tensor, once; what is left in the end is unknown to us."""
        tensor = self.tensors.pop(name, None)
        if tensor is None or (sizes and tensor.shape != sizes):
            found = "is not there" if tensor is None else f"has the shape {tensor.shape}"
            raise CorruptDataError(
                f"{self.path}: the tensor {name} {found}", path=str(self.path), tensor=name
            )
        return tensor

    def _sizes(self, name: str, *sizes: int) -> str:
        return self.graph.constant(f"sizes.{name}", np.array(sizes, np.int64))


def read_pooling(path: Path) -> Pooling:
    """How a sentence-transformers ``1_Pooling/config.json`` says that vectors are pooled.

    Raises
    ------
    CorruptDataError
        It is not such a file.
    UnsupportedModel
        It asks for another way than mean or cls.
    """
    try:
        modes: dict[str, Any] = decode_json(path.read_bytes(), dict[str, Any])
    except ValueError as error:
        raise CorruptDataError(f"{path} is not JSON: {error}", path=str(path)) from None
    chosen = [k for k, on in modes.items() if k.startswith("pooling_mode_") and on is True]
    if chosen == ["pooling_mode_mean_tokens"]:
        return "mean"
    if chosen == ["pooling_mode_cls_token"]:
        return "cls"
    raise UnsupportedModel(
        f"{path}: pooling by {', '.join(chosen) or 'nothing'} is not supported; mean and cls are",
        path=str(path),
        feature="pooling",
    )
