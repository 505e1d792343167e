"""What holding an answer to a schema costs, a drawn token.

The floor of a mask is its writing: 6 kB for 49,152 tokens, 0.1 us. The bar is a tenth of a step of
eight sequences, which takes about 9 ms: 110 us a token, everything included. Answers are drawn
once, at random from what is allowed and with a run of prose in their strings, and then followed
again and again, as the engine follows them: forced tokens first, else a mask.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from astraweave.bench.case import Case, Pair, Unavailable, case
from astraweave.core.rng import RandomStreams
from astraweave.core.settings import DEFAULT_MODEL
from astraweave.errors import AstraweaveError
from astraweave.llm.grammar import GrammarCompiler, Matcher
from astraweave.llm.protocol import Constraint, JsonSchema, Regex
from astraweave.models import ModelStore, Tokenizer

__all__ = ["CASES"]

_PROSE = (
    " The old wolf came down from the hill and ate three of the sheep before morning, and nobody in"
    " the village dared to go out again because of it."
)


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _text(low: int, high: int) -> dict[str, Any]:
    return {"type": "string", "minLength": low, "maxLength": high}


_STEP = _object(
    objective={"enum": ["kill", "collect", "talk", "go_to", "escort", "defend"]},
    target=_text(3, 40),
)
_QUEST = _object(
    title=_text(5, 60),
    description=_text(20, 240),
    steps={"type": "array", "minItems": 3, "maxItems": 5, "items": _STEP},
)
_ACTION = {
    "anyOf": [
        _object(
            do={"const": action},
            to={"enum": [f"{who} {at}" for who in ("wolf", "smith") for at in range(12)]},
            amount={"type": "integer", "minimum": 1, "maximum": 20},
        )
        for action in ("give", "attack", "follow", "say")
    ]
}


def _compiler() -> tuple[GrammarCompiler, Tokenizer]:
    try:
        files = ModelStore().ensure(DEFAULT_MODEL, offline=True)
        tokenizer, config = Tokenizer.from_file(files.tokenizer), files.read_config()
        compiler = GrammarCompiler(
            tokenizer, eos_ids=config["eos_ids"], vocab_size=config["vocab_size"]
        )
        compiler.prepare()
    except AstraweaveError as error:
        raise Unavailable(str(error)) from None
    return compiler, tokenizer


def _drawn(matcher: Matcher, row: NDArray[np.uint32], prose: list[int], seed: int) -> list[int]:
    """Tokens of an answer; forced ones are not among them."""
    rng, said, answer = RandomStreams(seed)["answer"], 0, []
    while not matcher.done:
        if tokens := matcher.forced():
            matcher.advance(tokens)
            continue
        matcher.mask(row)
        token = prose[said % len(prose)]
        if row[token // 32] >> np.uint32(token % 32) & 1:
            said += 1
        else:
            ids = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
            token = int(rng.choice(ids))
        matcher.advance([token])
        answer.append(token)
    return answer


def _follow(matcher: Matcher, row: NDArray[np.uint32], answer: list[int]) -> None:
    ahead = iter(answer)
    while not matcher.done:
        if tokens := matcher.forced():
            matcher.advance(tokens)
            continue
        matcher.mask(row)
        matcher.advance([next(ahead)])


def _pair(constraint: Constraint) -> Pair:
    compiler, tokenizer = _compiler()
    row = np.empty(compiler.mask_words, np.uint32)
    prose = tokenizer.encode(_PROSE)
    answers = [_drawn(compiler.matcher(constraint), row, prose, seed) for seed in range(8)]

    def ours() -> None:
        for answer in answers:
            _follow(compiler.matcher(constraint), row, answer)

    return Pair(ours=ours, per_call=sum(map(len, answers)))


@case("constrained.quest", unit="us")
def quest() -> Pair:
    """A drawn token of a quest: strings of bounded length, which are the dearest."""
    return _pair(JsonSchema(schema=_QUEST))


@case("constrained.action", unit="us")
def action() -> Pair:
    """A drawn token of an action whose targets are the entities of a world."""
    return _pair(JsonSchema(schema=_ACTION))


@case("constrained.line", unit="us")
def line() -> Pair:
    """A drawn token of a line of dialogue that a regular expression shapes."""
    return _pair(Regex(pattern=r'[A-Z][^\n"]{10,200}[.!?]'))


CASES: tuple[Case, ...] = (quest, action, line)
