"""What is wrong with a voice, found before a player hears it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from astraweave.core.toml import TomlText, did_you_mean
from astraweave.dialogue.grammar import Grammar
from astraweave.dialogue.voice import ACTS, COMMON_FIELDS, FIELD, Variant, Voice, voice_from
from astraweave.errors import ConfigError

__all__ = ["Problem", "lint_voice", "lint_voices"]

_MIN_VARIANTS = 3
_PIECES = frozenset(["hedge", "long_ago", "opener", "tail"])
"""Acts that hold pieces of lines."""
_NAMES = frozenset(["teller", "name", "other", "me"])
"""Fields that bring their own capital."""
_SEAMS = (
    (re.compile(r"  "), "two blanks in a row"),
    (re.compile(r"(?<!\.)\.\.(?!\.)|[,;:]{2}|,\.|[?!]\.(?!\.)|\.[?!,]"), "two marks in a row"),
    (re.compile(r" [,.;!?](?!\.)"), "a blank before a mark"),
)
_LOWER_START = re.compile(r"(?:^|(?<![.…])[.!?] +)(?:[^\W\d_]|\{)")
_ENDS = re.compile(r"[.!?…][\"'“”)]*$")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something to look at in a voice.

    Attributes
    ----------
    source, line : str, int
        File and line.
    kind : str
        ``"file"``, ``"field"``, ``"seam"``, ``"duplicate"``, ``"condition"``, ``"few"`` or
        ``"uncovered"``.
    severity : str
        ``"error"``: players will notice; ``"note"``: there could be more.
    voice, act : str
        Where.
    message : str
        What is wrong and what to do.
    """

    source: str
    line: int
    kind: str
    severity: Literal["error", "note"]
    voice: str
    act: str
    message: str

    def __str__(self) -> str:
        where = f" [{self.act}]" if self.act else ""
        return f"{self.source}:{self.line}: {self.severity}:{where} {self.message}"


def lint_voices(texts: Mapping[str, str]) -> list[Problem]:
    """Check several voices, and what two of them share word for word.

    Parameters
    ----------
    texts : mapping of str to str
        File names to their TOML.
    """
    problems: list[Problem] = []
    spoken: dict[tuple[str, str], tuple[str, str]] = {}
    for source, text in texts.items():
        found = lint_voice(text, source)
        problems += found
        if any(p.kind == "file" for p in found):
            continue
        voice = voice_from(TomlText(text, source))
        lines = _Lines(text, source)
        for act, variant in _variants(voice):
            key = voice.language, _plain(variant.text)
            own = len(_plain(FIELD.sub("", variant.text)).split())
            if own < 3 or (variant.fields and own < 5):
                continue  # "No." and "You said {retold}." are everybody's
            before = spoken.setdefault(key, (voice.name, act))
            if before[0] != voice.name:
                line = lines.of(variant, act)
                message = f"{variant.text!r} is also said by {before[0]!r} ({before[1]})"
                problems.append(_problem(voice, act, line, "duplicate", "error", message))
    return problems


def lint_voice(text: str, source: str) -> list[Problem]:
    """Check one voice by itself.

    Parameters
    ----------
    text : str
        Its TOML.
    source : str
        The file's name, for messages.
    """
    try:
        voice = voice_from(TomlText(text, source))
    except ConfigError as error:
        found = error.details.get("line")
        line = found if isinstance(found, int) else 1
        message = str(error).removeprefix(f"{source}:{line}: ")
        return [
            Problem(
                source=source, line=line, kind="file", severity="error", voice="", act="",
                message=message,
            )
        ]  # fmt: skip
    lines = _Lines(text, source)
    return [*_each(voice, lines), *_repeated(voice, lines), *_missing(voice, lines)]


def _each(voice: Voice, lines: _Lines) -> Iterator[Problem]:
    grammar = Grammar.named(voice.language)
    for act, variant in _variants(voice):
        line = lines.of(variant, act)
        for kind, message in (
            *_fields(act, variant),
            *_seams(act, variant.text, grammar),
            *_conditions(act, variant),
        ):
            yield _problem(voice, act, line, kind, "error", f"{message}: {variant.text!r}")


def _fields(act: str, variant: Variant) -> Iterator[tuple[str, str]]:
    allowed = {*ACTS.get(act, "").split(), *COMMON_FIELDS}
    for name in FIELD.findall(variant.text):
        if name.lower() not in allowed:
            yield "field", f"{{{name}}} is never filled here{did_you_mean(name.lower(), allowed)}"
        elif name not in (name.lower(), name.capitalize()):
            yield "field", f"write {{{name.lower()}}} or {{{name.capitalize()}}}, not {{{name}}}"
    if re.search(r"[{}]", FIELD.sub("", variant.text)):
        yield "field", "a brace that belongs to no field"


def _seams(act: str, text: str, grammar: Grammar) -> Iterator[tuple[str, str]]:
    piece = act in {"hedge", "long_ago"}
    body = text.strip() if act == "about_more" else text
    if body != body.strip():
        yield "seam", "a blank at the beginning or end"
    for pattern, what in _SEAMS:
        if pattern.search(text):
            yield "seam", what
    if not piece:
        for match in _LOWER_START.finditer(body):
            rest = body[match.end() - 1 :]
            field = FIELD.match(rest)
            if (field and field[1].islower() and field[1] not in _NAMES) or rest[0].islower():
                shown = f"{field[0]}: write {{{field[1].capitalize()}}}" if field else rest[:12]
                yield "seam", f"a sentence begins with a small letter ({shown})"
                break
        if act not in _PIECES and act != "resume" and not _ENDS.search(body):
            yield "seam", "a line without its last mark"
    if (fixed := grammar.with_articles(text)) != text:
        yield "seam", f"an article that does not fit, compare {fixed!r}"


def _conditions(act: str, variant: Variant) -> Iterator[tuple[str, str]]:
    condition = variant.condition
    if not condition.possible:
        yield "condition", f"{condition.text!r} can never hold"
    if "teller" in variant.fields and act == "hedge" and not condition.concerns("hearsay"):
        yield "condition", "{teller} is known only under 'hearsay'"
    if act == "long_ago" and condition.concerns("certainty", "hearsay"):
        yield "condition", f"{condition.text!r} never meets 'long_ago': the act 'hedge' is taken"


def _repeated(voice: Voice, lines: _Lines) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for act, variant in _variants(voice):
        key = _plain(variant.text)
        if len(FIELD.sub("", variant.text).split()) < 2 and act not in _PIECES:
            key = f"{act} {key}"
        if act in _PIECES or len(key.split()) < 3:
            key = f"{act} {key}"
        if key in seen and (seen[key] == act or len(key.split()) > 4):
            line = lines.of(variant, act, last=seen[key] == act)
            message = f"{variant.text!r} stands twice (also in {seen[key]!r})"
            yield _problem(voice, act, line, "duplicate", "error", message)
        seen.setdefault(key, act)


def _missing(voice: Voice, lines: _Lines) -> Iterator[Problem]:
    silent = [act for act in ACTS if act not in voice.acts]
    if silent:
        parent = f"; they come from {voice.extends!r}" if voice.extends else ""
        message = f"no lines of its own for {len(silent)} acts{parent}: {', '.join(silent)}"
        yield _problem(voice, "", 1, "uncovered", "note" if parent else "error", message)
    for act, variants in voice.acts.items():
        always = sum(not v.condition.bands for v in variants)
        if always < _MIN_VARIANTS and act not in {"hedge", "long_ago"}:
            message = f"only {always} lines for any tone; below {_MIN_VARIANTS} they repeat soon"
            yield _problem(voice, act, lines.at("acts", act), "few", "note", message)


class _Lines:
    """Where a variant stands in its file."""

    def __init__(self, text: str, source: str) -> None:
        self._document = TomlText(text, source)
        self._text = text.splitlines()

    def at(self, *path: str) -> int:
        return self._document.line(*path)

    def of(self, variant: Variant, act: str, *, last: bool = False) -> int:
        """The line of a variant, from that of its act; the act's own where it is not found."""
        start = self._document.line("acts", act)
        written = variant.text.replace("\\", "\\\\").replace('"', '\\"')
        found = [n for n in range(start, len(self._text) + 1) if written in self._text[n - 1]]
        return (found[-1] if last else found[0]) if found else start


def _variants(voice: Voice) -> Iterable[tuple[str, Variant]]:
    return ((act, variant) for act, variants in voice.acts.items() for variant in variants)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def _problem(
    voice: Voice,
    act: str,
    line: int,
    kind: str,
    severity: Literal["error", "note"],
    message: str,
) -> Problem:
    return Problem(
        source=voice.source, line=line, kind=kind, severity=severity, voice=voice.name, act=act,
        message=message,
    )  # fmt: skip
