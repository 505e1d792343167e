"""The native index of words against its reference, and the stemmer against its authors' own."""

from __future__ import annotations

import contextlib
import threading

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from astraweave._native import (
    Vocabulary,
    WordShelf,
    coded_cosines,
    force_simd_tier,
    reference_index,
    score_words,
    simd_tier,
    simd_tiers,
    split_words,
    stem,
)
from astraweave._native import reference_words as reference
from astraweave.errors import InputError, UsageError

STEMS = (
    "gener commun arsen past univers later emerg organ inter run hop happi care relat hast "
    "wit skat fall sky d l add egg beat y boy toy yell by cry say enjoy consign knack"
).split()
ENDINGS = (
    "s es ed ing ly ies ied eed eedly ingly edly ying 's s' ' ational tional enci anci izer "
    "ization ation ator alism aliti alli fulness ousli ousness iveness iviti biliti bli ogi ogist "
    "fulli lessli li icate ative alize iciti ical ful ness al ance ence er ic able ible ant ement "
    "ment ent ism ate iti ous ive ize ion sion tion e l ll y ate at bl iz bb gg"
).split()
words = st.one_of(
    st.text(st.sampled_from("abcdeghilmnorstuvwxyz'"), max_size=12),
    st.builds(
        "".join,
        st.tuples(
            st.sampled_from(STEMS), st.sampled_from(["", *ENDINGS]), st.sampled_from(["", *ENDINGS])
        ),
    ),
)


@settings(max_examples=1000)
@given(word=words)
def test_stems_are_those_of_snowball(word):
    oracle = pytest.importorskip("snowballstemmer").stemmer("english")
    assert stem(word) == oracle.stemWord(word)


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_ending_on_every_beginning(ending):
    oracle = pytest.importorskip("snowballstemmer").stemmer("english")
    for beginning in STEMS:
        word = beginning + ending
        assert stem(word) == oracle.stemWord(word)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("", ""), ("as", "as"), ("rings", "ring"), ("mended", "mend"), ("ponies", "poni"),
        ("dying", "die"), ("generously", "generous"), ("skies", "sky"), ("inning", "inning"),
        ("hoping", "hope"), ("hopping", "hop"), ("relational", "relat"), ("ювелир", "ювелир"),
    ],
)  # fmt: skip
def test_some_stems(word, expected):
    assert stem(word) == expected


# Scripts of which Python's tables say the same as ours, with what parts words between them.
EUROPEAN = st.text(
    st.one_of(
        st.sampled_from("abcdeinorstyzABCENS0123456789 .,!?:'’-_\n\"\u0301\u0308"),
        st.characters(min_codepoint=0xC0, max_codepoint=0x17F),
        st.characters(min_codepoint=0x391, max_codepoint=0x3CE),
        st.characters(min_codepoint=0x410, max_codepoint=0x451),
    ).filter(lambda c: c not in "ŉſ×÷" and c != "\u03a2"),
    max_size=60,
)


@settings(max_examples=500)
@given(text=EUROPEAN)
@example(text="aÆ'a")  # three letters before the apostrophe
def test_words_of_european_text(text):
    assert split_words(text) == reference.split_words(text, stem)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My sister's naïve CAFÉ", "my sister naiv cafe"),
        ("don't l'or d’eau O'Brien 'quoted'", "dont l or d eau o brien quot"),
        ("Straße STRASSE Łódź İstanbul", "strass strass lodz istanbul"),
        ("re\u00adwrite re\u200bwrite", "rewrit rewrit"),
        ("指輪", "指 輪 指輪"),
        ("かな", "かな"),
        ("が", "が"),
        ("반지를", "반지 지를"),
        ("कुएँ में", "कुएँ में"),
        ("كِتَاب كتاب", "كتاب كتاب"),
        ("ＲＩＮＧ", "ring"),
        ("a:b c_d", "a b c d"),
        ("…!? 👑", ""),
        ("half \ud800 sign", "half sign"),
    ],
)
def test_words_of_any_text(text, expected):
    assert split_words(text) == expected.split()


@settings(max_examples=300)
@given(st.text(max_size=200))
def test_any_text_has_words_that_find_it(text):
    found = split_words(text)
    assert all(word and ":" not in word and len(word.encode()) <= 64 for word in found)
    shelf = WordShelf(Vocabulary())
    shelf.append([text, "something else"])
    scores = score_words([shelf], [(text.replace(":", " "), 1.0)])
    assert (scores[0] > 0) == bool(found)
    assert split_words(text.upper().lower()) == split_words(text.lower().upper().lower())


def test_a_word_is_cut_between_characters():
    assert split_words("б" * 500) == ["б" * 32]
    assert split_words("x" * 10_000) == ["x" * 64]


SAID = st.text(st.sampled_from("abcé:' "), max_size=20)
TERMS = st.lists(
    st.tuples(
        st.sampled_from(["by:tam", "to:mira", "a", "ab cé", "é", "about:é", ""]),
        st.sampled_from([0.0, 0.05, 0.1, 0.5, 1.0, 2.25, 40.0]),
    ),
    max_size=4,
)


class Shelves(RuleBasedStateMachine):
    """Two shelves with one vocabulary, against two lists."""

    def __init__(self) -> None:
        super().__init__()
        vocabulary = Vocabulary()
        self.native = [WordShelf(vocabulary) for _ in range(2)]
        self.model = [reference.WordShelf(split_words) for _ in range(2)]

    @rule(which=st.integers(0, 1), texts=st.lists(SAID, max_size=4), data=st.data())
    def append(self, which, texts, data):
        further = [data.draw(TERMS) for _ in texts] if data.draw(st.booleans()) else None
        self.native[which].append(texts, further)
        self.model[which].append(texts, further)

    @rule(which=st.integers(0, 1), times=st.integers(30, 90), text=SAID)
    def append_many(self, which, times, text):
        texts = [f"{text} {n % 7}" for n in range(times)]
        self.native[which].append(texts)
        self.model[which].append(texts)

    @rule(which=st.integers(0, 1), data=st.data(), text=SAID, further=TERMS)
    def replace(self, which, data, text, further):
        if len(self.native[which]):
            row = data.draw(st.integers(0, len(self.native[which]) - 1))
            self.native[which].replace(row, text, further)
            self.model[which].replace(row, text, further)

    @rule(which=st.integers(0, 1), data=st.data(), most=st.sampled_from([3, 1000]))
    def remove(self, which, data, most):
        every = list(range(len(self.native[which])))
        chosen = data.draw(st.lists(st.sampled_from(every), max_size=3)) if every else []
        rows = sorted(set(chosen)) if most == 3 else every[:: data.draw(st.integers(1, 3))]
        self.native[which].remove(rows)
        self.model[which].remove(rows)

    @invariant()
    def sizes(self):
        assert list(map(len, self.native)) == list(map(len, self.model))

    @rule(query=TERMS, together=st.booleans())
    def score(self, query, together):
        for asked in [[0, 1]] if together else [[0], [1]]:
            found = score_words([self.native[i] for i in asked], query)
            expected = reference.score_words([self.model[i] for i in asked], query)
            np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


Shelves.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestShelves = Shelves.TestCase


def test_scores_do_not_depend_on_how_the_shelf_came_to_be():
    texts = [f"the ring {n % 5} of mira {'lost ' * (n % 4)}" for n in range(300)]
    query = [("ring", 1.0), ("3", 0.5), ("lost mira", 0.7)]
    other = Vocabulary()
    WordShelf(other).append(["lost mira of 3 2 1 the ring"])  # terms have other numbers here
    plain, winding = WordShelf(Vocabulary()), WordShelf(other)
    plain.append(texts)
    for text in texts:
        winding.append(["mira was here", text])
        winding.remove([len(winding) - 2])
    for row in range(0, 300, 7):
        winding.replace(row, "another text")
        winding.replace(row, texts[row])
    assert score_words([plain], query).tobytes() == score_words([winding], query).tobytes()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s: s.append([3]), "must be a str, not int"),
        (lambda s: s.append(["a"], [[("a",)]]), "a str and its weight"),
        (lambda s: s.append(["a"], [[("a", float("nan"))]]), "finite"),
        (lambda s: s.append(["a", "b"], [[]]), "2 texts and 1 lists"),
        (lambda s: s.replace(1, "a"), "no row 1 among 1"),
        (lambda s: s.replace(-1, "a"), "no row -1"),
        (lambda s: s.remove([0, 0]), "ascend"),
        (lambda s: s.remove([1]), "no row 1"),
        (lambda s: score_words([s, WordShelf(Vocabulary())], []), "one vocabulary"),
        (lambda s: score_words([s], [("a", 1.0)], b=2.0), "b from 0 to 1"),
        (lambda s: score_words([s], [("a", float("inf"))]), "finite"),
    ],
)
def test_what_cannot_be_indexed(call, words):
    shelf = WordShelf(Vocabulary())
    shelf.append(["one"])
    with pytest.raises(InputError, match=words):
        call(shelf)
    assert len(shelf) == 1
    assert score_words([], [("a", 1.0)]).size == 0


@pytest.fixture(params=simd_tiers())
def tier(request):
    before = simd_tier()
    force_simd_tier(request.param)
    yield request.param
    force_simd_tier(before)


@pytest.mark.parametrize("dims", [1, 3, 63, 64, 65, 384, 1000])
@pytest.mark.parametrize("n", [0, 1, 5, 64, 131])
def test_cosines_of_codes(tier, dims, n):
    draw = np.random.default_rng(dims + n)
    query = draw.normal(size=dims).astype(np.float32)
    stride = -(-dims // 64) * 64
    rows = draw.integers(1, 256, size=(n, stride), dtype=np.uint8)
    scales = draw.random(n).astype(np.float32) / 1000
    scales[n // 2 :: 7] = np.nan
    found = coded_cosines(query, rows, scales)
    expected = reference_index.coded_cosines(query, rows, scales)
    lengths = np.linalg.norm(rows[:, :dims].astype(float) - 128, axis=1) * scales
    bound = lengths * np.sqrt(dims) * np.abs(query).max(initial=0) / 7688 + 1e-5
    known = ~np.isnan(scales)
    assert (np.isnan(found) == ~known).all()
    assert (np.abs(found - expected)[known] <= bound[known]).all()
    again = coded_cosines(query, rows[1:], scales[1:])
    assert found[1:].tobytes() == again.tobytes()


def test_cosines_of_a_query_of_zeros_and_one_that_is_none():
    rows, scales = np.full((2, 64), 7, np.uint8), np.ones(2, np.float32)
    assert coded_cosines(np.zeros(5), rows, scales).tolist() == [0.0, 0.0]
    assert coded_cosines(np.full(5, 1e-45), rows, scales).tolist() == pytest.approx([0, 0])
    for bad in (np.full(5, np.nan), np.full(5, np.inf), np.zeros(65), np.zeros((1, 5))):
        with pytest.raises(InputError):
            coded_cosines(bad, rows, scales)


def test_threads_that_ask_and_add_at_once():
    shelf = WordShelf(Vocabulary())
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for n in range(300):
                shelf.append([f"the ring {n} of {number}", "another"])
                with contextlib.suppress(UsageError):  # somebody was quicker
                    score_words([shelf], [("ring", 1.0)])
                shelf.remove([0])
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(shelf) == 4 * 300
