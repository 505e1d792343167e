"""What a decoder's configuration says about its vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from astraweave.models.convert.gguf_file import GgufFile
from astraweave.models.tokenizer import Tokenizer

__all__ = ["vocabulary_config"]

_ENDS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "</s>")
"""Control tokens that end an answer in the families that are known."""


def vocabulary_config(file: GgufFile, tokenizer: Tokenizer) -> Mapping[str, Any]:
    """The special tokens that an engine or a chat template asks for.

    Returns
    -------
    mapping
        ``bos_id`` (None where nothing is to be put before a text), ``eos_ids`` (every token that
        ends an answer: the file's own first, then those of the known families), ``bos_token`` and
        ``eos_token`` as templates call them.
    """
    ids = {name: file.get(f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos", "eot")}
    ends = [ids["eos"], ids["eot"], *(tokenizer.special_tokens.get(token) for token in _ENDS)]
    starts = file.get("tokenizer.ggml.add_bos_token", file.get("tokenizer.ggml.model") == "llama")
    return {
        "bos_id": ids["bos"] if starts else None,
        "eos_ids": [end for end in dict.fromkeys(ends) if end is not None],
        **{
            f"{name}_token": "" if ids[name] is None else tokenizer.id_to_token(ids[name])
            for name in ("bos", "eos")
        },
    }
