"""What holds for every tokenizer, and what damaged files and odd arguments do."""

from __future__ import annotations

import base64
import json
import struct
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from astraweave.errors import (
    AstraweaveError,
    ConfigError,
    CorruptDataError,
    FormatVersionError,
    InputError,
    StorageError,
)
from astraweave.models import Tokenizer
from astraweave.models._tokenizer_parts import PATTERN_NAMES
from astraweave.models.gguf_meta import read_gguf_metadata

PRINTABLE = {*range(0x21, 0x7F), *range(0xA1, 0x100)} - {0xAD}
_spare = iter(range(0x100, 0x200))
ALPHABET = [chr(byte) if byte in PRINTABLE else chr(next(_spare)) for byte in range(256)]
MERGES = ["Ġ t", "h e", "Ġt he", "i n", "Ã ©", "l l", "ll o", "a a", "aa aa", "ð Ł", "ðŁ ĺ"]
CONTROL = ["<|im_start|>", "<|im_end|>"]


def added(at: int, content: str, *, special: bool = True) -> dict[str, Any]:
    return {"id": at, "content": content, "special": special, "normalized": False}


def byte_level_document() -> dict[str, Any]:
    tokens = [*ALPHABET, *(merge.replace(" ", "") for merge in MERGES), *CONTROL]
    vocab = {token: at for at, token in enumerate(tokens)}
    return {
        "added_tokens": [added(vocab[token], token) for token in CONTROL],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False},
        "decoder": {"type": "ByteLevel"},
        "model": {"type": "BPE", "vocab": vocab, "merges": list(MERGES)},
    }


def fallback_document() -> dict[str, Any]:
    tokens = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b", "▁a", "ab"]
    space = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    to_mark = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    return {
        "added_tokens": [added(0, "<unk>")],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [{"type": "Prepend", "prepend": "▁"}, to_mark],
        },
        "decoder": {
            "type": "Sequence",
            "decoders": [space, {"type": "ByteFallback"}, {"type": "Fuse"}, strip],
        },
        "model": {
            "type": "BPE",
            "vocab": {token: at for at, token in enumerate(tokens)},
            "merges": [["▁", "a"], ["a", "b"]],
            "byte_fallback": True,
            "unk_token": "<unk>",
        },
    }


def wordpiece_document() -> dict[str, Any]:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "ham", "##mer", "##s", ".", "'", "a"]
    frame = [{"SpecialToken": {"id": "[CLS]"}}, {"Sequence": {"id": "A"}}]
    return {
        "added_tokens": [added(at, token) for at, token in enumerate(tokens[:4])],
        "normalizer": {"type": "BertNormalizer"},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [*frame, {"SpecialToken": {"id": "[SEP]"}}],
            "special_tokens": {"[CLS]": {"ids": [2]}, "[SEP]": {"ids": [3]}},
        },
        "decoder": {"type": "WordPiece"},
        "model": {
            "type": "WordPiece",
            "vocab": {token: at for at, token in enumerate(tokens)},
        },
    }


def build(document: dict[str, Any]) -> Tokenizer:
    return Tokenizer.from_json(json.dumps(document))


BYTE_LEVEL = build(byte_level_document())
KINDS = {
    "bytes": BYTE_LEVEL,
    "fallback": build(fallback_document()),
    "wordpiece": build(wordpiece_document()),
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
kinds = pytest.mark.parametrize("tokenizer", KINDS.values(), ids=KINDS)


@settings(deadline=None)
@given(TEXT)
def test_text_survives_the_round_trip(text: str) -> None:
    for special in (False, True):
        ids = BYTE_LEVEL.encode(text, special=special)
        assert BYTE_LEVEL.decode(ids, skip_special=False) == text


@pytest.mark.parametrize("pattern", PATTERN_NAMES)
def test_text_survives_every_splitter(pattern: str) -> None:
    split = {"type": "Split", "pattern": {"Regex": PATTERN_NAMES[pattern]}, "behavior": "Isolated"}
    level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    parts = {"type": "Sequence", "pretokenizers": [split, level]}
    tokenizer = build(byte_level_document() | {"pre_tokenizer": parts})

    @settings(deadline=None)
    @given(TEXT)
    def check(text: str) -> None:
        assert tokenizer.decode(tokenizer.encode(text)) == text

    check()


@kinds
def test_count_is_the_length_of_encode(tokenizer: Tokenizer) -> None:
    @settings(deadline=None)
    @given(TEXT, st.booleans())
    def check(text: str, special: bool) -> None:
        assert tokenizer.count(text, special=special) == len(
            tokenizer.encode(text, special=special)
        )

    check()


@kinds
def test_a_stream_gives_what_decode_gives_and_never_half_a_character(tokenizer: Tokenizer) -> None:
    ids = st.lists(st.integers(0, tokenizer.vocab_size - 1), max_size=40)

    @settings(deadline=None)
    @given(ids, st.booleans())
    def check(ids: list[int], skip: bool) -> None:
        stream = tokenizer.decoder(skip_special=skip)
        for _ in range(2):  # flush starts anew
            pieces = [stream.push(token) for token in ids]
            assert "".join(pieces) + stream.flush() == tokenizer.decode(ids, skip_special=skip)

    check()


@settings(deadline=None)
@given(TEXT)
def test_a_stream_of_valid_text_has_no_replacement_characters(text: str) -> None:
    stream = BYTE_LEVEL.decoder()
    out = "".join(stream.push(token) for token in BYTE_LEVEL.encode(text)) + stream.flush()
    assert out == text


@kinds
def test_control_tokens_come_only_where_asked_for(tokenizer: Tokenizer) -> None:
    names = st.sampled_from([*tokenizer.special_tokens, "<|im_", "end|>", " ", "the", "<", "["])
    unknown = tokenizer.token_to_id("[UNK]")
    control = set(tokenizer.special_tokens.values()) - {unknown}

    @settings(deadline=None)
    @given(st.lists(names, max_size=8).map("".join))
    def check(text: str) -> None:
        assert not control & set(tokenizer.encode(text))
        assert not control & set(tokenizer.encode_for_model(text)[1:-1])

    check()
    for name, token_id in tokenizer.special_tokens.items():
        assert tokenizer.encode(name, special=True)[-1] == token_id


def test_no_merge_and_no_whole_piece_makes_a_control_token() -> None:
    document = byte_level_document()
    size = len(document["model"]["vocab"])
    document["model"]["vocab"] |= {"the": size}
    document["model"]["merges"].append("t he")
    document["model"]["ignore_merges"] = True
    assert build(document).encode("the") == [size]
    document["added_tokens"].append(added(size, "the"))
    assert build(document).encode("the") == build(byte_level_document()).encode("the")


@settings(deadline=None)
@given(TEXT, st.integers(2, 12))
def test_framing_keeps_the_start_of_the_text(text: str, limit: int) -> None:
    tokenizer = KINDS["wordpiece"]
    ids = tokenizer.encode(text)
    assert tokenizer.encode_for_model(text) == [2, *ids, 3]
    assert tokenizer.encode_for_model(text, limit) == [2, *ids[: limit - 2], 3]
    with pytest.raises(InputError, match="max_tokens=1"):
        tokenizer.encode_for_model(text, 1)


@kinds
@pytest.mark.parametrize("char", ["a", " ", "\n", "é", "\u0301", "😀", "."])
def test_a_million_of_one_character(tokenizer: Tokenizer, char: str) -> None:
    ids = tokenizer.encode(char * 1_000_000)
    assert tokenizer.count(char * 1_000_000) == len(ids)
    if tokenizer is BYTE_LEVEL:
        assert tokenizer.decode(ids) == char * 1_000_000


@kinds
def test_lone_surrogates_are_read_as_replacement_characters(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("a\ud800b\udc00\ud83d😀") == tokenizer.encode("a\ufffdb\ufffd\ufffd😀")
    assert tokenizer.token_to_id("\ud800") is None


@kinds
def test_wrong_arguments_are_named(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match="bytes"):
        tokenizer.encode(b"text")  # type: ignore[arg-type]
    size = tokenizer.vocab_size
    for wrong in (-1, size, 2**31, 2**70, "x", None):
        with pytest.raises(InputError):
            tokenizer.decode([wrong])  # type: ignore[list-item]
        with pytest.raises(InputError):
            tokenizer.id_to_token(wrong)  # type: ignore[arg-type]
        with pytest.raises(InputError):
            tokenizer.decoder().push(wrong)  # type: ignore[arg-type]


def test_tokens_and_ids_name_each_other() -> None:
    for token_id in range(BYTE_LEVEL.vocab_size):
        assert BYTE_LEVEL.token_to_id(BYTE_LEVEL.id_to_token(token_id)) == token_id
    assert BYTE_LEVEL.token_to_id("no such token") is None


def test_threads_share_one_tokenizer() -> None:
    text = "the hello aaaa 😀 " * 2000
    expected = BYTE_LEVEL.encode(text)
    wrong: list[int] = []

    def work(number: int) -> None:
        if any(BYTE_LEVEL.encode(text) != expected for _ in range(5)):
            wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# ---------------------------------------------------------------------------------------- files


def gguf_bytes(metadata: dict[str, Any]) -> bytes:
    """A GGUF header as published writers lay it out."""

    def string(text: str) -> bytes:
        raw = text.encode()
        return struct.pack("<Q", len(raw)) + raw

    def value(item: Any) -> bytes:
        if isinstance(item, bool):
            return struct.pack("<I?", 7, item)
        if isinstance(item, int):
            return struct.pack("<Ii", 5, item)
        if isinstance(item, str):
            return struct.pack("<I", 8) + string(item)
        if isinstance(item[0], str):
            return struct.pack("<IIQ", 9, 8, len(item)) + b"".join(map(string, item))
        code, kind = ("f", 6) if isinstance(item[0], float) else ("i", 5)
        return struct.pack(f"<IIQ{len(item)}{code}", 9, kind, len(item), *item)

    body = b"".join(string(key) + value(item) for key, item in metadata.items())
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(metadata)) + body


def byte_level_gguf(pre: str = "smollm") -> dict[str, Any]:
    tokens = [*ALPHABET, *(merge.replace(" ", "") for merge in MERGES), *CONTROL]
    return {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [3 if token in CONTROL else 1 for token in tokens],
        "tokenizer.ggml.merges": MERGES,
        "tokenizer.ggml.bos_token_id": tokens.index("<|im_start|>"),
        "tokenizer.ggml.add_bos_token": True,
    }


def sentencepiece_gguf() -> dict[str, Any]:
    pieces = ["▁", "t", "h", "e", "he", "▁t", "▁the", "th"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [0.0] * 259 + [-9.0, -9.0, -9.0, -9.0, -1.0, -3.0, -2.0, -4.0],
        "tokenizer.ggml.token_type": [2, 3, 3] + [6] * 256 + [1] * len(pieces),
        "tokenizer.ggml.bos_token_id": 1,
    }


@pytest.fixture
def written(tmp_path: Path):
    def write(data: bytes, name: str = "file") -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def test_a_gguf_gives_the_tokenizer_that_it_describes(written) -> None:
    tokenizer = Tokenizer.from_file(written(gguf_bytes(byte_level_gguf())))
    document = byte_level_document()
    digits = {"type": "Digits", "individual_digits": True}
    document["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [digits, document["pre_tokenizer"]],
    }
    same = build(document)
    for text in ("the hello 1234 é😀", "<|im_end|>", ""):
        assert tokenizer.encode(text) == same.encode(text)
        assert tokenizer.encode(text, special=True) == same.encode(text, special=True)
    begin = tokenizer.special_tokens["<|im_start|>"]
    assert tokenizer.encode_for_model("the") == [begin, *same.encode("the")]


def test_scores_become_merges_best_first(written) -> None:
    tokenizer = Tokenizer.from_file(written(gguf_bytes(sentencepiece_gguf())))
    tokens = [tokenizer.id_to_token(i) for i in tokenizer.encode("the he é</s>")]
    assert tokens == ["▁the", "▁", "he", "▁", "<0xC3>", "<0xA9>", "<0x3C>", "<0x2F>", "<0x73>",
                      "<0x3E>"]  # fmt: skip
    assert tokenizer.decode(tokenizer.encode("the he é</s>")) == "the he é</s>"
    assert tokenizer.encode_for_model("")[:1] == [1]


@pytest.mark.parametrize("metadata", [byte_level_gguf(), sentencepiece_gguf()])
def test_a_written_tokenizer_json_is_the_same_tokenizer(written, tmp_path: Path, metadata) -> None:
    tokenizer = Tokenizer.from_file(written(gguf_bytes(metadata)))
    tokenizer.write_tokenizer_json(tmp_path / "tokenizer.json")
    again = Tokenizer.from_file(tmp_path / "tokenizer.json")
    assert again.to_json() == tokenizer.to_json()
    assert again.special_tokens == tokenizer.special_tokens
    for text in ("the he llo 12", "é😀", "<|im_end|></s>"):
        assert again.encode(text, special=True) == tokenizer.encode(text, special=True)
        assert again.encode_for_model(text) == tokenizer.encode_for_model(text)
    with pytest.raises(StorageError):
        tokenizer.write_tokenizer_json(tmp_path / "no" / "such" / "folder")


def test_tiktoken_files_say_their_encoding_or_are_told(written) -> None:
    tokens = [bytes([byte]) for byte in range(256)] + [b"he", b"the"]
    lines = [b"%s %d" % (base64.b64encode(token), at) for at, token in enumerate(tokens)]
    data = b"\n".join(lines)
    tokenizer = Tokenizer.from_file(written(data, "cl100k_base.tiktoken"))
    assert tokenizer.encode("the he") == [257, 32, 256]
    assert tokenizer.encode("<|endoftext|>", special=True) == [100257]
    other = written(data, "mine.tiktoken")
    with pytest.raises(ConfigError, match="pass encoding="):
        Tokenizer.from_file(other)
    assert Tokenizer.from_file(other, encoding="o200k_base").encode("the") == [257]
    with pytest.raises(ConfigError, match="'klingon'"):
        Tokenizer.from_file(other, encoding="klingon")
    other.write_bytes(data + b" 9")
    with pytest.raises(CorruptDataError, match="line 258"):
        Tokenizer.from_file(other, encoding="r50k_base")


@pytest.mark.parametrize(
    ("section", "value", "named"),
    [
        ("normalizer", {"type": "Precompiled"}, "Precompiled"),
        ("normalizer", {"type": "Replace", "pattern": {"Regex": "x+"}, "content": ""}, r"x\+"),
        ("pre_tokenizer", {"type": "UnicodeScripts"}, "UnicodeScripts"),
        ("pre_tokenizer", {"type": "Split", "pattern": {"Regex": "[a-z]"}, "behavior": "Isolated"},
         "a-z"),
        ("model", {"type": "Unigram", "vocab": []}, "Unigram"),
        ("model", {"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.1}, "dropout"),
        ("decoder", {"type": "CTC"}, "CTC"),
        ("post_processor", {"type": "Mystery"}, "Mystery"),
    ],
)  # fmt: skip
def test_unknown_components_are_named(section: str, value: Any, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        build(byte_level_document() | {section: value})


def test_unknown_gguf_vocabularies_are_named(written) -> None:
    with pytest.raises(ConfigError, match="'klingon'"):
        Tokenizer.from_file(written(gguf_bytes(byte_level_gguf("klingon"))))
    with pytest.raises(ConfigError, match="'t5'"):
        Tokenizer.from_file(written(gguf_bytes({"tokenizer.ggml.model": "t5"})))
    with pytest.raises(CorruptDataError, match="carries no tokenizer"):
        Tokenizer.from_file(written(gguf_bytes({"general.architecture": "llama"})))
    with pytest.raises(FormatVersionError, match="version 9"):
        read_gguf_metadata(written(b"GGUF" + struct.pack("<I", 9) + bytes(40)))


def test_files_that_are_nothing_of_ours(written, tmp_path: Path) -> None:
    for data in (b"", b"\x00" * 100, b"\x89PNG\r\n", b"{", b"[]", b"{}", b"GGUF", b"GGU"):
        with pytest.raises(CorruptDataError):
            Tokenizer.from_file(written(data))
    with pytest.raises(StorageError):
        Tokenizer.from_file(tmp_path / "missing")
    with pytest.raises(StorageError):
        read_gguf_metadata(tmp_path)


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """Cut off, with bytes changed, or with eight bytes that lie about a length."""
    at = st.integers(0, len(data) - 1)
    lies = st.sampled_from([b"\xff" * 8, b"\x00" * 8, struct.pack("<Q", 2**40), b'{"":[1e9'])

    def overwrite(edits: list[tuple[int, bytes]]) -> bytes:
        changed = bytearray(data)
        for position, piece in edits:
            changed[position : position + len(piece)] = piece
        return bytes(changed)

    edits = st.tuples(at, st.binary(min_size=1, max_size=1) | lies)
    return st.one_of(at.map(lambda n: data[:n]), st.lists(edits, max_size=4).map(overwrite))


JSON_FILES = [byte_level_document(), fallback_document(), wordpiece_document()]
ALL_FILES = [json.dumps(document).encode() for document in JSON_FILES]
ALL_FILES += [gguf_bytes(byte_level_gguf()), gguf_bytes(sentencepiece_gguf())]


@pytest.mark.parametrize("data", ALL_FILES, ids=["bytes", "fallback", "bert", "gguf", "gguf-spm"])
def test_damaged_files_give_our_errors_only(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cl100k_base"

    @settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.data_too_large])
    @given(damaged(data))
    def check(data: bytes) -> None:
        path.write_bytes(data)
        try:
            tokenizer = Tokenizer.from_file(path)
        except AstraweaveError:
            return
        text = "the hammers, 12 é😀 <|im_end|>"
        ids = tokenizer.encode(text, special=True)
        tokenizer.decode(ids)
        assert tokenizer.count(text, special=True) == len(ids)
        assert tokenizer.truncate(text, len(ids), special=True) == text

    check()


@st.composite
def warped(draw: st.DrawFn, value: Any) -> Any:
    """A document in which one value, anywhere, is something else."""
    junk = st.sampled_from([None, True, -1, 0, 2**40, 1.5, "", "x", "\x00", [], {}, [[]], ["a", 1]])
    if draw(st.integers(0, 5)) == 0 or not isinstance(value, dict | list) or not value:
        return draw(junk)
    at = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
    copy = value.copy()
    copy[at] = draw(warped(value[at]))
    return copy


@pytest.mark.parametrize("document", JSON_FILES, ids=["bytes", "fallback", "bert"])
def test_warped_documents_give_our_errors_only(document: dict[str, Any]) -> None:
    @settings(deadline=None, max_examples=300)
    @given(warped(document))
    def check(document: Any) -> None:
        try:
            tokenizer = build(document)
        except AstraweaveError:
            return
        tokenizer.decode(tokenizer.encode("the hammers, 12 é😀", special=True))

    check()
