"""Tokenizers that other files carry, as the document that a ``tokenizer.json`` would hold."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from astraweave.errors import ConfigError, CorruptDataError
from astraweave.models._tokenizer_parts import PATTERN_NAMES
from astraweave.models.gguf_meta import GgufValue

__all__ = [
    "TIKTOKEN_ENCODINGS",
    "document_from_gguf",
    "document_from_tiktoken",
    "guess_encoding",
    "with_merges",
]

_SPACE = "▁"
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED = 1, 2, 3, 4
_Item = TypeVar("_Item")

# tokenizer.ggml.pre: the name under which a GGUF says how its vocabulary splits text.
_GGUF_PATTERNS = {
    "gpt2": ("gpt-2", "phi-2", "mpt", "olmo", "jais", "gpt2", "roberta-bpe"),
    "llama3": ("llama-bpe", "llama3", "llama-v3", "dbrx", "smaug-bpe", "falcon3", "pixtral"),
    "qwen2": ("qwen2", "stablelm2", "deepseek-r1-qwen", "megrez"),
    "o200k_base": ("gpt-4o", "llama4"),
    "tekken": ("tekken",),
}
_GGUF_DIGITS_THEN_GPT2 = ("smollm", "starcoder", "refact", "command-r", "codeshell")
_WHOLE_WORDS = ("llama3", "o200k_base", "tekken")

# name: (pattern, special tokens)
TIKTOKEN_ENCODINGS: Mapping[str, tuple[str, Mapping[str, int]]] = {
    "r50k_base": ("gpt2", {"<|endoftext|>": 50256}),
    "p50k_base": ("gpt2", {"<|endoftext|>": 50256}),
    "cl100k_base": (
        "cl100k_base",
        {
            "<|endoftext|>": 100257,
            "<|fim_prefix|>": 100258,
            "<|fim_middle|>": 100259,
            "<|fim_suffix|>": 100260,
            "<|endofprompt|>": 100276,
        },
    ),
    "o200k_base": ("o200k_base", {"<|endoftext|>": 199999, "<|endofprompt|>": 200018}),
}


def byte_alphabet() -> dict[int, str]:
    """GPT-2's writing of bytes as printable characters, for `str.translate` of Latin-1."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0x100)} - {0xAD}
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(0x100 + at) for at, byte in enumerate(others)}


def _split_then_bytes(pattern: str) -> dict[str, Any]:
    return {
        "type": "Sequence",
        "pretokenizers": [
            {
                "type": "Split",
                "pattern": {"Regex": PATTERN_NAMES[pattern]},
                "behavior": "Isolated",
                "invert": False,
            },
            _byte_level(use_regex=False),
        ],
    }


def _byte_level(*, use_regex: bool) -> dict[str, Any]:
    return {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": use_regex,
    }


def _added(token_id: int, content: str, *, special: bool) -> dict[str, Any]:
    return {
        "id": token_id,
        "content": content,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": special,
    }


def _document(added: Iterable[dict[str, Any]], **sections: Any) -> dict[str, Any]:
    empty = dict.fromkeys(["truncation", "padding", "normalizer", "pre_tokenizer"])
    return {"version": "1.0", **empty, "added_tokens": list(added), **sections}


def _bpe(
    vocab: dict[str, int], merges: Sequence[tuple[str, str]], **options: Any
) -> dict[str, Any]:
    defaults = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
    }
    return {**defaults, **options, "vocab": vocab, "merges": list(merges)}


def document_from_gguf(meta: Mapping[str, GgufValue]) -> dict[str, Any]:
    """A tokenizer document from a GGUF file's metadata.

    Raises
    ------
    ConfigError
        Its vocabulary is of a kind that is not supported; the message names it.
    CorruptDataError
        What it says of its vocabulary is incomplete or contradicts itself.
    """
    kind = meta.get("tokenizer.ggml.model")
    if kind is None:
        raise CorruptDataError("this GGUF carries no tokenizer (tokenizer.ggml.model is missing)")
    if kind == "gpt2":
        sections = _gguf_byte_level(meta)
    elif kind == "llama":
        sections = _gguf_sentencepiece(meta)
    else:
        raise ConfigError(
            f"GGUF tokenizer model {kind!r} is not supported (gpt2, llama)", model=kind
        )
    tokens, types = _gguf_tokens(meta)
    added = [
        _added(at, token, special=kind != _USER_DEFINED)
        for at, (token, kind) in enumerate(zip(tokens, types, strict=True))
        if kind in (_UNKNOWN, _CONTROL, _USER_DEFINED)
    ]
    return _document(added, post_processor=_gguf_template(meta, tokens), **sections)


def _entries(meta: Mapping[str, GgufValue], key: str, kind: type[_Item]) -> list[_Item]:
    value = meta.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
        raise CorruptDataError(f"the GGUF's {key} is not a list of {kind.__name__}", key=key)
    return value  # type: ignore[return-value]  # just checked


def _gguf_tokens(meta: Mapping[str, GgufValue]) -> tuple[list[str], list[int]]:
    tokens = _entries(meta, "tokenizer.ggml.tokens", str)
    types = _entries(meta, "tokenizer.ggml.token_type", int) or [_NORMAL] * len(tokens)
    if not tokens or len(types) != len(tokens):
        raise CorruptDataError(f"the GGUF has {len(tokens)} tokens and {len(types)} token types")
    return tokens, types


def _gguf_vocab(tokens: list[str]) -> dict[str, int]:
    vocab = {token: at for at, token in enumerate(tokens)}
    if len(vocab) != len(tokens):
        raise CorruptDataError("the GGUF's vocabulary names a token twice")
    return vocab


def _gguf_merges(meta: Mapping[str, GgufValue]) -> list[tuple[str, str]]:
    pairs = [tuple(merge.split(" ")) for merge in _entries(meta, "tokenizer.ggml.merges", str)]
    if any(len(pair) != 2 for pair in pairs):
        raise CorruptDataError("a merge of the GGUF's vocabulary is not a pair of tokens")
    return pairs  # type: ignore[return-value]  # just checked


def _gguf_byte_level(meta: Mapping[str, GgufValue]) -> dict[str, Any]:
    tokens, _ = _gguf_tokens(meta)
    name = meta.get("tokenizer.ggml.pre", "gpt-2")
    family = next((known for known, names in _GGUF_PATTERNS.items() if name in names), None)
    splitter: dict[str, Any]
    if family == "gpt2":
        splitter = _byte_level(use_regex=True)
    elif family is not None:
        splitter = _split_then_bytes(family)
    elif name in _GGUF_DIGITS_THEN_GPT2:
        digits = {"type": "Digits", "individual_digits": True}
        splitter = {"type": "Sequence", "pretokenizers": [digits, _byte_level(use_regex=True)]}
    else:
        raise ConfigError(f"GGUF pre-tokenizer {name!r} is not supported", pre=name)
    model = _bpe(_gguf_vocab(tokens), _gguf_merges(meta), ignore_merges=family in _WHOLE_WORDS)
    normalizer = {"type": "NFC"} if name == "qwen2" else None
    return {
        "normalizer": normalizer,
        "pre_tokenizer": splitter,
        "decoder": _byte_level(use_regex=True),
        "model": model,
    }


def _gguf_sentencepiece(meta: Mapping[str, GgufValue]) -> dict[str, Any]:
    tokens, types = _gguf_tokens(meta)
    merges = _gguf_merges(meta) or _merges_from_scores(meta, tokens, types)
    unknown = next((t for t, kind in zip(tokens, types, strict=True) if kind == _UNKNOWN), None)
    to_mark = {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE}
    normalizers: list[dict[str, Any]] = [to_mark]
    decoders: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if meta.get("tokenizer.ggml.add_space_prefix", True):
        normalizers.insert(0, {"type": "Prepend", "prepend": _SPACE})
        decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    model = _bpe(_gguf_vocab(tokens), merges, byte_fallback=True, fuse_unk=True, unk_token=unknown)
    return {
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": model,
    }


def _merges_from_scores(
    meta: Mapping[str, GgufValue], tokens: list[str], types: list[int]
) -> list[tuple[str, str]]:
    """SentencePiece merges whatever makes a token, best score first; only text tokens take part."""
    scores = _entries(meta, "tokenizer.ggml.scores", float)
    if len(scores) != len(tokens):
        raise CorruptDataError(f"the GGUF has {len(tokens)} tokens and {len(scores)} scores")
    text = {t: s for t, s, kind in zip(tokens, scores, types, strict=True) if kind == _NORMAL}
    best_first = sorted(text, key=lambda token: -text[token])
    return [
        (token[:at], token[at:])
        for token in best_first
        for at in range(1, len(token))
        if token[:at] in text and token[at:] in text
    ]


def _gguf_template(meta: Mapping[str, GgufValue], tokens: list[str]) -> dict[str, Any] | None:
    """The post-processor that puts the first (and last) token where the model wants it."""
    kind = meta.get("tokenizer.ggml.model")
    sides: list[dict[str, Any] | None] = []
    for name, default in (("bos", kind == "llama"), ("eos", False)):
        token_id = meta.get(f"tokenizer.ggml.{name}_token_id")
        wanted = bool(meta.get(f"tokenizer.ggml.add_{name}_token", default))
        if not wanted or not isinstance(token_id, int) or not 0 <= token_id < len(tokens):
            sides.append(None)
            continue
        token = tokens[token_id]
        sides.append({"id": token, "ids": [token_id], "tokens": [token]})
    named = [side for side in sides if side is not None]
    if not named:
        return None
    text = {"Sequence": {"id": "A", "type_id": 0}}
    before, after = ([{"SpecialToken": {"id": s["id"], "type_id": 0}}] if s else [] for s in sides)
    return {
        "type": "TemplateProcessing",
        "single": [*before, text, *after],
        "pair": [*before, text, *after, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {side["id"]: side for side in named},
    }


def document_from_tiktoken(data: bytes, encoding: str) -> dict[str, Any]:
    """A tokenizer document from a tiktoken file: lines of a token in base64 and its rank.

    tiktoken merges any two neighbours that make a token, lowest rank first, so that every way to
    cut a token in two tokens is a merge of its rank. The engine finds these by itself where none
    are given and they are ranked by their results; here they are left out (see `with_merges`).
    """
    pattern, specials = TIKTOKEN_ENCODINGS[encoding]
    alphabet = byte_alphabet()
    vocab: dict[str, int] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            token, rank = line.split()
            text = base64.b64decode(token, validate=True).decode("latin-1").translate(alphabet)
            vocab[text] = int(rank)
        except (ValueError, binascii.Error) as error:
            raise CorruptDataError(f"line {number} is no token and rank", line=number) from error
    if len(set(vocab.values())) != len(vocab) or "" in vocab:
        raise CorruptDataError("the file gives one rank to two tokens, or one to no token")
    return _document(
        [_added(at, token, special=True) for token, at in specials.items()],
        pre_tokenizer=_split_then_bytes(pattern),
        post_processor=None,
        decoder=_byte_level(use_regex=True),
        model=_bpe(vocab, (), ignore_merges=True),
    )


def with_merges(document: Mapping[str, Any]) -> dict[str, Any]:
    """What `document_from_tiktoken` gives, with the merges that it leaves out written down."""
    vocab: dict[str, int] = document["model"]["vocab"]
    merges = [
        (token[:at], token[at:])
        for token in sorted(vocab, key=vocab.__getitem__)
        for at in range(1, len(token))
        if token[:at] in vocab and token[at:] in vocab
    ]
    return {**document, "model": {**document["model"], "merges": merges}}


def guess_encoding(path: Path) -> str:
    """The encoding that a tiktoken file's name says."""
    for name in TIKTOKEN_ENCODINGS:
        if name in path.name:
            return name
    raise ConfigError(
        f"{path.name} does not say its encoding: pass encoding= one of "
        f"{', '.join(TIKTOKEN_ENCODINGS)}",
        path=str(path),
    )
