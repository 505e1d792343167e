"""Answers held to a schema, a regular expression, a grammar or a choice, token by token.

A `GrammarCompiler` belongs to a model's vocabulary and compiles each constraint once; a `Matcher`
follows one answer and says which tokens may come next. llguidance does the parsing.

The floor of a mask is one bit a token of the vocabulary written, 6 kB for 49,152 tokens: under a
microsecond. What costs is to find out which: a walk over the tree of all tokens' bytes, 0.35 ms for
the whole tree. llguidance skips most of it where a grammar allows all texts of some form, as within
strings that are not near their longest, and where the text is forced there is no mask at all: a
quest of bounded strings takes 0.05 to 0.1 ms a mask. Finer groups of tokens than llguidance's own
were tried: a fifth less for such strings, a third more to prepare.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astraweave.errors import InputError, InvalidResponse, MissingExtraError
from astraweave.llm._grammar_source import GrammarLimits, encoded, source
from astraweave.llm._grammar_tokens import TokenTable
from astraweave.llm.protocol import Constraint
from astraweave.models import Tokenizer

__all__ = ["GrammarCompiler", "GrammarLimits", "Matcher"]

_MAX_LEXER_STATES = 20_000
"""About 2 kB each; llguidance's own limit is 250,000."""


class GrammarCompiler:
    """Compiles constraints for one vocabulary, and keeps those used last. Thread-safe.

    Parameters
    ----------
    tokenizer : Tokenizer
        The model's.
    eos_ids : collection of int
        Tokens that end an answer; at least one.
    vocab_size : int
        Logits a row of the model.
    limits : GrammarLimits
        How large a constraint may be.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        eos_ids: Collection[int],
        vocab_size: int,
        limits: GrammarLimits | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._eos = frozenset(eos_ids)
        self._vocab_size = vocab_size
        self._limits = limits or GrammarLimits()
        self._lock = threading.Lock()
        self._compiled: OrderedDict[bytes, _Grammar] = OrderedDict()
        self._vocabulary: _Vocabulary | None = None

    @property
    def mask_words(self) -> int:
        """Words of 32 bits that a mask has."""
        return (self._vocab_size + 31) // 32

    def prepare(self) -> None:
        """Take in the vocabulary now, and not with the first constraint.

        It takes some 0.2 s for 50,000 tokens, most of it with the GIL held: call it while a game
        loads, not while it runs. Later calls cost nothing.

        Raises
        ------
        MissingExtraError
            llguidance is not installed.
        ConfigError
            The tokenizer is of no kind that generates text.
        """
        with self._lock:
            self._prepared()

    def matcher(self, constraint: Constraint, *, prefix: str = "") -> Matcher:
        """What follows one answer, from its beginning.

        A constraint compiles in about a millisecond, a choice of a thousand in 10; once compiled,
        a further matcher takes microseconds.

        Parameters
        ----------
        constraint : Constraint
            What the answer is held to.
        prefix : str
            The answer's own beginning, already shown (see `GenerationRequest.prefix`).

        Raises
        ------
        InputError
            The constraint is wrong, not supported, too large, or admits nothing; or `prefix` does
            not begin anything that it admits.
        MissingExtraError
            llguidance is not installed.
        """
        key = encoded(constraint, self._limits)
        with self._lock:
            found = self._compiled.get(key)
            if found is None:
                found = self._prepared().compile(constraint, self._limits)
                self._compiled[key] = found
                if len(self._compiled) > self._limits.cached:
                    self._compiled.popitem(last=False)
            else:
                self._compiled.move_to_end(key)
            matcher = Matcher(found)
        if prefix:
            matcher.begin(prefix)
        return matcher

    def _prepared(self) -> _Vocabulary:
        if self._vocabulary is None:
            self._vocabulary = _Vocabulary(self._tokenizer, self._eos, self._vocab_size)
        return self._vocabulary


class Matcher:
    """Follows one answer and says what may come next. Used by one thread at a time.

    Made by `GrammarCompiler.matcher`. The order of a step: `forced` first; where it gives tokens,
    append them, `advance` by them, and ask again. Else compute logits, `mask` them, draw,
    `advance`. `done` is asked after `advance`, never before the last token has been handed in.
    """

    __slots__ = ("_ended", "_grammar", "_raw", "_restarted", "_taken", "_vocabulary")

    def __init__(self, grammar: _Grammar) -> None:
        self._grammar = grammar
        self._vocabulary = grammar.vocabulary
        self._raw = grammar.start.deep_copy()
        self._taken: list[int] = []
        self._restarted = False
        self._ended = False

    @property
    def done(self) -> bool:
        """Whether the answer is whole, and nothing but its end may follow."""
        # A matcher in error says that it has stopped too; `mask` then says what was wrong.
        return self._ended or bool(self._raw.is_stopped() and not self._raw.is_error())

    @property
    def complete(self) -> bool:
        """Whether the answer may end here: its end token is allowed."""
        return self._ended or bool(self._raw.is_accepting())

    def forced(self) -> list[int]:
        """Tokens that come next whatever the model thinks; empty: there is a choice, or the end.

        The same text as masks would leave, in the tokens that the model itself would use. They are
        not handed in yet: `advance` by as many of them as are wanted.

        Raises
        ------
        InputError
            A Lark grammar asks for a control token.
        """
        if self._ended:
            return []
        tokens: list[int] = self._raw.compute_ff_tokens()
        if not self._vocabulary.control.isdisjoint(tokens):
            raise InputError("the grammar asks for a control token; an answer may hold none")
        return tokens

    def mask(self, row: NDArray[np.uint32]) -> None:
        """Set the bits of the tokens that may come next, and clear all others.

        Parameters
        ----------
        row : ndarray of uint32, shape (mask_words,)
            Bit ``i % 32`` of word ``i // 32`` stands for token ``i``. An end token's bit is set
            exactly where the answer may end.

        Raises
        ------
        InputError
            No token may come next: the constraint contradicts itself, or grew too complex.
        """
        vocabulary = self._vocabulary
        if row.shape != vocabulary.allowed.shape or row.dtype != np.uint32:
            raise InputError(
                f"a mask is {vocabulary.allowed.size} words of uint32, not {row.dtype}{row.shape}"
            )
        if self.done:
            self._check(self.complete)
            row[:] = vocabulary.ends
            return
        if not row.flags["C_CONTIGUOUS"]:
            raise InputError("a mask lies in one piece of memory")
        self._raw.unsafe_compute_mask_ptr(row.ctypes.data, row.nbytes)
        if self._raw.is_error() and self._restart():
            self._raw.unsafe_compute_mask_ptr(row.ctypes.data, row.nbytes)
        self._check(not self._raw.is_error())
        np.bitwise_and(row, vocabulary.allowed, out=row)
        self._check(bool(row.any()))

    def advance(self, tokens: Sequence[int]) -> None:
        """Hand in the tokens that the answer goes on with; an end token may be the last.

        Raises
        ------
        InvalidResponse
            One of them is not allowed where it stands; the matcher is as before.
        InputError
            The constraint grew too complex; the matcher is of no further use.
        """
        ids = list(tokens)
        ends = bool(ids) and ids[-1] in self._vocabulary.eos
        text = ids[:-1] if ends else ids
        accepted = self._consume(text)
        if self._ended or accepted < len(text) or (ends and not self._raw.is_accepting()):
            if accepted:
                self._raw.rollback(accepted)
                del self._taken[-accepted:]
            wrong = ids[min(accepted, len(ids) - 1)] if ids else -1
            raise InvalidResponse(
                f"the token {wrong} does not fit the constraint of this answer", token=wrong
            )
        self._ended = ends

    def begin(self, prefix: str) -> None:
        """Take in the answer's own beginning.

        Raises
        ------
        InputError
            Nothing that the constraint admits begins so.
        """
        tokens = self._vocabulary.table(prefix)
        accepted = self._consume(tokens)
        if accepted < len(tokens):
            good = b"".join(self._vocabulary.table.tokens[token] for token in tokens[:accepted])
            shown = good.decode("utf-8", "replace")[-40:]
            raise InputError(
                f"the prefix does not fit the constraint: it goes wrong after {shown!r}",
                prefix=prefix,
                fits=len(good),
            )

    def clone(self) -> Matcher:
        """Another one at the same place; costs microseconds."""
        other = Matcher(self._grammar)
        other._raw = self._raw.deep_copy()
        other._taken = list(self._taken)
        other._restarted, other._ended = self._restarted, self._ended
        return other

    def _consume(self, tokens: list[int]) -> int:
        """Take in tokens as far as they fit; how many."""
        accepted: int = self._raw.try_consume_tokens(tokens) if tokens else 0
        if accepted < len(tokens) and self._restart():
            accepted = self._raw.try_consume_tokens(tokens)
        self._check(not self._raw.is_error())
        self._taken += tokens[:accepted]
        return accepted

    def _restart(self) -> bool:
        """Go to the same place with no states of others; once for each answer.

        All answers of a constraint share the lexer's states, which makes them fast, and which grow
        to a limit: what fails there may have room when it begins anew.
        """
        if self._restarted:
            return False
        self._restarted = True
        self._raw = self._grammar.renewed().deep_copy()
        return bool(self._raw.try_consume_tokens(self._taken) == len(self._taken))

    def _check(self, well: bool) -> None:
        if not well:
            raise InputError(
                "nothing may come next in this answer: the constraint contradicts itself or is "
                f"too complex ({_first_line(self._raw.get_error()) or 'no text fits'})"
            )


class _Grammar:
    """A compiled constraint: `start` is to be copied for each answer."""

    def __init__(self, text: str, vocabulary: _Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._text = text
        self.start = vocabulary.parser(text)

    def renewed(self) -> Any:
        """`start` without the states that answers have left in it."""
        self.start = self.vocabulary.parser(self._text)
        return self.start


class _Vocabulary:
    """A model's tokens, ready for llguidance."""

    def __init__(self, tokenizer: Tokenizer, eos_ids: frozenset[int], vocab_size: int) -> None:
        try:
            import llguidance
        except ImportError as error:
            raise MissingExtraError("holding an answer to a schema or a grammar", "cpu") from error
        if not eos_ids or not all(0 <= token < vocab_size for token in eos_ids):
            raise InputError(f"end tokens {sorted(eos_ids)} are none of 0 to {vocab_size - 1}")
        self.eos = eos_ids
        self.table = TokenTable(tokenizer, eos_ids, vocab_size)
        self.control = frozenset(self.table.special_token_ids)
        self.allowed = self.table.allowed(eos_ids)
        self.ends = np.zeros_like(self.allowed)
        for token in eos_ids:
            self.ends[token // 32] |= np.uint32(1 << token % 32)
        self._llguidance = llguidance
        self._tokens = self.table.compiled(llguidance, eos_ids)
        self._limits = llguidance.LLParserLimits(
            max_lexer_states=_MAX_LEXER_STATES, verbose_errors=False
        )

    def parser(self, grammar: str) -> Any:
        """A matcher of llguidance at the beginning of an answer."""
        return self._llguidance.LLMatcher(self._tokens, grammar, log_level=0, limits=self._limits)

    def compile(self, constraint: Constraint, limits: GrammarLimits) -> _Grammar:
        """A grammar that admits something: its first mask is computed and found not empty."""
        grammar = _Grammar(source(constraint, limits, self._llguidance), self)
        raw = grammar.start
        if raw.is_error():
            raise InputError(
                f"the constraint cannot be used: {_first_line(raw.get_error())}",
                constraint=constraint,
            )
        forced = len(raw.compute_ff_bytes())
        if forced > limits.forced_bytes:
            raise InputError(
                f"every answer would begin with the same {forced} bytes; {limits.forced_bytes} "
                "are allowed (does a definition contain itself with no way out?)",
                forced=forced,
            )
        try:
            Matcher(grammar).mask(np.empty_like(self.allowed))
        except InputError as error:
            raise InputError(f"the constraint admits no answer: {error}") from None
        return grammar


def _first_line(text: str) -> str:
    """What llguidance said, without its own state and the listing below."""
    lines = [line.strip() for line in text.split("<state>")[0].splitlines()]
    told = [line for line in lines if line and not line.startswith(("|", "^", "("))]
    line = "; ".join(dict.fromkeys(told[:4]))
    return line if len(line) <= 300 else line[:297] + "..."
