"""Answers that were given before, under everything that they depended on."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from os import PathLike, fspath
from typing import Literal

import msgspec

from astraweave._native import PromptCache as _Engine
from astraweave.core.clock import SystemClock
from astraweave.core.protocols import Clock
from astraweave.errors import ConfigError, InputError
from astraweave.llm import GenerationRequest, Message

__all__ = ["Admission", "CacheStats", "PromptCache", "normalize_line", "request_key"]

Admission = Literal["lru", "tinylfu"]

_BLANKS = re.compile(r"[ \t]{2,}|\t")
_KEY_VERSION = 2


class CacheStats(msgspec.Struct, frozen=True, kw_only=True):
    """What a cache has done so far, and what it holds.

    Attributes
    ----------
    hits, misses : int
        Of `PromptCache.get`.
    evictions : int
        Driven out for want of room.
    expired : int
        Found to be past their end of life.
    rejected : int
        Too large, or not wanted often enough to drive others out (``"tinylfu"``).
    invalidated : int
        Removed by key or tag.
    entries, bytes : int
        Now there; bytes of keys, values and what each entry costs beside them.
    """

    hits: int
    misses: int
    evictions: int
    expired: int
    rejected: int
    invalidated: int
    entries: int
    bytes: int

    @property
    def hit_rate(self) -> float:
        """Hits by look-ups; 0 before the first."""
        return self.hits / max(1, self.hits + self.misses)


def normalize_line(text: str) -> str:
    r"""A spoken line without what cannot change its meaning.

    Canonically equal characters become the same (NFC), ``\r\n`` and ``\r`` become ``\n``, runs of
    blanks become one, and blanks at both ends go. Case, punctuation and line breaks stay: they can
    change what is meant.

    Examples
    --------
    >>> normalize_line("  Where is\t the  inn? ")
    'Where is the inn?'
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "  " in text or "\t" in text:
        text = _BLANKS.sub(" ", text)
    return text.strip()


def request_key(
    request: GenerationRequest,
    *,
    model: str,
    grammar: str = "",
    tools: Sequence[str] = (),
    world_version: int | str = 0,
) -> bytes:
    """Everything that an answer depends on, in one unambiguous row of bytes.

    Two keys are equal exactly when all parts are, the user's lines compared as `normalize_line`
    leaves them. Everything else (the system's messages, the character's own lines, `prefix`) is
    compared to the letter. `GenerationRequest.owner`, `priority` and `use` are left out: they say
    who asks, how urgently and what for, not what.

    Parameters
    ----------
    request : GenerationRequest
        What the model is asked.
    model : str
        Which model; its `ModelInfo.id`, and its version where that does not tell.
    grammar : str
        What the answer is held to, beside the request's own constraint.
    tools : sequence of str
        The actions that the model may choose among, in the order in which it sees them, beside the
        request's own tools.
    world_version : int or str
        Answers from other versions of the world are never found.

    Raises
    ------
    InputError
        A text holds half a character (a lone surrogate).
    """
    if isinstance(tools, str):
        raise InputError("tools takes a sequence of texts, not one text")
    parts = (
        _KEY_VERSION,
        model,
        world_version,
        grammar,
        tuple(tools),
        request.max_tokens,
        request.stop,
        msgspec.structs.astuple(request.sampling),
        request.prefix,
        request.constraint,
        request.tools,
        [_message_parts(message) for message in request.messages],
    )
    try:
        return msgspec.msgpack.encode(parts)
    except UnicodeEncodeError:
        raise InputError(
            "the request holds half a character (a lone surrogate); clean it"
        ) from None


def _message_parts(message: Message) -> tuple[str, str]:
    content = message.content
    return message.role, normalize_line(content) if message.role == "user" else content


class PromptCache:
    """Answers under prompts: byte-capped, with ends of life. Thread-safe.

    Keys are found by a hash under a secret of this object and compared in full, so no text can be
    made to bring up another text's answer. A look-up takes well under a microsecond and keeps the
    GIL; saving and loading let go of it.

    Parameters
    ----------
    max_bytes : int
        What keys, values and `PromptCache.ENTRY_OVERHEAD` an entry may take together.
    ttl_s : float or None
        How long an answer lives, in seconds of game time; None: until it is driven out.
    admission : str
        ``"lru"``: the least recently used makes room. ``"tinylfu"``: an answer has to have been
        wanted more often than what it would drive out; better where many prompts come only once,
        worse where what is wanted changes quickly.
    clock : Clock, optional
        Its ``now()`` is read, and only where something has an end of life. An answer with one is
        also forgotten when the clock was set back to before it was given (a save was loaded).
    shards : int
        Parts with a lock each, a power of two; 0: by size, 16 from 32 MiB on. Order of use is
        kept, and the bytes are shared out, by part.
    seed : int or None
        Of the hash, 64 bits; None: secret. For tests.

    Raises
    ------
    ConfigError
        An argument is none of these.

    Examples
    --------
    >>> cache = PromptCache(max_bytes=1 << 20)
    >>> cache.put("Where is the inn?", "Up the hill.", tag="world-7")
    True
    >>> cache.get("Where is the inn?")
    'Up the hill.'
    >>> cache.invalidate("world-7"), cache.get("Where is the inn?")
    (1, None)
    """

    ENTRY_OVERHEAD = _Engine.ENTRY_OVERHEAD

    key = staticmethod(request_key)

    def __init__(
        self,
        *,
        max_bytes: int = 64 << 20,
        ttl_s: float | None = None,
        admission: Admission = "lru",
        clock: Clock | None = None,
        shards: int = 0,
        seed: int | None = None,
    ) -> None:
        if ttl_s is not None and not 0 < ttl_s < float("inf"):
            raise ConfigError(f"ttl_s must be above 0 and finite, not {ttl_s}; None: for ever")
        for name, value in (("max_bytes", max_bytes), ("shards", shards), ("seed", seed or 0)):
            if not isinstance(value, int) or not 0 <= value < 2**64:
                raise ConfigError(f"{name} must be a whole number below 2**64, not {value!r}")
        self._engine = _Engine(max_bytes, admission, shards, seed)
        self._get = self._engine.get
        self._now = (clock or SystemClock()).now
        self._ttl_s = ttl_s
        # Once true it stays so: then the clock is read.
        self._timed = ttl_s is not None

    def get(self, key: str | bytes) -> str | bytes | None:
        """The answer as it was put, or None; a str and its UTF-8 bytes are the same key.

        Raises
        ------
        InputError
            The key is neither, or holds half a character.
        """
        return self._get(key, self._now() if self._timed else 0.0)

    def put(
        self, key: str | bytes, value: str | bytes, *, ttl_s: float | None = None, tag: str = ""
    ) -> bool:
        """Keep an answer, in place of an older one of its key.

        Parameters
        ----------
        key, value : str or bytes
            The prompt (see `request_key`) and its answer.
        ttl_s : float or None
            Seconds of game time; None: as the cache has it.
        tag : str
            What the answer depends on, for `invalidate`.

        Returns
        -------
        bool
            False when it is too large or was not admitted; the older one is gone even then.

        Raises
        ------
        InputError
            An argument is none of these.
        """
        if ttl_s is None:
            ttl_s = self._ttl_s
        else:
            self._timed = True
        return self._engine.put(key, value, self._now() if self._timed else 0.0, ttl_s, tag)

    def remove(self, key: str | bytes) -> bool:
        """Drop one answer; whether there was one."""
        return self._engine.remove(key)

    def invalidate(self, tag: str) -> int:
        """Drop every answer that was put under `tag`; how many. The empty tag holds none."""
        return self._engine.invalidate(tag)

    def purge(self) -> int:
        """Drop what is past its end of life now, instead of when it is asked for; how many."""
        return self._engine.purge(self._now()) if self._timed else 0

    def clear(self) -> None:
        """Drop everything; the counts stay."""
        self._engine.clear()

    @property
    def stats(self) -> CacheStats:
        """Counts since the beginning, and what is there now."""
        return CacheStats(**self._engine.stats())

    @property
    def max_entry_bytes(self) -> int:
        """The largest entry that can be kept, `ENTRY_OVERHEAD` included."""
        return self._engine.max_entry_bytes

    def __len__(self) -> int:
        return len(self._engine)

    def __repr__(self) -> str:
        return f"PromptCache(max_bytes={self._engine.max_bytes}) with {len(self)} answers"

    def save(self, path: str | PathLike[str]) -> None:
        """Write everything that is not past its end, in one step.

        Raises
        ------
        StorageError
            The operating system refused; an old file is as it was.
        """
        self._engine.save(fspath(path), self._now() if self._timed else 0.0)

    def load(self, path: str | PathLike[str]) -> None:
        """Replace everything by what `save` wrote; ends of life go on from what was left.

        A file larger than the cache gives what was used last.

        Raises
        ------
        StorageError
            The file cannot be read.
        CorruptDataError
            It is damaged (`FormatVersionError`: a newer astraweave wrote it). The cache is as it
            was.
        """
        before, self._timed = self._timed, True  # nobody may meet an end without knowing the time
        try:
            before = self._engine.load(fspath(path), self._now()) or before
        finally:
            self._timed = before
