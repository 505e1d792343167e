"""Objects of random schemas, drawn token by token from masks, are valid."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from astraweave.llm import (
    GenerationRequest,
    JsonSchema,
    LocalLanguageModel,
    Message,
    SamplingParams,
)
from astraweave.llm.grammar import GrammarCompiler
from astraweave.models import Tokenizer

jsonschema = pytest.importorskip("jsonschema")
pytest.importorskip("llguidance")

PATTERNS = ("^[A-Z][a-z]{2,8}$", "^(north|south)-[0-9]{1,3}$", "^[a-z_]+$", "^.{3,9}$")
FORMATS = ("date", "time", "uuid", "ipv4")
NAMES = ("name", "age", "target", "steps", "mood", "where", "é", 'a "quote"', "x-y", "$id2")
WORDS = (
    "kill",
    "collect",
    "talk to",
    "go_to",
    "naïve",
    'say "hi"',
    "back\\slash",
    "",
    "🦊",
    "null",
)


class Schemas:
    """Random schemas of what games ask for; each of them can be met."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.definitions: dict[str, Any] = {}

    def whole(self) -> dict[str, Any]:
        for name in ("place", "tree")[: self.rng.randrange(3)]:
            self.definitions[name] = self.tree() if name == "tree" else self.object(2)
        schema = self.rng.choice((self.object, self.object, self.object, self.array, self.any))(0)
        return schema | ({"$defs": self.definitions} if self.definitions else {})

    def any(self, depth: int) -> dict[str, Any]:
        simple: list[Callable[[], dict[str, Any]]] = [
            self.string, self.string, self.number, self.number, self.enumeration, self.plain
        ]  # fmt: skip
        if depth < 3 and self.rng.random() < 0.5:
            return self.rng.choice((self.object, self.array, self.either, self.reference))(depth)
        return self.rng.choice(simple)()

    def object(self, depth: int) -> dict[str, Any]:
        names = self.rng.sample(NAMES, self.rng.randrange(5))
        return {
            "type": "object",
            "properties": {name: self.any(depth + 1) for name in names},
            "required": [name for name in names if self.rng.random() < 0.6],
            "additionalProperties": self.rng.choice((False, False, False, {"type": "integer"})),
        }

    def array(self, depth: int) -> dict[str, Any]:
        low = self.rng.randrange(3)
        bounds = {"minItems": low, "maxItems": low + self.rng.randrange(3)}
        if self.rng.random() < 0.2:
            first = [self.any(depth + 1) for _ in range(2)]
            return {"type": "array", "prefixItems": first, "items": False, "minItems": 2}
        return {"type": "array", "items": self.any(depth + 1), **bounds}

    def either(self, depth: int) -> dict[str, Any]:
        return {"anyOf": [self.any(depth + 1) for _ in range(self.rng.randrange(1, 4))]}

    def reference(self, depth: int) -> dict[str, Any]:
        if not self.definitions:
            return self.plain()
        return {"$ref": f"#/$defs/{self.rng.choice(list(self.definitions))}"}

    def tree(self) -> dict[str, Any]:
        branch = {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 2}
        return {
            "type": "object",
            "properties": {"what": self.enumeration(), "then": branch},
            "required": ["what"],
            "additionalProperties": False,
        }

    def string(self) -> dict[str, Any]:
        kind = self.rng.randrange(5)
        if kind == 0:
            return {"type": "string", "pattern": self.rng.choice(PATTERNS)}
        if kind == 1:
            return {"type": "string", "format": self.rng.choice(FORMATS)}
        low = self.rng.randrange(12)
        bounds = {"minLength": low, "maxLength": low + self.rng.randrange(30)}
        return {"type": "string"} | (bounds if kind < 4 else {})

    def number(self) -> dict[str, Any]:
        low = self.rng.randrange(-1000, 1000)
        high = low + self.rng.randrange(5, 500)
        if self.rng.random() < 0.5:
            schema: dict[str, Any] = {"type": "integer", "minimum": low, "maximum": high}
            return schema | ({"multipleOf": 5} if self.rng.random() < 0.2 else {})
        return {"type": "number", "exclusiveMinimum": low / 8, "maximum": high / 8}

    def enumeration(self) -> dict[str, Any]:
        if self.rng.random() < 0.2:
            return {"const": self.rng.choice((None, True, 3, "fixed", {"a": [1, 2]}))}
        return {"enum": self.rng.sample(WORDS, self.rng.randrange(1, len(WORDS)))}

    def plain(self) -> dict[str, Any]:
        return {"type": self.rng.choice(("boolean", "null", ["integer", "null"]))}


def drawn(
    compiler: GrammarCompiler, tokenizer: Tokenizer, schema: dict[str, Any], seed: int
) -> str:
    """An answer of random allowed tokens; what ends something is preferred, more and more."""
    rng = random.Random(seed)
    matcher = compiler.matcher(JsonSchema(schema=schema, compact=bool(seed % 3)))
    row = np.empty(compiler.mask_words, np.uint32)
    pieces, ends = matcher._vocabulary.table.tokens, matcher._vocabulary.eos
    answer: list[int] = []
    while not matcher.done:
        tokens = matcher.forced()
        if not tokens:
            matcher.mask(row)
            ids = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist()
            assert bool(ends.intersection(ids)) == matcher.complete
            if rng.random() < 0.2 + len(answer) / 300:
                closing = [at for at in ids if at in ends or pieces[at][:1] in b'"]}0123456789']
                ids = closing or ids
            tokens = [rng.choice(ids)]
        matcher.advance(tokens)
        answer += [token for token in tokens if token not in ends]
        assert len(answer) < 4000
    assert matcher.complete
    return tokenizer.decode(answer)


def invalid(compiler: GrammarCompiler, tokenizer: Tokenizer, count: int) -> list[tuple[int, str]]:
    """What is wrong with the answers to `count` schemas."""
    found = []
    for seed in range(count):
        schema = Schemas(seed).whole()
        jsonschema.Draft202012Validator.check_schema(schema)
        text = drawn(compiler, tokenizer, schema, seed)
        try:
            jsonschema.validate(
                json.loads(text),
                schema,
                format_checker=jsonschema.FormatChecker(("date", "uuid", "ipv4")),
            )
        except (ValueError, jsonschema.ValidationError) as error:
            found.append((seed, f"{error} in {text} for {json.dumps(schema)}"))
    return found


def test_objects_of_50_schemas_are_valid(byte_tokenizer: Tokenizer) -> None:
    end = byte_tokenizer.special_tokens["<|end|>"]
    compiler = GrammarCompiler(byte_tokenizer, eos_ids=[end], vocab_size=byte_tokenizer.vocab_size)
    assert invalid(compiler, byte_tokenizer, 50) == []


@pytest.mark.models
@pytest.mark.slow
def test_objects_of_500_schemas_are_valid_in_the_models_own_tokens(decoder_files) -> None:
    tokenizer = Tokenizer.from_file(decoder_files.tokenizer)
    config = decoder_files.read_config()
    compiler = GrammarCompiler(
        tokenizer, eos_ids=config["eos_ids"], vocab_size=config["vocab_size"]
    )
    assert invalid(compiler, tokenizer, 500) == []


@pytest.mark.models
@pytest.mark.slow
def test_the_models_own_objects_are_valid(decoder_files) -> None:
    """Through the engine, sixteen at a time; an answer that ran out of tokens is no object yet."""
    schemas = [Schemas(seed).whole() for seed in range(100)]
    with LocalLanguageModel(decoder_files) as model:
        answers = [
            model.generate(
                GenerationRequest(
                    messages=(Message("user", f"Write thing number {at} of a village, as JSON."),),
                    max_tokens=300,
                    sampling=SamplingParams(temperature=1.0, seed=at),
                    constraint=JsonSchema(schema=schema),
                )
            )
            for at, schema in enumerate(schemas)
        ]
        whole = 0
        for schema, answer in zip(schemas, answers, strict=True):
            chunks = list(answer)
            if chunks[-1].finish_reason == "stop":
                whole += 1
                jsonschema.validate(json.loads("".join(chunk.text for chunk in chunks)), schema)
            else:
                assert chunks[-1].finish_reason == "length"
    print(f"{whole} of {len(schemas)} ended within their tokens, all of them valid")
    assert whole > 70
