"""The numbers of a decoder, read from its file and checked against every tensor in it."""

from __future__ import annotations

from collections.abc import Iterator

from astraweave.errors import CorruptDataError, UnsupportedModel
from astraweave.models.convert.gguf_file import GgufFile
from astraweave.models.convert.quantize import BLOCK
from astraweave.models.weight_table import DecoderNumbers

__all__ = ["ARCHITECTURES", "DecoderShape", "unsupported"]

ARCHITECTURES = ("llama", "qwen2", "qwen3")
"""What ``general.architecture`` may be; Mistral and SmolLM call themselves llama."""


class DecoderShape(DecoderNumbers, frozen=True, kw_only=True):
    """The numbers of a decoder, from its file."""

    @classmethod
    def of(cls, file: GgufFile, context: int) -> DecoderShape:
        """Read them, refusing by name what the graph cannot do.

        Raises
        ------
        UnsupportedModel
            An architecture, a rope scaling, experts or a shape that is not known.
        CorruptDataError
            A number or a tensor is missing, or they contradict each other.
        """
        name = file.architecture
        if name not in ARCHITECTURES:
            known = f"known are {', '.join(ARCHITECTURES)}"
            raise unsupported(file, f"the architecture {name!r}", known)
        width, heads = file.integer("embedding_length"), file.integer("attention.head_count")
        shape = cls(
            layers=file.integer("block_count"),
            width=width,
            heads=heads,
            kv_heads=file.integer("attention.head_count_kv", heads),
            head_size=file.integer("attention.key_length", width // heads),
            hidden=file.integer("feed_forward_length"),
            vocabulary=file.shape("token_embd.weight")[0],
            # Within its window, sliding attention is the same as full attention.
            context=min(
                context,
                file.integer("context_length"),
                file.of_architecture("attention.sliding_window") or context,
            ),
            epsilon=file.number("attention.layer_norm_rms_epsilon", 1e-5),
            rope_base=file.number("rope.freq_base", 10_000.0),
            rope_factor=_rope_factor(file),
        )
        _refuse_features(file, shape)
        for tensor, expected, needed in _tensors(shape):
            if (needed or tensor in file) and file.shape(tensor) != expected:
                raise CorruptDataError(
                    f"{file.path}: the tensor {tensor} is of shape {file.shape(tensor)}, but "
                    f"{expected} is what the file's numbers say",
                    path=str(file.path),
                    tensor=tensor,
                )
        return shape


def unsupported(file: GgufFile, what: str, why: str = "") -> UnsupportedModel:
    """The error for a feature that cannot be converted."""
    return UnsupportedModel(
        f"{file.path}: {what} is not supported{f' ({why})' if why else ''}",
        path=str(file.path),
        architecture=file.architecture,
        feature=what,
    )


def _rope_factor(file: GgufFile) -> float:
    scaling = file.of_architecture("rope.scaling.type", "none")
    if scaling == "linear":
        return file.number("rope.scaling.factor", 1.0)
    if scaling == "none":
        return file.number("rope.scale_linear", 1.0)
    raise unsupported(file, f"rope scaling {scaling!r}", "known are none and linear")


def _refuse_features(file: GgufFile, shape: DecoderShape) -> None:
    if file.of_architecture("attention.value_length", shape.head_size) != shape.head_size:
        raise unsupported(file, "values of another size than keys")
    if file.of_architecture("rope.dimension_count", shape.head_size) != shape.head_size:
        raise unsupported(file, "rotary embedding of a part of each head")
    if file.of_architecture("expert_count", 0):
        raise unsupported(file, "a mixture of experts")
    if file.get("split.count", 0) not in (0, 1):
        raise unsupported(file, "a model in several files", "merge them first")
    if shape.heads % shape.kv_heads or shape.head_size % 2:
        raise unsupported(
            file,
            f"{shape.heads} heads of size {shape.head_size} over {shape.kv_heads} of keys",
        )
    for name, size in {
        "embedding_length": shape.width,
        "feed_forward_length": shape.hidden,
        "heads times head size": shape.heads * shape.head_size,
    }.items():
        if size % BLOCK:
            raise unsupported(file, f"{name} {size}", f"not a multiple of {BLOCK}")


def _tensors(s: DecoderShape) -> Iterator[tuple[str, tuple[int, ...], bool]]:
    """Name, shape and whether it must be there, of every tensor that the graph can use."""
    queries, keys = s.heads * s.head_size, s.kv_heads * s.head_size
    yield "token_embd.weight", (s.vocabulary, s.width), True
    yield "output_norm.weight", (s.width,), True
    yield "output.weight", (s.vocabulary, s.width), False
    yield "rope_freqs.weight", (s.head_size // 2,), False
    for i in range(s.layers):
        block = f"blk.{i}."
        for norm in ("attn_norm", "ffn_norm"):
            yield f"{block}{norm}.weight", (s.width,), True
        for name, rows, columns in (
            ("attn_q", queries, s.width),
            ("attn_k", keys, s.width),
            ("attn_v", keys, s.width),
            ("attn_output", s.width, queries),
            ("ffn_gate", s.hidden, s.width),
            ("ffn_up", s.hidden, s.width),
            ("ffn_down", s.width, s.hidden),
        ):
            yield f"{block}{name}.weight", (rows, columns), True
            yield f"{block}{name}.bias", (rows,), False
        for part in "qk":
            yield f"{block}attn_{part}_norm.weight", (s.head_size,), False
