"""What each token of a vocabulary adds to a text, as bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from astraweave.errors import ConfigError
from astraweave.models._tokenizer_parts import DecoderSpec
from astraweave.models._tokenizer_sources import byte_alphabet

__all__ = ["bytes_of_tokens"]

_FALLBACK = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def bytes_of_tokens(tokens: Iterator[str | None], decoder: DecoderSpec) -> list[bytes]:
    """The bytes of each token, as the vocabulary writes it, within a text; b"": there is none.

    Raises
    ------
    ConfigError
        The decoder does not put tokens side by side.
    """
    kind, steps, replacement, _, falls_back = decoder
    if kind == "byte_level":
        bytes_of = {
            letter: byte for byte in range(256) for letter in byte_alphabet().get(byte, chr(byte))
        }
        return [_from_letters(token, bytes_of) for token in tokens]
    if kind == "join":
        return [(token or "").encode() for token in tokens]
    if kind not in ("metaspace", "fallback"):
        raise ConfigError(
            f"tokens of a {kind} vocabulary have no bytes of their own", component=kind
        )
    swaps = [(replacement, " ")] if kind == "metaspace" else [step[1:] for step in steps]
    return [_from_pieces(token or "", swaps, falls_back) for token in tokens]


def _from_letters(token: str | None, bytes_of: dict[str, int]) -> bytes:
    try:
        return bytes(bytes_of[letter] for letter in token or "")
    except KeyError:  # an added token stands in the file as it is
        return (token or "").encode()


def _from_pieces(token: str, swaps: list[tuple[str, str]], falls_back: bool) -> bytes:
    if falls_back and (byte := _FALLBACK.fullmatch(token)):
        return bytes([int(byte[1], 16)])
    for old, new in swaps:
        token = token.replace(old, new)
    return token.encode()
