"""What each token adds to a text, as bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.errors import ConfigError
from astraweave.models import Tokenizer


@given(st.text())
def test_joined_they_are_the_text(byte_tokenizer: Tokenizer, text: str) -> None:
    pieces = byte_tokenizer.token_bytes()
    assert b"".join(pieces[token] for token in byte_tokenizer.encode(text)).decode() == text


def test_control_tokens_stand_as_they_are_written(byte_tokenizer: Tokenizer) -> None:
    pieces = byte_tokenizer.token_bytes()
    assert len(pieces) == byte_tokenizer.vocab_size
    for content, token in byte_tokenizer.special_tokens.items():
        assert pieces[token] == content.encode()


def test_sentencepiece_spaces_bytes_and_holes() -> None:
    tokenizer = Tokenizer.from_json(
        '{"model": {"type": "BPE", "vocab": {"▁the": 0, "<0x0A>": 1, "é": 3}, "merges": []},'
        '"decoder": {"type": "Sequence", "decoders": ['
        '{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},'
        '{"type": "ByteFallback"}, {"type": "Fuse"},'
        '{"type": "Strip", "content": " ", "start": 1, "stop": 0}]}}'
    )
    assert tokenizer.token_bytes() == [b" the", b"\n", b"", "é".encode()]


def test_pieces_of_words_have_none() -> None:
    tokenizer = Tokenizer.from_json(
        b'{"model": {"type": "WordPiece", "vocab": {"[UNK]": 0, "##b": 1}, "unk_token": "[UNK]"},'
        b'"decoder": {"type": "WordPiece", "prefix": "##"}}'
    )
    with pytest.raises(ConfigError, match="wordpiece"):
        tokenizer.token_bytes()
