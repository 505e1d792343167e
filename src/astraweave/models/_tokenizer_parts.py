"""From the components of a ``tokenizer.json`` to what the native tokenizer is built of.

Each component that is understood is a struct with the file's own field names; anything else is a
`ConfigError` that names it. Nothing is guessed: a component that we cannot follow exactly is
refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Struct, field

from astraweave.errors import ConfigError, CorruptDataError

__all__ = [
    "AddedToken",
    "BpeModel",
    "DecoderSpec",
    "SplitSpec",
    "StepSpec",
    "WordPieceModel",
    "decoder_spec",
    "model_part",
    "normalizer_specs",
    "splitter_specs",
    "template_ids",
]

StepSpec = tuple[str, str, str]
SplitSpec = tuple[str, str, int, bool]
DecoderSpec = tuple[str, list[StepSpec], str, int, bool]

# The regular expressions that published vocabularies split by, and the scanners that do the same:
# name, digits in a group, contractions (o200k) or tiktoken's reading of the last spaces (cl100k).
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_FIRST, _SPACES = r"[^\r\n\p{L}\p{N}]?", r"\s*[\r\n]+|\s+(?!\S)|\s+"
_CL100K_TAIL = rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_SPACES}"
_O200K_TAIL = rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_SPACES}"
PATTERNS: Mapping[str, tuple[str, int, bool]] = {
    _GPT2: ("gpt2", 0, True),
    rf"{_SUFFIX}|{_FIRST}\p{{L}}+|\p{{N}}{{1,3}}{_CL100K_TAIL}": ("cl100k", 3, False),
    rf"{_SUFFIX}|{_FIRST}\p{{L}}+|\p{{N}}{_CL100K_TAIL}": ("cl100k", 1, False),
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s+\z|\s*[\r\n]|\s+(?!\S)|\s": ("cl100k", 3, True),
    rf"{_FIRST}{_UPPER}*{_LOWER}+{_SUFFIX}?|{_FIRST}{_UPPER}+{_LOWER}*{_SUFFIX}?|\p{{N}}{{1,3}}"
    + _O200K_TAIL: ("o200k", 3, True),
    rf"{_FIRST}{_UPPER}*{_LOWER}+|{_FIRST}{_UPPER}+{_LOWER}*|\p{{N}}{_O200K_TAIL}": (
        "o200k",
        1,
        False,
    ),
}
PATTERN_NAMES: Mapping[str, str] = dict(
    zip(("gpt2", "llama3", "qwen2", "cl100k_base", "o200k_base", "tekken"), PATTERNS, strict=True)
)

_MAX_NESTING = 8
_LARGEST = 2**31 - 1  # a native int
_Limit = Annotated[int, msgspec.Meta(le=_LARGEST)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=_LARGEST)]
_Part = TypeVar("_Part")


class _Typed(Struct):
    type: str | None = None


class _Untyped(Struct):
    merges: Any = None


class _Sequence(Struct):
    normalizers: list[Any] = field(default_factory=list)
    pretokenizers: list[Any] = field(default_factory=list)
    decoders: list[Any] = field(default_factory=list)
    processors: list[Any] = field(default_factory=list)


class _Pattern(Struct):
    string: str | None = field(default=None, name="String")
    regex: str | None = field(default=None, name="Regex")


class _BertNormalizer(Struct):
    clean_text: bool = True
    handle_chinese_chars: bool = True
    strip_accents: bool | None = None
    lowercase: bool = True


class _Prepend(Struct):
    prepend: str


class _Replace(Struct):
    pattern: _Pattern
    content: str


class _ByteLevel(Struct):
    add_prefix_space: bool = True
    use_regex: bool = True


class _Digits(Struct):
    individual_digits: bool = False


class _Split(Struct):
    pattern: _Pattern
    behavior: str
    invert: bool = False


class _Metaspace(Struct):
    replacement: str = "▁"
    prepend_scheme: str | None = None
    add_prefix_space: bool | None = None
    split: bool = True

    def scheme(self) -> str:
        if self.prepend_scheme is not None:
            return self.prepend_scheme.lower()
        return "never" if self.add_prefix_space is False else "always"


class _Strip(Struct):
    content: str
    start: _Count = 0
    stop: _Count = 0


class _WordPieceDecoder(Struct):
    prefix: str = "##"
    cleanup: bool = True


class AddedToken(Struct):
    """One entry of ``added_tokens``."""

    id: int
    content: str
    special: bool = False
    normalized: bool = True
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False


class BpeModel(Struct):
    """The model section of a byte-pair encoding."""

    vocab: dict[str, int]
    merges: list[str | tuple[str, str]]
    dropout: float | None = None
    unk_token: str | None = None
    continuing_subword_prefix: str | None = None
    end_of_word_suffix: str | None = None
    fuse_unk: bool = False
    byte_fallback: bool = False
    ignore_merges: bool = False

    def merge_pairs(self) -> list[tuple[str, str]]:
        """The merges as pairs; older files write them as ``"left right"``."""
        pairs = []
        for merge in self.merges:
            parts = tuple(merge.split(" ")) if isinstance(merge, str) else merge
            if len(parts) != 2:
                raise CorruptDataError(f"the merge {merge!r} is not a pair of tokens")
            pairs.append(parts)
        return pairs


class WordPieceModel(Struct):
    """The model section of a WordPiece vocabulary."""

    vocab: dict[str, int]
    unk_token: str = "[UNK]"  # noqa: S105 (not a password)
    continuing_subword_prefix: str = "##"
    max_input_chars_per_word: _Limit = 100


def part(value: Any, kind: type[_Part], what: str) -> _Part:
    """`value`, parsed or not, as a struct; or a `CorruptDataError` that says where it is wrong."""
    try:
        if isinstance(value, bytes | msgspec.Raw):
            return msgspec.json.decode(value, type=kind)
        return msgspec.convert(value, kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise CorruptDataError(f"the {what} of the tokenizer is malformed: {error}") from error


def model_part(value: Any) -> BpeModel | WordPieceModel:
    """The model section; its type is inferred where old files leave it out."""
    name = part(value, _Typed, "model").type
    if name is None:
        name = "BPE" if part(value, _Untyped, "model").merges is not None else "WordPiece"
    if name == "WordPiece":
        return part(value, WordPieceModel, "model")
    if name != "BPE":
        raise ConfigError(f"tokenizer model {name!r} is not supported (BPE, WordPiece)", model=name)
    model = part(value, BpeModel, "model")
    for option in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if setting := getattr(model, option):
            raise ConfigError(f"BPE with {option}={setting!r} is not supported", option=option)
    return model


def _unsupported(what: str, name: object) -> ConfigError:
    return ConfigError(f"tokenizer {what} {name!r} is not supported", component=name)


def _type_and_nested(value: Any, what: str, depth: int) -> tuple[str | None, _Sequence]:
    if depth > _MAX_NESTING:
        raise CorruptDataError(f"the {what} of the tokenizer is nested too deeply")
    name = part(value, _Typed, what).type
    nested = part(value, _Sequence, what) if name == "Sequence" else _Sequence()
    return name, nested


def normalizer_specs(value: Any, depth: int = 0) -> list[StepSpec]:
    """The normalising steps, in order."""
    if value is None:
        return []
    what = "normalizer"
    name, nested = _type_and_nested(value, what, depth)
    match name:
        case "Sequence":
            return [s for item in nested.normalizers for s in normalizer_specs(item, depth + 1)]
        case "BertNormalizer":
            bert = part(value, _BertNormalizer, what)
            strips = bert.lowercase if bert.strip_accents is None else bert.strip_accents
            names = ["clean_text"] * bert.clean_text + ["space_cjk"] * bert.handle_chinese_chars
            names += ["nfd", "strip_bert_accents"] * strips + ["lowercase"] * bert.lowercase
            return [(step, "", "") for step in names]
        case "NFC" | "NFD" | "Lowercase":
            return [(name.lower(), "", "")]
        case "StripAccents":
            return [("strip_accents", "", "")]
        case "Prepend":
            return [("prepend", "", part(value, _Prepend, what).prepend)]
        case "Replace":
            return [_replacement(value, what)]
    raise _unsupported(what, name)


def _replacement(value: Any, what: str) -> StepSpec:
    replace = part(value, _Replace, what)
    if not replace.pattern.string:
        raise ConfigError(
            f"tokenizer {what} Replace with the pattern {replace.pattern.regex!r} is not supported",
            component="Replace",
        )
    return ("replace", replace.pattern.string, replace.content)


def splitter_specs(value: Any, depth: int = 0) -> tuple[list[SplitSpec], bool]:
    """The splitting steps, in order, and whether the model works on bytes."""
    if value is None:
        return [], False
    what = "pre-tokenizer"
    name, nested = _type_and_nested(value, what, depth)
    match name:
        case "Sequence":
            steps: list[SplitSpec] = []
            byte_level = False
            for item in nested.pretokenizers:
                if byte_level:
                    raise _unsupported(what, "ByteLevel before another pre-tokenizer")
                more, byte_level = splitter_specs(item, depth + 1)
                steps += more
            return steps, byte_level
        case "ByteLevel":
            level = part(value, _ByteLevel, what)
            prefix: list[SplitSpec] = [("prefix_space", "", 0, False)] * level.add_prefix_space
            return prefix + [("gpt2", "", 0, True)] * level.use_regex, True
        case "Digits":
            return [("digits", "", 0, part(value, _Digits, what).individual_digits)], False
        case "BertPreTokenizer":
            return [("bert", "", 0, False)], False
        case "WhitespaceSplit":
            return [("whitespace", "", 0, False)], False
        case "Metaspace":
            space = part(value, _Metaspace, what)
            if (scheme := space.scheme()) not in (schemes := ["never", "first", "always"]):
                raise _unsupported(what, f"Metaspace with prepend_scheme {scheme}")
            return [("metaspace", space.replacement, schemes.index(scheme), space.split)], False
        case "Split":
            return [_split(part(value, _Split, what))], False
    raise _unsupported(what, name)


def _split(split: _Split) -> SplitSpec:
    behaviours = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext"]
    if split.pattern.string and split.behavior in behaviours and not split.invert:
        return ("literal", split.pattern.string, behaviours.index(split.behavior), False)
    # The known expressions match every character, so that their matches are all of the pieces.
    keeps_matches = (split.behavior, split.invert) in {("Isolated", False), ("Removed", True)}
    known = PATTERNS.get(split.pattern.regex or "")
    if known is None or not keeps_matches:
        raise ConfigError(
            f"tokenizer pre-tokenizer Split with the pattern "
            f"{split.pattern.regex or split.pattern.string!r} ({split.behavior}, "
            f"invert={split.invert}) is not supported",
            component="Split",
            pattern=split.pattern.regex,
        )
    scanner, digits, switch = known
    return (scanner, "", digits, switch)


def decoder_spec(value: Any) -> DecoderSpec:
    """How tokens become text."""
    if value is None:
        return ("join", [], "", 0, False)
    what = "decoder"
    name, nested = _type_and_nested(value, what, 0)
    if name == "Sequence" and len(nested.decoders) == 1:
        return decoder_spec(nested.decoders[0])
    match name:
        case "Sequence":
            return _fallback_decoder(nested.decoders, what)
        case "ByteLevel":
            return ("byte_level", [], "", 0, False)
        case "WordPiece":
            piece = part(value, _WordPieceDecoder, what)
            return ("wordpiece", [], piece.prefix, 0, piece.cleanup)
        case "Metaspace":
            space = part(value, _Metaspace, what)
            return ("metaspace", [], space.replacement, 0, space.scheme() != "never")
        case "ByteFallback" | "Fuse" | "Replace":
            return _fallback_decoder([value], what)
    raise _unsupported(what, name)


def _fallback_decoder(steps: list[Any], what: str) -> DecoderSpec:
    """Replace*, ByteFallback?, Fuse?, Strip? in this order: SentencePiece's decoders."""
    replacements: list[StepSpec] = []
    strip = _Strip("", 0, 0)
    order = ["Replace", "ByteFallback", "Fuse", "Strip"]
    names = [part(step, _Typed, what).type for step in steps]
    ranks = [order.index(name) if name in order else -1 for name in names]
    if -1 in ranks:
        raise _unsupported(what, names[ranks.index(-1)])
    if ranks != sorted(ranks) or ("Strip" in names and "Fuse" not in names):
        raise _unsupported(what, " > ".join(map(str, names)))
    for step, name in zip(steps, names, strict=True):
        if name == "Replace":
            replacements.append(_replacement(step, what))
        elif name == "Strip":
            strip = part(step, _Strip, what)
            if strip.stop or len(strip.content) != 1:
                raise _unsupported(what, f"Strip of {strip.content!r} from the end")
    return ("fallback", replacements, strip.content, strip.start, "ByteFallback" in names)


class _Piece(Struct):
    id: str | int
    type_id: int = 0


class _TemplateItem(Struct):
    special: _Piece | None = field(default=None, name="SpecialToken")
    sequence: _Piece | None = field(default=None, name="Sequence")


class _TemplateToken(Struct):
    ids: list[int]


class _Template(Struct):
    single: list[_TemplateItem]
    special_tokens: dict[str, _TemplateToken]


class _Pair(Struct):
    sep: tuple[str, int]
    cls: tuple[str, int]


def template_ids(value: Any, depth: int = 0) -> tuple[list[int], list[int]]:
    """The ids that a post-processor puts before and after one text."""
    if value is None:
        return [], []
    what = "post-processor"
    name, nested = _type_and_nested(value, what, depth)
    match name:
        case "Sequence":
            before: list[int] = []
            after: list[int] = []
            for item in nested.processors:
                more_before, more_after = template_ids(item, depth + 1)
                before, after = more_before + before, after + more_after
            return before, after
        case "ByteLevel":
            return [], []
        case "BertProcessing" | "RobertaProcessing":
            pair = part(value, _Pair, what)
            return [pair.cls[1]], [pair.sep[1]]
        case "TemplateProcessing":
            return _template(part(value, _Template, what))
    raise _unsupported(what, name)


def _template(template: _Template) -> tuple[list[int], list[int]]:
    sides: tuple[list[int], list[int]] = ([], [])
    seen = 0
    for item in template.single:
        if item.sequence is not None:
            seen += 1
        elif item.special is not None:
            token = template.special_tokens.get(str(item.special.id))
            if token is None:
                raise CorruptDataError(
                    f"the post-processor names the token {item.special.id!r} and does not define it"
                )
            sides[min(seen, 1)].extend(token.ids)
    if seen != 1:
        raise CorruptDataError("the post-processor's template for one text does not hold one text")
    return sides
