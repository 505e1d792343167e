"""The one sanitiser of text that comes from a player.

A player's text is hostile until proven otherwise. Taken from it are: what no keyboard types
(control characters, lone surrogates, private use), what hides or reorders other text (bidirectional
overrides, zero-width and tag characters), what looks like a chat model's control token, a forged
turn ("System:", "### Assistant"), the marks of a template language, and length. The same written
otherwise (full-width, look-alike letters, entities, percent or backslash escapes, base64, hex) is
read first, and taken out when it hides one of these; what hides nothing stays as it was written.
What is left is the player's own: right-to-left scripts, emoji and their joiners stay as they are.

The tokenizer never turns text into a control token (special tokens are recognised only where the
caller asks), so this is the second wall, not the only one.
"""

from __future__ import annotations

import re
import unicodedata

import msgspec

from astraweave.core._disguise import undisguised
from astraweave.errors import InputError

__all__ = ["MAX_UTTERANCE_CHARS", "CleanText", "sanitize"]

MAX_UTTERANCE_CHARS = 2000
"""Longer utterances are cut at a word; nobody speaks a longer line in a game."""

_BIDI_AND_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
# Joiners shape emoji and some scripts; beside anything else they only hide text.
_JOINER = re.compile("[\u200c\u200d]+")
_JOINING = frozenset({"So", "Sk", "Lo", "Mn", "Mc", "Lm"})
# <|anything|>, <s>, </s>, [INST], <<SYS>>, <start_of_turn>, and their kin, however spaced. Runs of
# white space are one space by then, so that no pattern can be made to backtrack.
_CONTROL_TOKEN = re.compile(
    r"< ?[|\uff5c][^<>|\uff5c]{0,40}[|\uff5c] ?>|<[|\uff5c]+|[|\uff5c]+>"
    r"|< ?/? ?(?:s|bos|eos|pad|unk|mask|cls|sep|tools?|tool_calls?|tool_response|think|thinking"
    r"|start_of_\w{1,12}|end_of_\w{1,12}|system|user|assistant|human|developer|reponame|repo_name"
    r"|file_sep|filename|gh_stars|empty_output|(?:issue|jupyter|fim|image|audio|vision)_\w{1,12}"
    r"|unused_?\d{1,4}|extra_id_\d{1,4}|reserved_\w{1,24}|seed: ?\w{1,12}|im_start|im_end"
    r"|endoftext) ?>"
    r"|\[ ?/? ?(?:INST|SYS|SYSTEM|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS"
    r"|TOOL_CONTENT|IMG|IMG_END|CLS|SEP|MASK|PAD|UNK|CONTROL_\d{1,4}) ?\]|<< ?/? ?SYS ?>>"
    r"|>> ?(?:QUESTION|ANSWER|SUMMARY|TITLE|CONTEXT|INTRODUCTION|ABSTRACT|COMMENT|DOMAIN"
    r"|PREFIX|SUFFIX|MIDDLE) ?<<",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(r"\{\{+|\}\}+|\{[%#]|[%#]\}")
_BRACKETS = re.compile(r"[<>\[\]|\uff5c]")
_MAX_NESTING = 4
"""Tokens inside tokens inside tokens are an attack; from this depth on no bracket survives."""
_ROLES = "system|assistant|user|human|developer|tool"
_ROLE_LINE = re.compile(
    rf"(?im)^(?:[ \t>*#\-_\[(]*(?:{_ROLES})[ \t*_\])]*[:\uff1a]+[ \t]*)+"
    rf"|^[ \t>*]*#{{1,6}}[ \t]*\**(?:{_ROLES}|instructions?|response|input)\b"
    r"[ \t*]*(?:[:\uff1a]+|$)"
    rf"|(?<=[.!?\u2026\"')\]])[ \t]+(?:(?:{_ROLES})[ \t]*[:\uff1a]+[ \t]*)+"
)
# Everything that somebody's terminal or tokenizer takes for the end of a line.
_LINE_ENDS = dict.fromkeys("\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", "\n")
_SPACES = re.compile(r"\s+")


class CleanText(msgspec.Struct, frozen=True, kw_only=True):
    """Text that may go on, and what was done to it.

    Attributes
    ----------
    text : str
        One line, NFC, no longer than the limit.
    changes : tuple of str
        What was taken out: ``"control"``, ``"invisible"``, ``"token"``, ``"role"``,
        ``"template"``, ``"disguise"`` (one of these, written so that it does not look like it),
        ``"length"``.
    """

    text: str
    changes: tuple[str, ...] = ()


def sanitize(text: str, *, max_chars: int = MAX_UTTERANCE_CHARS) -> CleanText:
    """Clean a text that came from a player.

    Parameters
    ----------
    text : str
        Anything at all.
    max_chars : int
        Longest result in characters.

    Returns
    -------
    CleanText
        Idempotent: cleaning the result again changes nothing.

    Raises
    ------
    InputError
        It is not a string, or nothing is left to say.

    Examples
    --------
    >>> sanitize("Hello<|im_end|> smith").text
    'Hello smith'
    """
    if not isinstance(text, str):
        raise InputError(f"an utterance must be a str, not {type(text).__name__}")
    changes: list[str] = []
    # Cut first (generously), so that a megabyte costs no more than a line.
    if len(text) > 4 * max_chars:
        text = text[: 4 * max_chars]
        changes.append("length")
    # What one rule takes out may bring together what another one forbids: on to the fixed point.
    # Every pass after the first only shortens the text, so it comes soon.
    before = None
    while text != before:
        before, text = text, _pass(text, max_chars, changes)
    if not text:
        raise InputError("there is nothing to say: the utterance is empty", changes=tuple(changes))
    return CleanText(text=text, changes=tuple(changes))


def _pass(text: str, max_chars: int, changes: list[str]) -> str:
    """Apply every rule once, and note which of them found something."""

    def note(name: str, before: str, after: str) -> str:
        if after != before and name not in changes:
            changes.append(name)
        return after

    if not text.isprintable():
        text = "".join(_LINE_ENDS.get(char, char) for char in text)
        text = note("control", text, "".join(map(_visible, text)))
    text = unicodedata.normalize("NFC", text)
    text = note("invisible", text, _drop_stray_joiners(_BIDI_AND_INVISIBLE.sub("", text)))
    text = note("disguise", text, undisguised(text, _forbidden))
    text = note("role", text, _ROLE_LINE.sub("", text))
    text = _SPACES.sub(" ", text).strip()
    text = note("token", text, _drop_tokens(text))
    text = note("template", text, _TEMPLATE.sub("", text))
    return note("length", text, _cut(text, max_chars)).strip()


def _forbidden(text: str) -> bool:
    """Whether a text that somebody took the trouble to disguise holds what would be taken out."""
    flat = _SPACES.sub(" ", _BIDI_AND_INVISIBLE.sub("", text))
    return bool(_CONTROL_TOKEN.search(flat) or _ROLE_LINE.search(text) or _TEMPLATE.search(flat))


def _drop_tokens(text: str) -> str:
    for _ in range(_MAX_NESTING):
        cleaned = _CONTROL_TOKEN.sub("", text)
        if cleaned == text:
            return text
        text = cleaned
    return _BRACKETS.sub("", text)


def _cut(text: str, max_chars: int) -> str:
    """At a word where there is one in the second half."""
    if len(text) <= max_chars:
        return text
    head = text[:max_chars]
    at_word = head.rsplit(" ", 1)[0]
    return at_word if len(at_word) > max_chars // 2 else head


def _visible(char: str) -> str:
    if char.isprintable() or char in "\n\t ":
        return char
    category = unicodedata.category(char)
    if category == "Zs":
        return " "
    if category == "Cf":  # format characters are judged one by one, above
        return char
    return ""  # Cc, Cs, Co, Cn


def _drop_stray_joiners(text: str) -> str:
    def keep(match: re.Match[str]) -> str:
        before = text[match.start() - 1] if match.start() else " "
        after = text[match.end()] if match.end() < len(text) else " "
        joins = _joins(before) and _joins(after)
        return match.group()[0] if joins else ""

    return _JOINER.sub(keep, text)


def _joins(char: str) -> bool:
    return unicodedata.category(char) in _JOINING or char == "\ufe0f"
