"""Vocabularies of GGUFs, written as tokenizer.json, as the reference library reads them."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from astraweave import models
from astraweave.errors import ConfigError, CorruptDataError
from astraweave.models.convert.gguf_file import GgufFile
from astraweave.models.convert.vocabulary import vocabulary_config

NORMAL, UNKNOWN, CONTROL, USER, BYTE = 1, 2, 3, 4, 6


def byte_characters() -> list[str]:
    """GPT-2's printable stand-in for each byte."""
    kept = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(b if b in kept else next(others)) for b in range(256)]


MERGES = ["h e", "l l", "he ll", "hell o", "Ġ w", "1 2", "Ċ Ċ"]
SPECIAL = {"<|endoftext|>": CONTROL, "<|im_end|>": CONTROL, "<tool>": USER}


def write(path: Path, **fields: Any) -> GgufFile:
    writer = gguf.GGUFWriter(str(path), "llama")
    for key, value in fields.items():
        name = f"tokenizer.ggml.{key}"
        if isinstance(value, list):
            writer.add_array(name, value)
        elif isinstance(value, bool):
            writer.add_bool(name, value)
        elif isinstance(value, int):
            writer.add_uint32(name, value)
        else:
            writer.add_string(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return GgufFile(path)


def byte_level(path: Path, **changes: Any) -> GgufFile:
    tokens = [*SPECIAL, *byte_characters(), *(merge.replace(" ", "") for merge in MERGES)]
    fields: dict[str, Any] = {
        "model": "gpt2",
        "pre": "gpt-2",
        "tokens": tokens,
        "token_type": [SPECIAL.get(token, NORMAL) for token in tokens],
        "merges": MERGES,
        "eos_token_id": 0,
    }
    return write(path, **(fields | changes))


def tokenizer_json(file: GgufFile) -> bytes:
    return models.Tokenizer.from_file(file.path).to_json()


@pytest.fixture(scope="module", params=["gpt-2", "llama-bpe", "qwen2", "smollm"])
def pre(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def tokenizer(pre: str, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    file = byte_level(tmp_path_factory.mktemp("vocabulary") / "v.gguf", pre=pre)
    return Tokenizer.from_str(tokenizer_json(file).decode())


@given(text=st.text(max_size=60))
def test_byte_level_text_comes_back(tokenizer: Tokenizer, pre: str, text: str) -> None:
    expected = unicodedata.normalize("NFC", text) if pre == "qwen2" else text
    ids = tokenizer.encode(text).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == expected


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("gpt-2", "hello w 12", ["hello", "Ġw", "Ġ", "12"]),
        ("smollm", "hello w 12", ["hello", "Ġw", "Ġ", "1", "2"]),
        ("qwen2", "hello w12", ["hello", "Ġw", "1", "2"]),
        ("llama-bpe", "w12\n\nhe", ["w", "12", "ĊĊ", "he"]),
        ("smollm", "<|im_end|><tool>he", ["<|im_end|>", "<tool>", "he"]),
    ],
)
def test_text_is_cut_as_the_family_does(
    tmp_path: Path, kind: str, text: str, expected: list[str]
) -> None:
    document = tokenizer_json(byte_level(tmp_path / "v.gguf", pre=kind))
    assert Tokenizer.from_str(document.decode()).encode(text).tokens == expected


def test_only_control_tokens_are_special(tmp_path: Path) -> None:
    document = tokenizer_json(byte_level(tmp_path / "v.gguf"))
    added = Tokenizer.from_str(document.decode()).get_added_tokens_decoder()
    assert {token.content: token.special for token in added.values()} == {
        "<|endoftext|>": True,
        "<|im_end|>": True,
        "<tool>": False,
    }


def config(file: GgufFile) -> dict[str, Any]:
    return dict(vocabulary_config(file, models.Tokenizer.from_file(file.path)))


def test_every_known_end_of_an_answer_counts(tmp_path: Path) -> None:
    assert config(byte_level(tmp_path / "a.gguf"))["eos_ids"] == [0, 1]
    assert config(byte_level(tmp_path / "b.gguf", eos_token_id=1))["eos_ids"] == [1, 0]


def test_a_text_begins_with_a_token_only_where_the_file_says_so(tmp_path: Path) -> None:
    without = config(byte_level(tmp_path / "a.gguf"))
    assert (without["bos_id"], without["bos_token"], without["eos_token"]) == (
        None,
        "",
        "<|endoftext|>",
    )
    silent = config(byte_level(tmp_path / "b.gguf", bos_token_id=1))
    assert (silent["bos_id"], silent["bos_token"]) == (None, "<|im_end|>")
    asked = config(byte_level(tmp_path / "c.gguf", bos_token_id=1, add_bos_token=True))
    assert asked["bos_id"] == 1


def spaced(path: Path, **changes: Any) -> GgufFile:
    pieces = ["▁", "h", "e", "l", "o", "he", "ll", "hell", "hello", "▁hello"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256)), *pieces]
    kinds = [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256, *[NORMAL] * len(pieces)]
    fields: dict[str, Any] = {
        "model": "llama",
        "add_bos_token": False,
        "tokens": tokens,
        "token_type": kinds,
        "scores": [float(-n) for n in range(len(tokens))],
        "unknown_token_id": 0,
        "eos_token_id": 2,
    }
    return write(path, **(fields | changes))


def test_spaced_bpe_merges_by_score_and_falls_back_to_bytes(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_str(tokenizer_json(spaced(tmp_path / "v.gguf")).decode())
    assert tokenizer.encode("hello hello").tokens == ["▁hello", "▁hello"]
    assert tokenizer.encode("hé").tokens == ["▁", "h", "<0xC3>", "<0xA9>"]
    assert tokenizer.decode(tokenizer.encode("hello hé\N{OWL}").ids) == "hello hé\N{OWL}"


def test_spaced_bpe_without_a_first_space(tmp_path: Path) -> None:
    file = spaced(tmp_path / "v.gguf", add_space_prefix=False)
    tokenizer = Tokenizer.from_str(tokenizer_json(file).decode())
    assert tokenizer.encode("hello hello").tokens == ["hello", "▁hello"]
    assert tokenizer.decode(tokenizer.encode(" hello").ids) == " hello"


@pytest.mark.parametrize(
    ("changes", "error", "named"),
    [
        ({"model": "t5"}, ConfigError, "'t5'"),
        ({"pre": "viking"}, ConfigError, "'viking'"),
        ({"token_type": [1, 1]}, CorruptDataError, "token types"),
        ({"merges": ["a b c"]}, CorruptDataError, "pair"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        tokenizer_json(byte_level(tmp_path / "v.gguf", **changes))


def test_a_file_without_a_vocabulary(tmp_path: Path) -> None:
    with pytest.raises(CorruptDataError, match="0 tokens"):
        tokenizer_json(write(tmp_path / "v.gguf", model="gpt2"))
