"""Writes unicode_tables.cpp: the character classes that scanners and normalisers use.

A tokenizer is right when it splits as the one that its model was trained with, so the classes are
*measured* from the reference implementation (the PyPI package ``tokenizers``), which mixes several
Unicode versions, and not taken from one version of the Unicode database. The file says which
release was measured. Run it again when a new release should be followed::

    python csrc/tokens/make_unicode_tables.py
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

TARGET = Path(__file__).with_name("unicode_tables.cpp")
CODE_POINTS = [cp for cp in range(0x110000) if not 0xD800 <= cp < 0xE000]
CHUNKS = [CODE_POINTS[at : at + 4096] for at in range(0, len(CODE_POINTS), 4096)]


def matching(pattern: str) -> set[int]:
    """Code points that match a regular expression's class."""
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    return {
        ord(char)
        for chunk in CHUNKS
        for piece, _ in split.pre_tokenize_str("".join(map(chr, chunk)))
        for char in piece
    }


def isolated(splitter: pre_tokenizers.PreTokenizer) -> set[int]:
    """Code points that a pre-tokenizer sets apart from the letters around them."""
    return {
        ord(piece)
        for chunk in CHUNKS
        for piece, _ in splitter.pre_tokenize_str("a" + "a".join(map(chr, chunk)) + "a")
        if len(piece) == 1
    } - {ord("a")}


def turned_into(normalizer: normalizers.Normalizer, expected: Callable[[str], str]) -> set[int]:
    """Code points of which a normaliser makes what is expected."""
    return {cp for cp in CODE_POINTS if normalizer.normalize_str(chr(cp)) == expected(chr(cp))}


def word_characters() -> set[int]:
    r"""The ``\w`` that decides whether a `single_word` token stands alone."""
    tokenizer = Tokenizer(models.WordLevel({"u": 0}, unk_token="u"))  # noqa: S106
    tokenizer.add_tokens([AddedToken("qz", single_word=True, normalized=False)])
    words: set[int] = set()
    for chunk in CHUNKS:
        text = "".join(f"qz{chr(cp)} " for cp in chunk)
        encoding = tokenizer.encode(text)
        found = {
            start
            for piece, (start, _) in zip(encoding.tokens, encoding.offsets, strict=True)
            if piece == "qz"
        }
        words.update(cp for at, cp in enumerate(chunk) if at * 4 not in found)
    return words


def bert(**switch: bool) -> normalizers.Normalizer:
    """BERT's normaliser with nothing but the named switches on."""
    off = {
        "clean_text": False,
        "handle_chinese_chars": False,
        "strip_accents": False,
        "lowercase": False,
    }
    return normalizers.BertNormalizer(**(off | switch))


def mappings(normalizer: normalizers.Normalizer) -> dict[int, str]:
    """What a normaliser makes of each code point that it changes."""
    return {
        cp: mapped for cp in CODE_POINTS if (mapped := normalizer.normalize_str(chr(cp))) != chr(cp)
    }


def combining_classes() -> dict[int, int]:
    """Canonical combining classes, of those characters that the reference reorders."""
    nfd = normalizers.NFD()
    classes = {}
    for cp in CODE_POINTS:
        char, known = chr(cp), unicodedata.combining(chr(cp))
        if nfd.normalize_str(char) != char:
            continue
        after_240, before_1 = f"a\u0345{char}", f"a{char}\u0334"
        reordered = (
            nfd.normalize_str(after_240) != after_240,
            nfd.normalize_str(before_1) != before_1,
        )
        if reordered == (0 < known < 240, known > 1) and known:
            classes[cp] = known
        elif any(reordered):
            raise SystemExit(f"U+{cp:04X}: its combining class is newer than this Python's tables")
    return classes


def compositions(decompositions: dict[int, str]) -> dict[tuple[int, int], int]:
    """The pairs that NFC joins, Hangul apart."""
    nfc, nfd_inverse = normalizers.NFC(), {}
    for cp in decompositions:
        if 0xAC00 <= cp < 0xD7A4:
            continue
        direct = unicodedata.decomposition(chr(cp))
        parts = [int(part, 16) for part in direct.split() if not part.startswith("<")]
        if len(parts) == 2 and nfc.normalize_str(chr(parts[0]) + chr(parts[1])) == chr(cp):
            nfd_inverse[parts[0], parts[1]] = cp
    return nfd_inverse


def flags(lower: Iterable[int], nfd: Iterable[int]) -> list[tuple[int, int]]:
    """Runs of equal flags as (first code point, flags), in the order of `Flag` in unicode.hpp."""
    classes = [
        matching(r"\p{L}"),
        matching(r"\p{N}"),
        matching(r"\s"),
        matching(r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"),
        matching(r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"),
        isolated(pre_tokenizers.Digits(individual_digits=True)),
        isolated(pre_tokenizers.BertPreTokenizer()),
        turned_into(bert(clean_text=True), lambda char: ""),
        turned_into(bert(clean_text=True), lambda char: " "),
        turned_into(normalizers.StripAccents(), lambda char: ""),
        turned_into(bert(handle_chinese_chars=True), lambda char: f" {char} "),
        word_characters(),
        set(lower),
        set(nfd),
        turned_into(bert(strip_accents=True), lambda char: ""),
    ]
    table = [0] * 0x110000
    for bit, members in enumerate(classes):
        for cp in members:
            table[cp] |= 1 << bit
    runs = []
    for cp, value in enumerate(table):
        if not runs or runs[-1][1] != value:
            runs.append((cp, value))
    return runs


def rows(items: Iterable[str]) -> str:
    """Initialisers, as many a line as fit."""
    lines, line = [], " "
    for item in items:
        if len(line) + len(item) > 98:
            lines.append(line)
            line = " "
        line += f" {item},"
    return "\n".join([*lines, line])


def mapping_rows(table: dict[int, str]) -> str:
    """Initialisers of `CharMapping`."""

    def row(cp: int, text: str) -> str:
        points = [ord(char) for char in text]
        if len(points) > 4:
            raise SystemExit(f"U+{cp:04X} becomes {len(points)} characters; CharMapping holds 4")
        return f"{{0x{cp:X}, {{{', '.join(f'0x{point:X}' for point in points)}}}}}"

    return rows(row(cp, text) for cp, text in sorted(table.items()))


def main() -> None:
    """Measure everything and write the file."""
    lower = mappings(normalizers.Lowercase())
    nfd = mappings(normalizers.NFD())
    decompositions = {cp: text for cp, text in nfd.items() if not 0xAC00 <= cp < 0xD7A4}
    runs = flags(lower, nfd)
    sections = [
        ("FlagRun", "kFlagRuns", rows(f"{{0x{cp:X}, 0x{value:X}}}" for cp, value in runs)),
        ("CharMapping", "kLowercase", mapping_rows(lower)),
        ("CharMapping", "kDecompositions", mapping_rows(decompositions)),
        (
            "CombiningClass",
            "kCombiningClasses",
            rows(f"{{0x{cp:X}, {value}}}" for cp, value in sorted(combining_classes().items())),
        ),
        (
            "Composition",
            "kCompositions",
            rows(
                f"{{0x{a:X}, 0x{b:X}, 0x{cp:X}}}"
                for (a, b), cp in sorted(compositions(nfd).items())
            ),
        ),
    ]
    text = [
        "// Written by make_unicode_tables.py; do not edit.",
        f"// Measured from tokenizers {tokenizers.__version__} (combining classes and composition",
        f"// pairs: those of Unicode {unicodedata.unidata_version} that it follows).",
        '#include "tokens/unicode_tables.hpp"',
        "",
        "namespace astraweave::tokens::tables {",
        "",
        "// clang-format off",
    ]
    for kind, name, body in sections:
        text += [
            f"static const {kind} {name}Data[] = {{",
            body,
            "};",
            f"const std::span<const {kind}> {name}({name}Data);",
            "",
        ]
    text += ["// clang-format on", "}  // namespace astraweave::tokens::tables", ""]
    TARGET.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
