"""Text to tokens and back, in the vocabulary of whatever model a game ships."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from astraweave import _native
from astraweave.errors import ConfigError, CorruptDataError, InputError, StorageError
from astraweave.models import _tokenizer_parts as parts
from astraweave.models import _tokenizer_sources as sources
from astraweave.models._token_bytes import bytes_of_tokens
from astraweave.models._tokenizer_streams import Appender, StreamDecoder, checked_text
from astraweave.models.gguf_meta import GGUF_MAGIC, read_gguf_metadata

__all__ = ["Appender", "StreamDecoder", "Tokenizer"]

# No published vocabulary has a million tokens; a hostile file might claim more.
_MAX_ID = (1 << 20) - 1


class _Document(msgspec.Struct):
    """A ``tokenizer.json`` without ``truncation`` and ``padding``: they are the caller's affair."""

    model: Any
    added_tokens: list[parts.AddedToken] = msgspec.field(default_factory=list)
    normalizer: Any = None
    pre_tokenizer: Any = None
    post_processor: Any = None
    decoder: Any = None


class _JsonDocument(_Document):
    """The same, with the large section left to be decoded straight into its own struct."""

    model: msgspec.Raw


class Tokenizer:
    """A vocabulary and the rules by which text becomes its tokens.

    Exact: for the components that it supports it gives the ids that the PyPI package ``tokenizers``
    gives, and it refuses components that it does not know. Immutable; any number of threads may
    use one, and the GIL is released while text is encoded or decoded.

    Control tokens (``special`` in the file) are recognised in text only with ``special=True``, and
    no other road leads to them: text from a player can never become one. Lone surrogates in a
    `str` are read as U+FFFD.

    Examples
    --------
    >>> from astraweave.models import Tokenizer
    >>> document = b'''{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2},
    ...                "merges": [["a", "b"]]}, "decoder": {"type": "ByteLevel"},
    ...                "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}}'''
    >>> tokenizer = Tokenizer.from_json(document)
    >>> tokenizer.encode("abba")
    [2, 1, 0]
    >>> tokenizer.decode([2, 1, 0])
    'abba'
    """

    __slots__ = (
        "__dict__",
        "_after",
        "_before",
        "_decoder",
        "_document",
        "_finds_merges",
        "_native",
        "special_tokens",
    )

    special_tokens: Mapping[str, int]
    """The control tokens and their ids."""

    def __init__(
        self, document: bytes | Mapping[str, Any], *, rank_by_result: bool = False
    ) -> None:
        """Build from a ``tokenizer.json``, parsed or not; `from_file` is the usual way."""
        self._document = document
        self._finds_merges = rank_by_result
        kind = _JsonDocument if isinstance(document, bytes) else _Document
        form = parts.part(document, kind, "document")
        model = parts.model_part(form.model)
        tokens, added = _tokens_by_id(model.vocab, form.added_tokens)
        self._before, self._after = parts.template_ids(form.post_processor)
        for token_id in (*self._before, *self._after):
            if not 0 <= token_id < len(tokens) or tokens[token_id] is None:
                raise CorruptDataError(f"the post-processor's id {token_id} is of no token")
        splitter, byte_level = parts.splitter_specs(form.pre_tokenizer)
        self._decoder = parts.decoder_spec(form.decoder)
        self._native = _native.Tokenizer(
            model="wordpiece" if isinstance(model, parts.WordPieceModel) else "bpe",
            tokens=tokens,
            merges=[] if isinstance(model, parts.WordPieceModel) else model.merge_pairs(),
            options=_options(model, byte_level=byte_level, rank_by_result=rank_by_result),
            normalizer=parts.normalizer_specs(form.normalizer),
            splitter=splitter,
            added=[
                (t.id, t.content, t.special, t.normalized, t.single_word, t.lstrip, t.rstrip)
                for t in added
            ],
            decoder=self._decoder,
        )
        # In place of the method below: a call of its own for Python is a good part of a short text.
        self.__dict__["count"] = self._native.counter()
        self.special_tokens = MappingProxyType({t.content: t.id for t in added if t.special})

    @classmethod
    def from_file(cls, path: str | Path, *, encoding: str | None = None) -> Tokenizer:
        """Read a ``tokenizer.json``, a GGUF file or a tiktoken file, whichever its content is.

        Parameters
        ----------
        path : str or Path
            The file. Of a GGUF only the header is read.
        encoding : str, optional
            For a tiktoken file, the name of its encoding (``"cl100k_base"``, ``"o200k_base"``,
            ``"p50k_base"``, ``"r50k_base"``); by default as its file name says.

        Raises
        ------
        ConfigError
            It uses a component that is not supported, or the encoding is not known.
        CorruptDataError
            It is damaged, or none of these.
        StorageError
            It cannot be read.
        """
        path = Path(path)
        try:
            with path.open("rb") as file:
                start = file.read(64).lstrip()
            if start.startswith(GGUF_MAGIC):
                return cls(sources.document_from_gguf(read_gguf_metadata(path)))
            data = path.read_bytes()
        except OSError as error:
            raise StorageError(
                f"{path} cannot be read: {error.strerror}", path=str(path)
            ) from error
        if start.startswith(b"{"):
            return cls.from_json(data)
        if b" " not in start or b"\0" in start:
            raise CorruptDataError(
                f"{path} is neither a tokenizer.json, nor a GGUF, nor a tiktoken file",
                path=str(path),
            )
        return cls.from_tiktoken(data, encoding or sources.guess_encoding(path))

    @classmethod
    def from_json(cls, data: bytes | str) -> Tokenizer:
        """Read the content of a ``tokenizer.json``; raises as `from_file`."""
        return cls(data.encode("utf-8", "replace") if isinstance(data, str) else bytes(data))

    @classmethod
    def from_tiktoken(cls, data: bytes, encoding: str) -> Tokenizer:
        """Read the content of a tiktoken file; raises as `from_file`."""
        if encoding not in sources.TIKTOKEN_ENCODINGS:
            raise ConfigError(
                f"unknown encoding {encoding!r}: one of {', '.join(sources.TIKTOKEN_ENCODINGS)}",
                encoding=encoding,
            )
        return cls(sources.document_from_tiktoken(data, encoding), rank_by_result=True)

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """Tokens of a text, with nothing added.

        Parameters
        ----------
        text : str
            Any text.
        special : bool
            Whether control tokens written in the text are taken for what they say. Only ever for
            text that the program itself wrote.
        """
        return self._native.encode(checked_text(text), special)

    def count(self, text: str, *, special: bool = False) -> int:
        """How many tokens `encode` gives, without making them.

        Takes about 0.3 us a 100 characters of prose; the GIL is released for texts over 4 kB.

        Raises
        ------
        InputError
            `text` is not a `str`.
        """
        return self._native.counter()(text, special=special)

    def count_many(
        self, texts: Sequence[str], *, threads: int = 1, special: bool = False
    ) -> list[int]:
        """`count` of each text, without the GIL and on several threads.

        Parameters
        ----------
        texts : sequence of str
            Any texts.
        threads : int
            How many threads may count, the calling one among them; fewer do where the texts are
            too short to be worth it.
        special : bool
            As in `encode`.

        Raises
        ------
        InputError
            A text is not a `str`, or `threads` is below 1.
        """
        if threads < 1:
            raise InputError(f"threads must be 1 or more, not {threads}", threads=threads)
        if isinstance(texts, str):
            raise InputError("texts must be a sequence of str, not one str")
        return self._native.count_many(texts, special, threads)

    def truncate(
        self,
        text: str,
        max_tokens: int,
        *,
        keep: Literal["start", "end"] = "start",
        special: bool = False,
    ) -> str:
        """The start or the end of a text, of at most `max_tokens` tokens.

        The text itself where it has no more. Else what is kept ends (or starts) between two
        characters, has no more tokens than that, and would have more with one character more.

        Parameters
        ----------
        text : str
            Any text.
        max_tokens : int
            How many tokens the result may have, counted on its own.
        keep : {"start", "end"}
            Which end of the text is kept.
        special : bool
            As in `encode`.

        Raises
        ------
        InputError
            `max_tokens` is negative, or `keep` is neither.
        """
        if max_tokens < 0:
            raise InputError(f"max_tokens={max_tokens} is negative", max_tokens=max_tokens)
        if keep not in ("start", "end"):
            raise InputError(f"keep must be 'start' or 'end', not {keep!r}", keep=keep)
        return self._native.truncate(checked_text(text), max_tokens, special, keep == "end")

    def appender(self, *, special: bool = False) -> Appender:
        """A counter for one text that grows at its end, at the cost of what is new.

        Examples
        --------
        >>> from astraweave.models import Tokenizer
        >>> tokenizer = Tokenizer.from_json(
        ...     b'{"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2},'
        ...     b'           "merges": [["a", "b"]]}, "decoder": {"type": "ByteLevel"},'
        ...     b'"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}}'
        ... )
        >>> talk = tokenizer.appender()
        >>> talk.append("a")
        1
        >>> talk.append("b")  # joins what came before
        1
        """
        return Appender(_native.Appender(self._native, special=special))

    def encode_for_model(self, text: str, max_tokens: int | None = None) -> list[int]:
        """Tokens of a text as the model wants one: in the file's template, such as [CLS] ... [SEP].

        Parameters
        ----------
        text : str
            Any text; control tokens in it are not recognised.
        max_tokens : int, optional
            Longest result, the template's own tokens included; the text is cut at its end.

        Raises
        ------
        InputError
            The template alone is longer than `max_tokens`.
        """
        ids = self.encode(text)
        framing = len(self._before) + len(self._after)
        if max_tokens is not None:
            if max_tokens < framing:
                raise InputError(
                    f"max_tokens={max_tokens} leaves no room for the template's {framing} tokens",
                    max_tokens=max_tokens,
                )
            ids = ids[: max_tokens - framing]
        return [*self._before, *ids, *self._after]

    def decode(self, ids: Sequence[int], *, skip_special: bool = True) -> str:
        """Text of some tokens; bytes that are no valid UTF-8 become U+FFFD.

        Raises
        ------
        InputError
            An id is of no token.
        """
        try:
            return self._native.decode(ids, skip_special)
        except TypeError:
            raise InputError("ids must be a sequence of integers below 2**31") from None

    def decoder(self, *, skip_special: bool = True) -> StreamDecoder:
        """A decoder for one stream of tokens."""
        return StreamDecoder(self, skip_special=skip_special)

    @property
    def vocab_size(self) -> int:
        """One more than the largest id, added tokens included."""
        return len(self._native)

    def token_to_id(self, token: str) -> int | None:
        """The id of a token as the vocabulary writes it (``"Ġthe"``), or None."""
        try:
            return self._native.token_to_id(checked_text(token))
        except TypeError:  # lone surrogates: no vocabulary has them
            return None

    def id_to_token(self, token_id: int) -> str:
        """The token of an id as the vocabulary writes it.

        Raises
        ------
        InputError
            No token has it.
        """
        try:
            return self._native.id_to_token(token_id)
        except TypeError:
            raise InputError(f"no token has the id {token_id!r}") from None

    def token_bytes(self) -> list[bytes]:
        """What each token adds to a text, by id; empty for an id that no token has.

        Control tokens stand as they are written in the file.

        Raises
        ------
        ConfigError
            The tokens of this vocabulary are not simply put side by side (WordPiece).
        """
        return bytes_of_tokens((self._written(at) for at in range(self.vocab_size)), self._decoder)

    def _written(self, token_id: int) -> str | None:
        try:
            return self._native.id_to_token(token_id)
        except InputError:  # a hole in the vocabulary
            return None

    def to_json(self) -> bytes:
        """The whole tokenizer as a ``tokenizer.json``.

        One that came from such a file is given back as it was.
        """
        if isinstance(self._document, bytes):
            return self._document
        if self._finds_merges:
            return msgspec.json.encode(sources.with_merges(self._document))
        return msgspec.json.encode(self._document)

    def write_tokenizer_json(self, path: str | Path) -> None:
        """Write `to_json` to a file (raises StorageError where that fails)."""
        try:
            Path(path).write_bytes(self.to_json())
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror}") from error

    def __repr__(self) -> str:
        return f"<Tokenizer of {self.vocab_size} tokens, {len(self.special_tokens)} special>"


def _tokens_by_id(
    vocab: Mapping[str, int], added: list[parts.AddedToken]
) -> tuple[list[str | None], list[parts.AddedToken]]:
    """The vocabulary as a list by id, and the added tokens with the ids that they really have."""
    named = [
        msgspec.structs.replace(token, id=vocab.get(token.content, token.id))
        for token in added
        if token.content
    ]
    by_id = {token.content: token.id for token in named} | dict(vocab)
    if not by_id:
        raise CorruptDataError("the tokenizer has no tokens")
    if min(by_id.values()) < 0 or max(by_id.values()) > _MAX_ID:
        raise CorruptDataError(f"a token's id is not between 0 and {_MAX_ID}")
    tokens: list[str | None] = [None] * (max(by_id.values()) + 1)
    for token, at in by_id.items():
        if tokens[at] is not None:
            raise CorruptDataError(f"two tokens have the id {at}: {tokens[at]!r} and {token!r}")
        tokens[at] = token
    return tokens, named


def _options(
    model: parts.BpeModel | parts.WordPieceModel, *, byte_level: bool, rank_by_result: bool
) -> dict[str, object]:
    unknown = model.vocab.get(model.unk_token, -1) if model.unk_token is not None else -1
    if unknown == -1 and model.unk_token is not None:
        raise CorruptDataError(f"the unknown token {model.unk_token!r} is not in the vocabulary")
    if isinstance(model, parts.WordPieceModel):
        if model.max_input_chars_per_word < 0:
            raise CorruptDataError("max_input_chars_per_word is negative")
        return {
            "unknown": unknown,
            "prefix": model.continuing_subword_prefix,
            "max_word_chars": model.max_input_chars_per_word,
        }
    return {
        "unknown": unknown,
        "byte_level": byte_level,
        "byte_fallback": model.byte_fallback,
        "whole_words": model.ignore_merges,
        "fuse_unknown": model.fuse_unk,
        "rank_by_result": rank_by_result,
    }
