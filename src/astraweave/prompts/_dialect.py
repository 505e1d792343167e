"""The part of Jinja that prompts are written in.

minijinja keeps templates away from Python, stops endless ones (fuel) and endless recursion, but it
has no limit of memory: ``{% set a = a ~ a %}`` forty times, or ``'a' * 10 ** 12``, ends the whole
process. So a template may only use what cannot multiply its data: no assignment, no macro, no
include, no multiplication, no call; ``join`` with a literal separator; filters from a list. What is
left (values, attributes, conditions, loops over given lists) writes at most (its own length + the
longest value) for each unit of fuel. The check is one pass over the tokens, once, at compilation.
"""

from __future__ import annotations

import re

from astraweave.core.toml import did_you_mean
from astraweave.errors import ConfigError

__all__ = ["FILTERS", "STATEMENTS", "TESTS", "check"]

STATEMENTS = ("if", "elif", "else", "endif", "for", "endfor")

FILTERS = (
    "abs", "capitalize", "count", "d", "default", "first", "float", "int", "join", "last",
    "length", "lower", "max", "min", "reverse", "round", "sort", "title", "trim", "unique", "upper",
)  # fmt: skip

TESTS = (
    "defined", "divisibleby", "even", "false", "iterable", "mapping", "none", "number", "odd",
    "sequence", "string", "true", "undefined",
)  # fmt: skip

_OPEN = re.compile(r"\{\{|\{%|\{#")
_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<end>[-+]?[%}]\})|(?P<string>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')"
    r"|(?P<name>[^\W\d]\w*)|(?P<number>\d[\d_.]*)|(?P<operator>\*\*|//|==|!=|<=|>=|.)",
    re.DOTALL,
)
# Names after which a parenthesis only groups.
_WORDS = frozenset({"if", "elif", "else", "for", "in", "and", "or", "not", "is"})


def check(source: str, where: str, first_line: int = 1) -> None:
    """Refuse what the dialect does not have.

    Parameters
    ----------
    source : str
        The template.
    where : str
        Its file, or another name for it in errors.
    first_line : int
        Line of the file on which `source` begins.

    Raises
    ------
    ConfigError
        Names file, line, and what is not allowed.
    """
    position = 0
    while opening := _OPEN.search(source, position):
        position = opening.end()
        if opening[0] == "{#":
            end = source.find("#}", position)
            position = len(source) if end < 0 else end + 2
            continue
        # A sign right after the opening belongs to it.
        position += source.startswith(("-", "+"), position)
        position, refusal = _check_tag(source, position, opening[0] == "{%")
        if refusal:
            line = first_line + source.count("\n", 0, position)
            raise ConfigError(f"{where}:{line}: {refusal}", source=where, line=line)


def _check_tag(source: str, position: int, is_statement: bool) -> tuple[int, str]:
    """Step over one tag: the position after it, or of what is refused, and why."""
    before = ("", "", "")  # the three tokens before this one
    depth = 0
    while token := _TOKEN.match(source, position):
        kind, text = token.lastgroup, token[0]
        if kind == "end" and depth == 0:
            return token.end(), ""
        if kind == "end":  # the first brace closes a mapping; anything else minijinja reports
            text = "}"
            position += 1
        else:
            position = token.end()
        if kind == "space":
            continue
        if refusal := _refusal(text, before, is_statement):
            return token.start(), refusal
        depth += (text in {"(", "[", "{"}) - (text in {")", "]", "}"})
        before = (before[1], before[2], text)
    return len(source), ""


def _refusal(text: str, before: tuple[str, str, str], is_statement: bool) -> str:
    """Why this token may not stand after those; empty when it may."""
    last = before[2]
    if is_statement and not last and text not in STATEMENTS:
        hint = did_you_mean(text, STATEMENTS)
        return f"the statement {text!r} is not part of the prompt dialect{hint}"
    if last == "|" and text not in FILTERS:
        hint = did_you_mean(text, FILTERS)
        return f"the filter {text!r} is not part of the prompt dialect{hint}"
    after_is = last == "is" or before[1:] == ("is", "not")
    if after_is and text not in TESTS and text != "not":
        hint = did_you_mean(text, TESTS)
        return f"the test {text!r} is not part of the prompt dialect{hint}"
    if text in {"*", "**"}:
        return "multiplication is not part of the prompt dialect"
    if text == "recursive":
        return "recursive loops are not part of the prompt dialect"
    if text == "(" and _is_call(before):
        return "calls are not part of the prompt dialect"
    literal = last[:1] in {"'", '"'}
    if (before[1:] == ("join", "(") and text[:1] not in {"'", '"', ")"}) or (
        before[:2] == ("join", "(") and literal and text != ")"
    ):
        return "the separator of join must be a literal text"
    return ""


def _is_call(before: tuple[str, str, str]) -> bool:
    """Whether a parenthesis after these tokens calls something; filters and tests may."""
    earlier, previous, what = before
    if previous in {"|", "is"} or (earlier, previous) == ("is", "not"):
        return False
    if what in {")", "]", "}"} or what[:1] in {"'", '"'}:
        return True
    return what.isidentifier() and what not in _WORDS
