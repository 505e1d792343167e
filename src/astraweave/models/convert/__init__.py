"""Turning published weights into the graphs that games ship; needs the extra ``convert``."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from astraweave.errors import ConfigError, CorruptDataError
from astraweave.models._json import decode_json
from astraweave.models.progress import Progress, no_progress

if TYPE_CHECKING:
    from astraweave.models.registry import ModelCard

__all__ = ["CONVERTER_VERSION", "NOTICES", "Precision", "convert"]

Precision: TypeAlias = Literal["int8", "fp16", "fp32"]
"""In which numbers a decoder computes."""

CONVERTER_VERSION = 3
"""Grows with every change of what is written; older results are then converted anew."""

NOTICES = ("LICENSE*", "LICENCE*", "NOTICE*", "COPYING*")
"""Files of a model that travel with everything that is made of it."""


def convert(
    card: ModelCard,
    sources: Path,
    folder: Path,
    *,
    precision: Precision = "int8",
    progress: Progress = no_progress,
) -> None:
    """Write everything that running a model needs into an empty folder.

    Parameters
    ----------
    card : ModelCard
        What it is.
    sources : Path
        Folder of the card's files.
    folder : Path
        Gets ``model.onnx``, ``tokenizer.json``, ``config.json``, the licence texts, and where
        the model is for chats ``weights.json`` and, if it has one, ``chat_template.jinja``.
    precision : {"int8", "fp16", "fp32"}
        In which numbers a chat model computes (see `convert_decoder`); embedders have one form.

    Raises
    ------
    ConfigError
        The card and its files do not fit each other.
    UnsupportedModel, CorruptDataError
        The files cannot be converted; what it is stands in the error.
    MissingExtraError
        The extra ``convert`` is not installed.
    """
    for pattern in NOTICES:
        for notice in sources.glob(pattern):
            shutil.copyfile(notice, folder / notice.name)
    if card.task == "chat":
        written = _decoder(card, sources, folder, precision, progress)
    else:
        written = _encoder(card, sources, folder, progress)
    text = msgspec.json.format(msgspec.json.encode({"id": card.id, **written}), indent=1)
    (folder / "config.json").write_bytes(text)


def _decoder(
    card: ModelCard, sources: Path, folder: Path, precision: Precision, progress: Progress
) -> Mapping[str, Any]:
    from astraweave.models.convert.gguf_file import GgufFile
    from astraweave.models.convert.llama import convert_decoder
    from astraweave.models.convert.vocabulary import vocabulary_config
    from astraweave.models.tokenizer import Tokenizer

    names = [name for name in card.files if name.endswith(".gguf")]
    if len(names) != 1:
        raise _misfit(card, "files", "a model for chats has exactly one *.gguf")
    path = sources / names[0]
    file = GgufFile(path)
    tokenizer = Tokenizer.from_file(path)
    tokenizer.write_tokenizer_json(folder / "tokenizer.json")
    if template := file.get("tokenizer.chat_template"):
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8", newline="")
    shape = convert_decoder(
        path,
        folder / "model.onnx",
        context=card.context,
        precision=precision,
        progress=progress,
    )
    if shape.width != card.dims:
        raise _misfit(card, "dims", f"the file's own is {shape.width}")
    return {
        "kind": "decoder",
        "layers": shape.layers,
        "heads": shape.heads,
        "kv_heads": shape.kv_heads,
        "head_size": shape.head_size,
        "vocab_size": shape.vocabulary,
        "context_tokens": shape.context,
        **vocabulary_config(file, tokenizer),
    }


def _encoder(card: ModelCard, sources: Path, folder: Path, progress: Progress) -> Mapping[str, Any]:
    from astraweave.models.convert.bert import convert_encoder, read_pooling

    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        if name not in card.files:
            raise _misfit(card, "files", f"an embedder has a {name}")
    pooling = read_pooling(sources / "pooling.json") if "pooling.json" in card.files else "mean"
    (folder / "tokenizer.json").write_bytes(_without_padding(sources / "tokenizer.json"))
    shape = convert_encoder(
        sources / "model.safetensors",
        sources / "config.json",
        folder / "model.onnx",
        pooling=pooling,
        progress=progress,
    )
    if shape.hidden_size != card.dims:
        raise _misfit(card, "dims", f"the file's own is {shape.hidden_size}")
    return {
        "kind": "encoder",
        "dimensions": shape.hidden_size,
        "max_tokens": min(card.context, shape.max_position_embeddings),
        "pooling": pooling,
        "normalize": True,
        "vocab_size": shape.vocab_size,
    }


def _without_padding(path: Path) -> bytes:
    """Published tokenizers pad and cut every text to one length; here the caller decides."""
    try:
        document = decode_json(path.read_bytes(), dict[str, Any])
    except ValueError as error:
        raise CorruptDataError(f"{path} is not JSON: {error}", path=str(path)) from None
    return msgspec.json.encode({**document, "truncation": None, "padding": None})


def _misfit(card: ModelCard, field: str, why: str) -> ConfigError:
    return ConfigError(f"model {card.id!r}: {field}: {why}", entry=card.id, field=field)
