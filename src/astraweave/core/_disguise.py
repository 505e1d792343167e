"""Text written so that a filter does not see what a reader does."""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Callable
from urllib.parse import unquote

__all__ = ["folded", "undisguised"]

_ROUNDS = 4
"""An encoding of an encoding of an encoding: further down nothing reads it back either."""

# Letters of other scripts that look like those of the words that make a turn or a token.
_ALIKE = str.maketrans(
    dict(
        zip(
            "\u0430\u0441\u0435\u0456\u043e\u0440\u0455\u0443\u0445\u043c\u0442\u043d\u0501\u051b\u0501\u04cf"
            "\u0410\u0421\u0415\u0406\u041e\u0420\u0405\u0423\u0425\u041c\u0422\u041d"
            "\u03b1\u03bf\u03c1\u03b9\u03c5\u03bd\u0391\u0395\u0399\u039c\u039d\u039f\u03a1\u03a4\u03a5\u0251\u0261\u0131\u0570\u057d",
            "aceiopsyxmthdqdlACEIOPSYXMTHaopiuvAEIMNOPTYagihu",
            strict=True,
        )
    )
    | dict.fromkeys("\u2039\u3008\u2329\u27e8\u276c\u02c2\u1438\u29fc\ufe64\ufe3f", "<")
    | dict.fromkeys("\u203a\u3009\u232a\u27e9\u276d\u02c3\u1433\u29fd\ufe65\ufe40", ">")
    | dict.fromkeys("\u01c0\u2223\u2502\u2503\u2758\u23d0\u00a6\u05c0\u2016\u2551\u2225\uffe8", "|")
    | dict.fromkeys("\u3010\u3014\u27e6\u301a\u2772", "[")
    | dict.fromkeys("\u3011\u3015\u27e7\u301b\u2773", "]")
    | dict.fromkeys("\u2236\ua789\u05c3\u02d0\u0589\ufe55\u1361", ":")
    | dict.fromkeys("\u2774\ufe5b", "{")
    | dict.fromkeys("\u2775\ufe5c", "}")
    | dict.fromkeys("\u066a\ufe6a", "%")
    | dict.fromkeys("\u02cd\u2017\ufe4d\ufe4e\ufe4f\u203f", "_")
)
_BACKSLASH = re.compile(
    r"\\(?:u\{([0-9a-fA-F]{1,6})\}|[uU]([0-9a-fA-F]{4,8})|x([0-9a-fA-F]{2})|([0-7]{3}))"
)
_ESCAPED = re.compile(r"&#?\w{2,8};?|%[0-9a-fA-F]{2}|\\[uUx0-7]")
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-]{8,}={1,2}|[A-Za-z0-9+/_\-]{14,}")
_HEX = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2}[ :,]?){6,})")
_DIGIT = re.compile(r"[0-9]")
_SHORTEST = 9
_MAX_BLOBS = 32


def undisguised(text: str, forbidden: Callable[[str], bool]) -> str:
    """The text in plain letters if it hides what is forbidden; otherwise as it was.

    Parameters
    ----------
    text : str
        One or more lines.
    forbidden : callable
        Whether a plain text holds what may not come in.
    """
    text = _without_blobs(text, forbidden)
    if text.isascii() and not _ESCAPED.search(text):
        return text
    plain = folded(text)
    if plain == text or not forbidden(plain) or forbidden(text):
        return text
    return plain


def folded(text: str) -> str:
    """Escapes read, look-alikes as the letters that they look like, accents taken off."""
    for _ in range(_ROUNDS):
        before = text
        if _ESCAPED.search(text):
            text = _BACKSLASH.sub(_character, unquote(html.unescape(text)))
        if not text.isascii():
            text = unicodedata.normalize("NFKD", text.translate(_ALIKE))
            text = "".join(char for char in text if unicodedata.category(char) not in _SILENT)
        if text == before:
            break
    return text


_SILENT = frozenset({"Mn", "Me", "Cf", "Co", "Cs"})


def _character(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    code = int(digits, 16) if digits else int(match[4], 8)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else ""


def _without_blobs(text: str, forbidden: Callable[[str], bool]) -> str:
    """Without runs of base64 or hex that decode to what is forbidden."""
    # Most lines have no word long enough for the one, or no digit, which "<" in hex would need.
    searched = []
    if max(map(len, text.split()), default=0) >= _SHORTEST:
        searched.append((_BASE64, _from_base64))
    if _DIGIT.search(text):
        searched.append((_HEX, _from_hex))
    for pattern, decode in searched:
        for match in list(pattern.finditer(text))[:_MAX_BLOBS]:
            decoded = decode(match)
            if decoded and (forbidden(decoded) or forbidden(folded(decoded))):
                text = text.replace(match.group(), "")
    return text


def _from_base64(match: re.Match[str]) -> str:
    run = match.group().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(run + "=" * (-len(run) % 4))
    except (ValueError, binascii.Error):
        return ""
    return _readable(raw)


def _from_hex(match: re.Match[str]) -> str:
    return _readable(bytes.fromhex(re.sub("[ :,]", "", match.group(1))))


def _readable(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return ""
