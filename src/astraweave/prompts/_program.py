"""Templates that need no engine: those made of text, values, lists, conditions and loops.

Only what is sure to mean the same is translated. Whatever else a template has, a filter other than
``join``, a test, arithmetic, leaves it to the engine as a whole.
"""

from __future__ import annotations

import re

from astraweave.kernels.rendering import Step

__all__ = ["translate"]

_MAX_NESTED = 24
_MAX_LOOPS = 8
_TAG = re.compile(
    r"\{\{(?P<cut_a>-?)(?P<value>.*?)(?P<cut_b>-?)\}\}"
    r"|\{%(?P<cut_c>-?)(?P<statement>.*?)(?P<cut_d>-?)%\}"
    r"|\{#(?P<cut_e>-?).*?(?P<cut_f>-?)#\}",
    re.DOTALL,
)
_NAME = r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
_VALUE = re.compile(
    rf"\s*{_NAME}\s*(?:\|\s*join\(\s*(?P<quote>[\"'])(?P<separator>[^\"'\\]*)(?P=quote)\s*\)\s*)?"
)
_INDEX = re.compile(r"\s*loop\.index\s*")
_FOR = re.compile(rf"\s*for\s+(?P<item>[A-Za-z_][A-Za-z0-9_]*)\s+in\s+{_NAME}\s*")
_IF = re.compile(
    rf"\s*(?:el)?if\s+(?P<negated>not\s+)?{_NAME}\s*"
    r"(?:(?P<comparison>[<>]=?|[=!]=)\s*(?P<number>\d{1,9}(?:\.\d{1,9})?)\s*)?"
)
_WORDS = frozenset(
    {"and", "elif", "else", "false", "for", "if", "in", "is", "loop", "none", "not", "or", "self"}
    | {"super", "true"}
)
# Where Python and the engine do not agree on what is white.
_UNUSUAL = re.compile("[\r\x0b\x0c\x1c-\x1f\x85\ud800-\udfff]")


class _Leave(Exception):
    """What the template has is for the engine alone."""


def translate(source: str) -> tuple[Step, ...] | None:
    """The program that writes what the engine would for `source`; None: ask the engine.

    `source` has been compiled by the engine already, so it is well formed.
    """
    if _UNUSUAL.search(source):
        return None
    try:
        return _Translation(source).steps()
    except _Leave:
        return None


class _Translation:
    def __init__(self, source: str) -> None:
        self._pieces = _pieces(source.removesuffix("\n"))
        self._at = 0
        self._loops: list[str] = []
        self._nested = 0

    def steps(self) -> tuple[Step, ...]:
        steps = self._body()
        if self._at < len(self._pieces):
            raise _Leave
        return steps

    def _body(self) -> tuple[Step, ...]:
        """Steps up to a statement that does not begin something."""
        steps: list[Step] = []
        while self._at < len(self._pieces):
            kind, text = self._pieces[self._at]
            word = text.split(maxsplit=1)[:1]
            if kind == "statement" and word not in (["if"], ["for"]):
                break
            self._at += 1
            if kind == "text":
                steps.append(Step("text", text))
            elif kind == "value":
                steps.append(self._value(text))
            else:
                self._nested += 1
                if self._nested > _MAX_NESTED:
                    raise _Leave
                steps.append(self._when(text) if word == ["if"] else self._each(text))
                self._nested -= 1
        return tuple(steps)

    def _value(self, text: str) -> Step:
        if _INDEX.fullmatch(text):
            if not self._loops:
                raise _Leave
            return Step("index", depth=len(self._loops) - 1)
        found = _matched(_VALUE, text)
        name = found["name"]
        if found["quote"]:
            return Step("join", name, depth=self._depth(name), separator=found["separator"])
        return Step("value", name, depth=self._depth(name))

    def _when(self, text: str) -> Step:
        found = _matched(_IF, text)
        if found["negated"] and found["comparison"]:  # what binds first is the engine's to say
            raise _Leave
        body = self._body()
        return Step(
            "when",
            found["name"],
            depth=self._depth(found["name"]),
            comparison=found["comparison"] or "",
            number=float(found["number"] or 0),
            negated=bool(found["negated"]),
            body=body,
            otherwise=self._rest_of_if(),
        )

    def _rest_of_if(self) -> tuple[Step, ...]:
        statement = self._statement()
        if statement.split(maxsplit=1)[:1] == ["elif"]:
            self._nested += 1
            if self._nested > _MAX_NESTED:
                raise _Leave
            rest = (self._when(statement),)
            self._nested -= 1
            return rest
        return self._rest(statement, "endif")

    def _each(self, text: str) -> Step:
        found = _matched(_FOR, text)
        depth = len(self._loops)
        if found["item"] in _WORDS or found["name"] in self._loops or depth == _MAX_LOOPS:
            raise _Leave
        self._loops.append(found["item"])
        body = self._body()
        self._loops.pop()
        otherwise = self._rest(self._statement(), "endfor")
        return Step("each", found["name"], depth=depth, body=body, otherwise=otherwise)

    def _rest(self, statement: str, end: str) -> tuple[Step, ...]:
        """The steps after an ``else``, none without one, up to the end."""
        steps: tuple[Step, ...] = ()
        if statement.split() == ["else"]:
            steps = self._body()
            statement = self._statement()
        if statement.split() != [end]:
            raise _Leave
        return steps

    def _statement(self) -> str:
        if self._at == len(self._pieces):
            raise _Leave
        self._at += 1
        return self._pieces[self._at - 1][1]

    def _depth(self, name: str) -> int:
        """The innermost loop of whose items it is the name; -1: a value's."""
        depths = [depth for depth, item in enumerate(self._loops) if item == name]
        return depths[-1] if depths else -1


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    found = pattern.fullmatch(text)
    if not found or found["name"].lower() in _WORDS:
        raise _Leave
    return found


def _pieces(source: str) -> list[tuple[str, str]]:
    """Text, values and statements in their order, with the white space cut that ``-`` cuts."""
    pieces: list[tuple[str, str]] = []
    position, cut = 0, False
    for tag in _TAG.finditer(source):
        text = source[position : tag.start()]
        begins, ends = (tag[name] for name in _cuts(tag))
        _add_text(pieces, text, left=cut, right=bool(begins))
        pieces += [(kind, tag[kind]) for kind in ("value", "statement") if tag[kind] is not None]
        position, cut = tag.end(), bool(ends)
    _add_text(pieces, source[position:], left=cut, right=False)
    return pieces


def _cuts(tag: re.Match[str]) -> tuple[str, str]:
    if tag["value"] is not None:
        return "cut_a", "cut_b"
    return ("cut_c", "cut_d") if tag["statement"] is not None else ("cut_e", "cut_f")


def _add_text(pieces: list[tuple[str, str]], text: str, *, left: bool, right: bool) -> None:
    if "{{" in text or "{%" in text or "{#" in text:  # an opening that never ends
        raise _Leave
    text = text.lstrip() if left else text
    text = text.rstrip() if right else text
    if text:
        pieces.append(("text", text))
