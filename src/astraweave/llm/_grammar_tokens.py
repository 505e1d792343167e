"""A model's vocabulary as llguidance wants it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astraweave.models import Tokenizer

__all__ = ["TokenTable"]


class TokenTable:
    """The bytes of every token, and how a text is cut into tokens, by our own tokenizer.

    llguidance could read a ``tokenizer.json`` itself, which takes three times as long, keeps a
    second copy of vocabulary and merges, and reads control tokens written in a constraint's text as
    what they say; ours never does.

    Parameters
    ----------
    tokenizer : Tokenizer
        The model's.
    eos_ids : collection of int
        Tokens that end an answer.
    vocab_size : int
        Logits a row; more than the tokenizer has tokens where a model's matrix is padded.
    """

    is_tokenizer_wrapper = True
    bos_token_id = None

    def __init__(self, tokenizer: Tokenizer, eos_ids: Collection[int], vocab_size: int) -> None:
        self._tokenizer = tokenizer
        found = tokenizer.token_bytes()[:vocab_size]
        self.tokens = found + [b""] * (vocab_size - len(found))
        self.eos_token_id = min(eos_ids)
        self.special_token_ids = sorted({*tokenizer.special_tokens.values(), *eos_ids})
        self._by_bytes = {token: at for at, token in enumerate(self.tokens) if token}
        for at in self.special_token_ids:
            if self._by_bytes.get(self.tokens[at]) == at:
                del self._by_bytes[self.tokens[at]]
        self._longest = max(map(len, self._by_bytes), default=0)

    def __call__(self, text: str | bytes) -> list[int]:
        """Tokens whose bytes, joined, are those of `text`."""
        data = text if isinstance(text, bytes) else text.encode()
        ids = self._tokenizer.encode(data.decode("utf-8", "replace"))
        if b"".join(self.tokens[token] for token in ids) == data:
            return ids
        return self._greedy(data)  # a tokenizer that adds a space, or changes letters

    def allowed(self, eos_ids: Collection[int]) -> NDArray[np.uint32]:
        """A bit for each token that an answer may have: no control token but its end."""
        bits = np.zeros((len(self.tokens) + 31) // 32 * 32, np.uint8)
        bits[: len(self.tokens)] = [bool(token) for token in self.tokens]
        bits[self.special_token_ids] = 0
        bits[list(eos_ids)] = 1
        return np.packbits(bits, bitorder="little").view("<u4").astype(np.uint32)

    def compiled(self, llguidance: Any, eos_ids: Collection[int]) -> Any:
        """The form that llguidance works with. Holds the GIL for about 0.1 s a 50,000 tokens."""
        return llguidance.LLTokenizer(self, n_vocab=len(self.tokens), eos_token=sorted(eos_ids))

    def _greedy(self, data: bytes) -> list[int]:
        ids, at = [], 0
        while at < len(data):
            for end in range(min(len(data), at + self._longest), at, -1):
                token = self._by_bytes.get(data[at:end])
                if token is not None:
                    ids.append(token)
                    at = end
                    break
            else:
                break  # no token for this byte: llguidance asks for the rest one by one
        return ids
