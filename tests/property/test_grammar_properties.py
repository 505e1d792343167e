"""A matcher against plain readings of choices and regular expressions."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.errors import InputError
from astraweave.llm.grammar import GrammarCompiler, Matcher
from astraweave.llm.protocol import Choice, Constraint, JsonSchema, Regex
from astraweave.models import Tokenizer

pytest.importorskip("llguidance")

words = st.text(st.sampled_from('abc ".*é🦊\n'), max_size=6)
choices = st.lists(words, min_size=1, max_size=8).map(lambda found: Choice(options=tuple(found)))
atoms = st.sampled_from(["a", "b", "[a-c]", "é", ".", "\\.", "[^ab]", "[0-9]", "\\d", " "])
patterns = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("|".join).map("({})".format),
        inner.map("({})?".format),
        inner.map("({})*".format),
        inner.map("({}){{1,3}}".format),
    ),
    max_leaves=6,
)
seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def compiler(byte_tokenizer: Tokenizer) -> GrammarCompiler:
    end = byte_tokenizer.special_tokens["<|end|>"]
    return GrammarCompiler(byte_tokenizer, eos_ids=[end], vocab_size=byte_tokenizer.vocab_size)


def allowed(compiler: GrammarCompiler, matcher: Matcher) -> list[int]:
    row = np.empty(compiler.mask_words, np.uint32)
    matcher.mask(row)
    return np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist()


def admitted(compiler: GrammarCompiler, constraint: Constraint) -> set[bytes]:
    """Every answer that masks alone lead to, by any tokens."""
    matcher = compiler.matcher(constraint)
    tokens, ends = matcher._vocabulary.table.tokens, matcher._vocabulary.eos
    found, seen, pending = set(), set(), [(b"", matcher)]
    while pending:
        text, at = pending.pop()
        for token in allowed(compiler, at):
            if token in ends:
                found.add(text)
                continue
            longer = text + tokens[token]
            if longer not in seen:
                seen.add(longer)
                after = at.clone()
                after.advance([token])
                pending.append((longer, after))
    return found


def as_python(pattern: str) -> str:
    return pattern.replace("\\d", "[0-9]")


@settings(max_examples=60)
@given(choices)
def test_a_choice_admits_its_options_and_nothing_else(compiler, constraint) -> None:
    assert admitted(compiler, constraint) == {option.encode() for option in constraint.options}


@settings(max_examples=150)
@given(patterns, seeds)
def test_what_a_regex_admits_matches_it_whole(compiler, byte_tokenizer, pattern, seed) -> None:
    rng, matcher = random.Random(seed), compiler.matcher(Regex(pattern=pattern))
    answer: list[int] = []
    while len(answer) < 40:
        ids = allowed(compiler, matcher)
        ends = [token for token in ids if token in matcher._vocabulary.eos]
        assert bool(ends) == matcher.complete
        text = b"".join(matcher._vocabulary.table.tokens[token] for token in answer)
        try:
            matches = re.fullmatch(as_python(pattern), text.decode()) is not None
        except UnicodeDecodeError:  # in the middle of a character
            matches = False
        assert matches == matcher.complete
        if ends and (len(ids) == 1 or rng.random() < 0.2):
            return
        token = rng.choice([token for token in ids if token not in ends])
        matcher.advance([token])
        answer.append(token)


@settings(max_examples=150)
@given(patterns, st.text(st.sampled_from("abc. 1é"), max_size=6))
def test_a_regex_admits_every_text_that_matches_it(compiler, byte_tokenizer, pattern, text) -> None:
    matches = re.fullmatch(as_python(pattern), text) is not None
    try:
        matcher = compiler.matcher(Regex(pattern=pattern), prefix=text)
    except InputError:
        assert not matches
    else:
        assert matcher.complete == matches


@settings(max_examples=100)
@given(st.one_of(choices, patterns.map(lambda text: Regex(pattern=text))), seeds)
def test_forced_tokens_are_what_masks_would_have_left(compiler, constraint, seed) -> None:
    """Masks alone are followed; all that they allow goes along the text that was forced."""
    rng, matcher = random.Random(seed), compiler.matcher(constraint)
    tokens, ends = matcher._vocabulary.table.tokens, matcher._vocabulary.eos
    ahead = b""
    for _ in range(30):
        forced = b"".join(tokens[token] for token in matcher.forced())
        if not ahead:
            ahead = forced
        assert forced.startswith(ahead), "what is forced stays forced"
        ahead = max(ahead, forced, key=len)
        ids = allowed(compiler, matcher)
        if ahead:
            assert not ends.intersection(ids)
        for token in ids:
            text = tokens[token]
            if ahead and token not in ends:
                assert text.startswith(ahead) or ahead.startswith(text)
        token = rng.choice(ids)
        if token in ends:
            return
        matcher.advance([token])
        ahead = ahead[len(tokens[token]) :]


@settings(max_examples=200)
@given(
    st.one_of(
        st.text(max_size=40).map(lambda text: Regex(pattern=text)),
        st.recursive(
            st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(
                        "type properties items enum const anyOf oneOf allOf $ref required pattern "
                        "minLength maxItems minimum additionalProperties format $defs".split()
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        )
        .filter(lambda value: isinstance(value, dict))
        .map(lambda schema: JsonSchema(schema=schema)),
    )
)
def test_nonsense_is_refused_in_our_words_or_compiles(compiler, constraint) -> None:
    try:
        matcher = compiler.matcher(constraint)
    except InputError:
        pass
    else:
        assert allowed(compiler, matcher)
