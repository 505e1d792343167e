"""What constraints admit, what is refused, and how a matcher is used."""

from __future__ import annotations

import random
import sys
import threading

import numpy as np
import pytest

from astraweave.errors import ConfigError, InputError, InvalidResponse, MissingExtraError
from astraweave.llm import grammar
from astraweave.llm.grammar import GrammarCompiler, GrammarLimits, Matcher
from astraweave.llm.protocol import Choice, Constraint, JsonSchema, Lark, Regex
from astraweave.models import Tokenizer

pytest.importorskip("llguidance")

PADDING = 37
"""Rows of a model's matrix that no token has."""


@pytest.fixture(scope="module")
def compiler(byte_tokenizer: Tokenizer) -> GrammarCompiler:
    return GrammarCompiler(
        byte_tokenizer,
        eos_ids=[byte_tokenizer.special_tokens["<|end|>"]],
        vocab_size=byte_tokenizer.vocab_size + PADDING,
    )


@pytest.fixture
def end(byte_tokenizer: Tokenizer) -> int:
    return byte_tokenizer.special_tokens["<|end|>"]


def allowed(compiler: GrammarCompiler, matcher: Matcher) -> set[int]:
    row = np.empty(compiler.mask_words, np.uint32)
    matcher.mask(row)
    return set(np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist())


def texts(tokenizer: Tokenizer, ids: set[int]) -> set[str]:
    return {tokenizer.decode([token], skip_special=False) for token in ids}


def test_the_end_is_allowed_exactly_where_the_answer_may_end(compiler, byte_tokenizer, end) -> None:
    matcher = compiler.matcher(Choice(options=("cat", "category")))
    assert not matcher.complete
    assert texts(byte_tokenizer, allowed(compiler, matcher)) == {"c", "ca", "cat", "cate", "categ"}
    matcher.advance(byte_tokenizer.encode("cat"))
    assert matcher.complete
    assert not matcher.done
    assert texts(byte_tokenizer, allowed(compiler, matcher)) == {"e", "<|end|>"}
    assert matcher.forced() == [], "the end is no forced token"
    matcher.advance([end])
    assert matcher.done
    assert allowed(compiler, matcher) == {end}
    with pytest.raises(InvalidResponse):
        matcher.advance(byte_tokenizer.encode("e"))


def test_an_answer_that_cannot_go_on_is_done_without_its_end_token(
    compiler, byte_tokenizer, end
) -> None:
    matcher = compiler.matcher(Choice(options=("cat", "dog")))
    matcher.advance(byte_tokenizer.encode("dog"))
    assert matcher.done
    assert matcher.complete
    assert matcher.forced() == []
    assert allowed(compiler, matcher) == {end}
    matcher.advance([end])
    assert matcher.done


def test_what_is_forced_is_said_in_the_tokens_that_the_model_would_use(
    compiler, byte_tokenizer
) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"enum": ["anna", "bert"]}},
        "required": ["name"],
        "additionalProperties": False,
    }
    matcher = compiler.matcher(JsonSchema(schema=schema))
    forced = matcher.forced()
    assert '{"name": "'.startswith(byte_tokenizer.decode(forced))
    assert forced == byte_tokenizer.encode('{"name": "')[: len(forced)]
    assert len(forced) > 2
    matcher.advance(forced[:2])
    assert matcher.forced() == forced[2:], "they can be handed in piece by piece"


def test_a_token_that_does_not_fit_changes_nothing(compiler, byte_tokenizer) -> None:
    matcher = compiler.matcher(Regex(pattern="(ab|cd)+"))
    matcher.advance(byte_tokenizer.encode("ab"))
    before = allowed(compiler, matcher)
    with pytest.raises(InvalidResponse) as caught:
        matcher.advance([*byte_tokenizer.encode("cdab"), ord("x")])
    assert caught.value.token == ord("x")
    assert allowed(compiler, matcher) == before
    with pytest.raises(InvalidResponse):
        compiler.matcher(Regex(pattern="ab")).advance([byte_tokenizer.special_tokens["<|end|>"]])
    matcher.advance([])
    matcher.advance(byte_tokenizer.encode("cd"))


def test_the_prefix_of_an_answer_counts(compiler, byte_tokenizer) -> None:
    matcher = compiler.matcher(Choice(options=("the end", "the and", "x")), prefix="the ")
    assert texts(byte_tokenizer, allowed(compiler, matcher)) >= {"e", "a"}
    assert "x" not in texts(byte_tokenizer, allowed(compiler, matcher))
    assert compiler.matcher(Choice(options=("cat",)), prefix="cat").done
    with pytest.raises(InputError, match="goes wrong after 'the '") as caught:
        compiler.matcher(Choice(options=("the end",)), prefix="the zend")
    assert caught.value.fits == 4


def test_a_copy_goes_its_own_way(compiler, byte_tokenizer) -> None:
    matcher = compiler.matcher(Regex(pattern="a*b"))
    matcher.advance(byte_tokenizer.encode("aa"))
    other = matcher.clone()
    other.advance(byte_tokenizer.encode("b"))
    assert other.done
    assert not matcher.done


@pytest.mark.parametrize(
    "constraint",
    [
        Choice(options=("<|system|>", "<|end|>!")),
        Regex(pattern=r"<\|(system|end)\|>"),
        JsonSchema(schema={"enum": ["<|system|>x", "<|end|>"]}),
    ],
)
def test_control_tokens_in_a_text_are_text(compiler, byte_tokenizer, constraint) -> None:
    control = set(byte_tokenizer.special_tokens.values())
    matcher = compiler.matcher(constraint)
    while not matcher.done:
        tokens = matcher.forced() or [min(allowed(compiler, matcher))]
        assert control.isdisjoint(tokens)
        matcher.advance(tokens)


def test_a_grammar_cannot_ask_for_a_control_token(compiler, byte_tokenizer) -> None:
    control = byte_tokenizer.special_tokens["<|system|>"]
    for text in ('start: "a" <|system|>', f'start: "a" <[{control}]>', 'start: <|end|> "a"'):
        with pytest.raises(InputError):
            walk(compiler, compiler.matcher(Lark(grammar=text)))
    free = compiler.matcher(Lark(grammar=f'start: "a" (<[{control}]> | "b")'))
    free.advance(byte_tokenizer.encode("a"))
    assert control not in allowed(compiler, free)


def walk(compiler: GrammarCompiler, matcher: Matcher) -> None:
    for _ in range(50):
        if matcher.done:
            return
        matcher.advance(matcher.forced() or [min(allowed(compiler, matcher))])


def test_padding_rows_and_ids_without_a_token_are_never_allowed(compiler, byte_tokenizer) -> None:
    ids = allowed(compiler, compiler.matcher(Regex(pattern=r"(.|\n)*")))
    assert max(ids) < byte_tokenizer.vocab_size
    assert byte_tokenizer.special_tokens["<|system|>"] not in ids


def test_compact_json_has_no_blanks_to_waste_and_loose_json_not_many(
    compiler, byte_tokenizer
) -> None:
    schema = {"type": "array", "items": {"type": "integer"}, "minItems": 2}
    compact = compiler.matcher(JsonSchema(schema=schema), prefix="[1")
    assert "\n" not in texts(byte_tokenizer, allowed(compiler, compact))
    compiler.matcher(JsonSchema(schema=schema), prefix="[1, 2]")
    loose = JsonSchema(schema=schema, compact=False)
    assert compiler.matcher(loose, prefix="[ 1,\n\t2 ]").done
    assert compiler.matcher(loose, prefix="[1,2]").done
    with pytest.raises(InputError):
        compiler.matcher(loose, prefix="[" + " " * 41)


UNUSABLE: list[tuple[Constraint, str]] = [
    (Choice(options=()), "at least one option"),
    (Choice(options=("a\ud800",)), "surrogate|not made of"),
    (Regex(pattern="(a"), "unclosed group"),
    (Regex(pattern="(?=a)b"), "look-around"),
    (Regex(pattern="a[b&&c]"), "admits no answer"),
    (Regex(pattern="((a{100}){100}){100}"), "written out"),
    (Regex(pattern="x" * 300_000), "bytes"),
    (Lark(grammar="start: foo"), "unknown name"),
    (Lark(grammar='start: "a" start'), "same .* bytes"),
    (Lark(grammar="start: " + "(" * 5000 + '"a"' + ")" * 5000), "brackets"),
    (Lark(grammar="\n".join(f'r{i}: r{i + 1} "b"' for i in range(5000))), "rules"),
    (JsonSchema(schema={"enum": []}), "anyOf is empty"),
    (JsonSchema(schema={"not": {}}), "not"),
    (JsonSchema(schema={"type": "integer", "minimum": 5, "maximum": 3}), "greater than maximum"),
    (JsonSchema(schema={"type": "array", "uniqueItems": True}), "uniqueItems"),
    (JsonSchema(schema={"x-guidance": {"lenient": True}, "if": {}}), "if"),
    (JsonSchema(schema={"$ref": "#"}), "admits no answer"),
    (JsonSchema(schema={"$ref": "#/$defs/nobody"}), "nobody"),
    (JsonSchema(schema={"$ref": "https://example.org/x"}), "example.org"),
    (JsonSchema(schema={"type": "array", "items": {"$ref": "#"}, "minItems": 1}), "no way out"),
    (JsonSchema(schema={"type": "string", "pattern": "(a{1000}){1000}"}), "written out"),
    (JsonSchema(schema={"const": {1, 2}}), "JSON"),  # type: ignore[dict-item]
    (JsonSchema(schema=[]), "is an object"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("constraint", "why"), UNUSABLE, ids=[why for _, why in UNUSABLE])
def test_what_cannot_be_used_is_refused_with_its_reason(compiler, constraint, why) -> None:
    with pytest.raises(InputError, match=why) as caught:
        compiler.matcher(constraint)
    assert "<state>" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_schema_that_would_overflow_the_stack_is_refused(compiler) -> None:
    deep: dict[str, object] = {"type": "string"}
    for _ in range(5000):
        deep = {"type": "array", "items": deep}
    with pytest.raises(InputError, match="levels"):
        compiler.matcher(JsonSchema(schema=deep))
    chain = {f"d{i}": {"items": {"$ref": f"#/$defs/d{i + 1}"}} for i in range(5000)}
    with pytest.raises(InputError, match="definitions"):
        compiler.matcher(JsonSchema(schema={"$ref": "#/$defs/d0", "$defs": chain | {"d5000": {}}}))
    itself: dict[str, object] = {}
    itself["items"] = itself
    with pytest.raises(InputError, match="levels"):
        compiler.matcher(JsonSchema(schema=itself))


def test_as_deep_as_is_allowed_does_compile(compiler) -> None:
    limits = GrammarLimits()
    deep: dict[str, object] = {"type": "string"}
    for _ in range(limits.depth - 1):
        deep = {"type": "array", "items": deep}
    with pytest.raises(InputError):
        compiler.matcher(JsonSchema(schema={"items": deep}))
    compiler.matcher(JsonSchema(schema=deep["items"]))
    count = limits.reach // 2 - 5
    chain = {f"d{i}": {"items": {"$ref": f"#/$defs/d{i + 1}"}} for i in range(count)}
    schema = {"$ref": "#/$defs/d0", "$defs": chain | {f"d{count}": {"type": "null"}}}
    compiler.matcher(JsonSchema(schema=schema))
    rules = limits.definitions - 1
    chained = "start: r0\n" + "\n".join(f'r{i}: r{i + 1} "b"' for i in range(rules - 1))
    compiler.matcher(Lark(grammar=f'{chained}\nr{rules - 1}: "a"'))


def test_large_choices_have_a_limit_and_below_it_they_work(compiler, byte_tokenizer) -> None:
    with pytest.raises(InputError, match="100000 options; 10000 are allowed"):
        compiler.matcher(Choice(options=tuple(f"option {at}" for at in range(100_000))))
    many = compiler.matcher(Choice(options=tuple(f"option {at}" for at in range(2000))))
    many.advance(byte_tokenizer.encode("option 1999"))
    assert many.done


def test_compiled_constraints_are_kept_and_let_go(byte_tokenizer) -> None:
    compiler = GrammarCompiler(
        byte_tokenizer, eos_ids=[256], vocab_size=600, limits=GrammarLimits(cached=2)
    )
    for pattern in ("a", "b", "a", "c", "a"):
        compiler.matcher(Regex(pattern=pattern))
    kept = [key.decode() for key in compiler._compiled]
    assert [key[-3] for key in kept] == ["c", "a"], "the one that was not asked for has gone"
    ordered = {"properties": {"a": {}, "b": {}}, "required": ["a", "b"]}
    turned = {"properties": {"b": {}, "a": {}}, "required": ["a", "b"]}
    first, second = (compiler.matcher(JsonSchema(schema=s)) for s in (ordered, turned))
    assert first.forced() == second.forced()
    first.advance(byte_tokenizer.encode('{"a'))
    with pytest.raises(InvalidResponse):  # the order of a schema's properties means something
        second.advance(byte_tokenizer.encode('{"a": 1, "b": 2}'))


def test_a_wrong_mask_is_refused(compiler) -> None:
    matcher = compiler.matcher(Regex(pattern="a|b"))
    words = compiler.mask_words
    for row in (
        np.empty(words - 1, np.uint32),
        np.empty(words, np.int32),
        np.empty(2 * words, np.uint32)[::2],
    ):
        with pytest.raises(InputError, match="mask"):
            matcher.mask(row)


def test_end_tokens_must_be_tokens(byte_tokenizer) -> None:
    for ends in ([], [10_000]):
        with pytest.raises(InputError, match="end tokens"):
            GrammarCompiler(byte_tokenizer, eos_ids=ends, vocab_size=600).prepare()


def test_without_llguidance_the_extra_is_named(byte_tokenizer, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(MissingExtraError, match="astraweave\\[cpu\\]"):
        GrammarCompiler(byte_tokenizer, eos_ids=[256], vocab_size=600).prepare()


def test_wordpiece_vocabularies_are_refused() -> None:
    tokenizer = Tokenizer.from_json(
        b'{"model": {"type": "WordPiece", "vocab": {"[UNK]": 0, "a": 1, "##b": 2},'
        b'"unk_token": "[UNK]"}, "decoder": {"type": "WordPiece", "prefix": "##"}}'
    )
    with pytest.raises(ConfigError, match="wordpiece"):
        GrammarCompiler(tokenizer, eos_ids=[0], vocab_size=3).prepare()


def test_one_compiler_serves_many_threads(compiler, byte_tokenizer) -> None:
    wrong: list[BaseException] = []

    def answer(at: int) -> None:
        try:
            for turn in range(20):
                word = f"word{(at + turn) % 5}"
                matcher = compiler.matcher(Choice(options=(word, word + "s")))
                allowed(compiler, matcher)
                matcher.advance(byte_tokenizer.encode(word))
                assert matcher.complete
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=answer, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


EXPLODING = Regex(pattern="(.*a.{15}b)+")
"""Its automaton has a state for every way in which the last 15 letters may lie."""


def follow(compiler: GrammarCompiler, matcher: Matcher, letters: str) -> None:
    for letter in letters:
        allowed(compiler, matcher)
        matcher.advance([ord(letter)])


def test_a_constraint_that_explodes_fails_and_never_ends_as_if_whole(
    byte_tokenizer, monkeypatch
) -> None:
    monkeypatch.setattr(grammar, "_MAX_LEXER_STATES", 300)
    compiler = GrammarCompiler(byte_tokenizer, eos_ids=[256], vocab_size=600)
    matcher = compiler.matcher(EXPLODING)
    with pytest.raises(InputError, match="too complex"):
        follow(compiler, matcher, "".join(random.Random(1).choices("ab", k=500)))
    assert not matcher.done
    with pytest.raises(InputError):
        allowed(compiler, matcher)
    assert not matcher.done


def test_answers_before_leave_room_for_those_after_them(byte_tokenizer, monkeypatch) -> None:
    """Each alone keeps within the limit, and all together would not."""
    monkeypatch.setattr(grammar, "_MAX_LEXER_STATES", 400)
    compiler = GrammarCompiler(byte_tokenizer, eos_ids=[256], vocab_size=600)
    rng = random.Random(2)
    for _ in range(60):
        follow(compiler, compiler.matcher(EXPLODING), "".join(rng.choices("ab", k=12)))
