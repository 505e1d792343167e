"""A GGUF's own vocabulary to a ``tokenizer.json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from astraweave.errors import CorruptDataError, UnsupportedModel
from astraweave.models.convert.gguf_file import GgufFile

__all__ = ["PRE_TOKENIZERS", "end_ids", "tokenizer_json"]

_CONTROL = 3
_USER_DEFINED = 4

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def _digits_and_words() -> list[dict[str, Any]]:
    return [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    ]


def _pattern(regex: str) -> list[dict[str, Any]]:
    return [
        {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
    ]


PRE_TOKENIZERS: Mapping[str, list[dict[str, Any]]] = {
    "smollm": _digits_and_words(),
    "gpt-2": _pattern(_GPT2),
    "llama-bpe": _pattern(_LLAMA3),
    "llama3": _pattern(_LLAMA3),
    "llama-v3": _pattern(_LLAMA3),
    "qwen2": _pattern(_QWEN2),
}
"""How text is cut before merging, by ``tokenizer.ggml.pre``."""

_ENDS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "</s>")
"""Control tokens that end an answer in the families that are known."""


def tokenizer_json(file: GgufFile) -> bytes:
    """The file's vocabulary, merges and special tokens as a ``tokenizer.json``.

    Raises
    ------
    UnsupportedModel
        It is not a byte-level BPE, or text is cut in a way that is not known.
    CorruptDataError
        Parts are missing or do not fit each other.
    """
    tokens, kinds = _tokens(file)
    kind = file.get("tokenizer.ggml.model")
    if kind == "llama":
        model, around = _spaced_bpe(file, tokens, kinds)
    elif kind == "gpt2":
        model, around = _byte_level_bpe(file, tokens)
    else:
        raise UnsupportedModel(
            f"{file.path}: the tokenizer {kind!r} is not supported; known are gpt2 (byte-level "
            "BPE) and llama (BPE with byte fallback)",
            path=str(file.path),
            feature=f"tokenizer {kind!r}",
        )
    added = [
        {
            "id": number,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": kind == _CONTROL,
        }
        for number, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind in {_CONTROL, _USER_DEFINED}
    ]
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "post_processor": None,
        **around,
        "model": model,
    }
    return msgspec.json.encode(document)


def end_ids(file: GgufFile) -> list[int]:
    """Tokens that end an answer: the file's own first, then those of the known families."""
    tokens, kinds = _tokens(file)
    control = {
        t: i for i, (t, kind) in enumerate(zip(tokens, kinds, strict=True)) if kind == _CONTROL
    }
    ids = [file.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot", "eom")]
    ids += [control.get(token) for token in _ENDS]
    return list(dict.fromkeys(i for i in ids if i is not None))


def _tokens(file: GgufFile) -> tuple[list[str], list[int]]:
    tokens = file.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list):
        raise CorruptDataError(f"{file.path} holds no vocabulary", path=str(file.path))
    kinds = file.get("tokenizer.ggml.token_type", [1] * len(tokens))
    if len(kinds) != len(tokens):
        raise CorruptDataError(
            f"{file.path} has {len(tokens)} tokens and {len(kinds)} token types",
            path=str(file.path),
        )
    return tokens, kinds


def _bpe(tokens: list[str], merges: list[Any], **fields: Any) -> dict[str, Any]:
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        **fields,
        "vocab": {token: number for number, token in enumerate(tokens)},
        "merges": merges,
    }


def _byte_level_bpe(file: GgufFile, tokens: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    pre = file.get("tokenizer.ggml.pre", "gpt-2")
    if pre not in PRE_TOKENIZERS:
        raise UnsupportedModel(
            f"{file.path}: the pre-tokenizer {pre!r} is not supported; known are "
            f"{', '.join(PRE_TOKENIZERS)}",
            path=str(file.path),
            feature=f"pre-tokenizer {pre!r}",
        )
    merges = [merge.split(" ") for merge in file.get("tokenizer.ggml.merges", [])]
    if any(len(merge) != 2 for merge in merges):
        raise CorruptDataError(f"{file.path}: a merge is not of two parts", path=str(file.path))
    around = {
        "normalizer": {"type": "NFC"} if pre == "qwen2" else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": PRE_TOKENIZERS[pre]},
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": True,
            "use_regex": True,
        },
    }
    return _bpe(tokens, merges, ignore_merges=pre.startswith("llama")), around


def _spaced_bpe(
    file: GgufFile, tokens: list[str], kinds: list[int]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """SentencePiece's BPE (Llama 2, Mistral): the file has scores, which order the merges."""
    scores = file.get("tokenizer.ggml.scores")
    if not isinstance(scores, list) or len(scores) != len(tokens):
        raise CorruptDataError(f"{file.path}: tokens and scores differ", path=str(file.path))
    prefix = bool(file.get("tokenizer.ggml.add_space_prefix", True))
    rank = {token: -score for token, score in zip(tokens, scores, strict=True)}
    merges: list[tuple[float, int, list[str]]] = []
    for number, (token, kind) in enumerate(zip(tokens, kinds, strict=True)):
        if kind != 1:
            continue
        merges += [
            (rank[token], number, [token[:cut], token[cut:]])
            for cut in range(1, len(token))
            if token[:cut] in rank and token[cut:] in rank
        ]
    merges.sort(key=lambda merge: merge[:2])
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    normalizers = [{"type": "Prepend", "prepend": "▁"}, replace] if prefix else [replace]
    decoders: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if prefix:
        decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    around = {
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
    }
    unknown = file.get("tokenizer.ggml.unknown_token_id")
    fields = {
        "byte_fallback": True,
        "fuse_unk": True,
        "unk_token": tokens[unknown] if isinstance(unknown, int) else None,
    }
    return _bpe(tokens, [merge[2] for merge in merges], **fields), around
