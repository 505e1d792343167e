"""Choices and regular expressions as grammars of llama.cpp (GBNF).

GBNF goes by characters and has their classes, groups, alternatives and repetition, so that a
regular expression is one rule of it. What looks around, refers back or depends on flags is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from astraweave.errors import InputError

__all__ = ["choice_to_gbnf", "regex_to_gbnf"]

_SETS = {"d": "0-9", "w": "0-9A-Za-z_", "s": r" \t\n\r\x0B\x0C"}
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "0": "\0", "a": "\a"}
_COUNTED = re.compile(r"\{(\d{1,4})(,(\d{1,4})?)?\}")
_MOST_DEEP = 64


def choice_to_gbnf(options: Sequence[str]) -> str:
    """A grammar of these texts alone."""
    return "root ::= " + " | ".join(map(_literal, options))


def regex_to_gbnf(pattern: str) -> str:
    r"""A grammar of what `pattern` matches as a whole.

    Raises
    ------
    InputError
        It has something that is no regular language, or that needs flags.

    Examples
    --------
    >>> print(regex_to_gbnf(r"(yes|no), \d{1,3} gold"))
    root ::= ("yes" | "no") ", " [0-9]{1,3} " gold"
    """
    reader = _Reader(pattern)
    made = reader.alternatives(0)
    if reader.left:
        raise reader.wrong("a ')' without its '('")
    return f"root ::= {made}"


class _Reader:
    """Goes through a pattern once, from the left."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern.removeprefix("^")
        if self._pattern.endswith("$") and not self._pattern.endswith("\\$"):
            self._pattern = self._pattern[:-1]
        self._at = 0

    @property
    def left(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def wrong(self, what: str) -> InputError:
        return InputError(
            f"{what} at {self._at} of the regular expression {self._pattern!r} cannot be made a "
            "grammar for this server",
            pattern=self._pattern,
            at=self._at,
        )

    def alternatives(self, depth: int) -> str:
        if depth > _MOST_DEEP:
            raise self.wrong("a group so deep")
        found = [self._sequence(depth)]
        while self.left == "|":
            self._at += 1
            found.append(self._sequence(depth))
        return " | ".join(found)

    def _sequence(self, depth: int) -> str:
        items: list[str] = []
        text = ""
        while self.left and self.left not in "|)":
            char = self._character()
            item = "" if char is not None else self._item(depth)
            times = self._times()
            if char is not None and not times:
                text += char
                continue
            if text:
                items.append(_literal(text))
                text = ""
            items.append((_literal(char) if char is not None else item) + times)
        if text or not items:
            items.append(_literal(text))
        return " ".join(items)

    def _character(self) -> str | None:
        """A character that stands for itself; None: something else comes."""
        char = self.left
        if char == "\\":
            return self._escaped()
        if char in "*+?{":
            raise self.wrong(f"{char!r} with nothing before it")
        if char in "^$":
            raise self.wrong(f"{char!r} in the midst")
        if char in "([.":
            return None
        self._at += 1
        return char

    def _escaped(self) -> str | None:
        """The character behind a backslash; None: it is a class, and nothing is read."""
        kind = self._pattern[self._at + 1 : self._at + 2]
        if kind and kind in "dws":
            return None
        width = {"x": 2, "u": 4}.get(kind, 0)
        if width:
            digits = self._pattern[self._at + 2 : self._at + 2 + width]
            if not re.fullmatch(f"[0-9A-Fa-f]{{{width}}}", digits):
                raise self.wrong("an escape")
            self._at += 2 + width
            return chr(int(digits, 16))
        if not kind or (kind.isalnum() and kind not in _CONTROLS):
            raise self.wrong(f"'\\{kind}'")
        self._at += 2
        return _CONTROLS.get(kind, kind)

    def _item(self, depth: int) -> str:
        char = self.left
        if char == "(":
            self._at += 1
            if self.left == "?":
                if not self._pattern.startswith("?:", self._at):
                    raise self.wrong("'(?' other than '(?:'")
                self._at += 2
            inner = self.alternatives(depth + 1)
            if self.left != ")":
                raise self.wrong("a '(' without its ')'")
            self._at += 1
            return f"({inner})"
        if char == "[":
            return self._class()
        if char == ".":
            self._at += 1
            return r"[^\n]"
        self._at += 2
        return f"[{_SETS[self._pattern[self._at - 1]]}]"

    def _class(self) -> str:
        self._at += 1
        negated = self.left == "^"
        self._at += negated
        made = ""
        first = True
        while first or self.left != "]":
            if not self.left:
                raise self.wrong("a '[' without its ']'")
            first = False
            low = self._member()
            if low is None:
                made += _SETS[self._pattern[self._at + 1]]
                self._at += 2
                continue
            made += _in_class(low)
            if self.left == "-" and self._pattern[self._at + 1 : self._at + 2] not in ("]", ""):
                self._at += 1
                high = self._member()
                if high is None or high < low:
                    raise self.wrong("a range that ends before it begins")
                made += f"-{_in_class(high)}"
        self._at += 1
        return f"[{'^' if negated else ''}{made}]"

    def _member(self) -> str | None:
        if self.left == "\\":
            return self._escaped()
        self._at += 1
        return self._pattern[self._at - 1]

    def _times(self) -> str:
        char = self.left
        if char and char in "*+?":
            self._at += 1
            times = char
        elif char == "{" and (found := _COUNTED.match(self._pattern, self._at)):
            low, high = int(found[1]), found[3]
            if high is not None and int(high) < low:
                raise self.wrong("a count that ends before it begins")
            self._at = found.end()
            times = found[0]
        else:
            return ""
        if self.left == "?":  # how eager it is changes what is matched first, not what can be
            self._at += 1
        if self.left and self.left in "*+{":
            raise self.wrong("a repetition of a repetition")
        return times


def _literal(text: str) -> str:
    return '"' + "".join(_escape(char, '"\\') for char in text) + '"'


def _in_class(char: str) -> str:
    return _escape(char, "[]^-\\")


def _escape(char: str, special: str) -> str:
    code = ord(char)
    if char in special or not char.isprintable():
        if code < 0x80 and char.isprintable() and char in '"\\[]':
            return f"\\{char}"
        return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else char
    return char
