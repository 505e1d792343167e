"""The prompt cache: keys, ends of life, tags, files, threads, and what admission is worth."""

from __future__ import annotations

import struct
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave._native import PromptCache as Engine
from astraweave._native import reference_cache as reference
from astraweave.core.clock import ManualClock
from astraweave.errors import (
    ConfigError,
    CorruptDataError,
    FormatVersionError,
    InputError,
    StorageError,
    UsageError,
)
from astraweave.llm import Choice, GenerationRequest, Message, Regex, SamplingParams, Tool
from astraweave.serving import PromptCache, normalize_line, request_key

ASK = GenerationRequest(messages=(Message("system", "You are Tam."), Message("user", "Hello")))


def test_an_answer_comes_back_as_it_was_put():
    cache = PromptCache()
    assert cache.put("key", "Ahoj! ä€😀")
    assert cache.put(b"\xff\x00", b"\x00\xfe")
    assert cache.get("key") == cache.get(b"key") == "Ahoj! ä€😀"
    assert cache.get(b"\xff\x00") == b"\x00\xfe"
    assert cache.get("other") is None
    assert (cache.stats.hits, cache.stats.misses, cache.stats.hit_rate) == (3, 1, 0.75)
    assert "2 answers" in repr(cache)


@pytest.mark.parametrize("wrong", [1, None, ["key"], "\ud800"])
def test_what_is_no_text_is_refused(wrong):
    cache = PromptCache()
    for call in (
        lambda: cache.get(wrong),
        lambda: cache.put(wrong, "x"),
        lambda: cache.put("x", wrong),
        lambda: cache.put("x", "y", tag=wrong),
        lambda: cache.remove(wrong),
        lambda: cache.invalidate(wrong),
    ):
        with pytest.raises(InputError, match=r"must be str or bytes|half a character"):
            call()
    assert len(cache) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"max_bytes": 100},
        {"max_bytes": -1},
        {"max_bytes": 1.5},
        {"ttl_s": 0.0},
        {"ttl_s": float("nan")},
        {"ttl_s": float("inf")},
        {"admission": "fifo"},
        {"shards": 3},
        {"shards": 128},
        {"seed": 2**64},
    ],
)
def test_wrong_options_are_named(options):
    with pytest.raises(ConfigError):
        PromptCache(**options)


def test_the_engine_checks_what_it_is_given():
    engine = Engine(1 << 20)
    with pytest.raises(InputError):
        engine.get("key")
    with pytest.raises(InputError):
        engine.get("key", float("nan"))
    with pytest.raises(TypeError):
        engine.get("key", "now")
    with pytest.raises(InputError):
        engine.put("key", "value", 0.0, None)
    with pytest.raises(UsageError):
        Engine.get(Engine.__new__(Engine), "key", 0.0)
    assert Engine.ENTRY_OVERHEAD == reference.PromptCache.ENTRY_OVERHEAD


def test_answers_end_in_game_time():
    clock = ManualClock(100.0)
    cache = PromptCache(clock=clock, ttl_s=10.0)
    cache.put("a", "1")
    cache.put("b", "2", ttl_s=50.0)
    clock.advance(10.0)
    assert cache.get("a") is None
    assert cache.get("b") == "2"
    clock.set(50.0)  # an older save: the answer was given in a future that may never be
    assert cache.get("b") is None
    assert cache.stats.expired == 2
    with pytest.raises(InputError):
        cache.put("a", "1", ttl_s=-1.0)
    cache.put("c", "3")
    clock.advance(20.0)
    assert cache.purge() == 1


def test_answers_of_a_tag_go_together():
    cache = PromptCache()
    for index in range(50):
        cache.put(f"{index}", "x", tag=f"world-{index % 2}")
    assert cache.invalidate("world-0") == 25
    assert cache.invalidate("world-0") == 0
    assert len(cache) == 25
    assert cache.remove("1")
    assert not cache.remove("1")
    cache.clear()
    assert (len(cache), cache.stats.bytes, cache.stats.invalidated) == (0, 0, 26)


def test_bytes_never_exceed_the_cap_and_what_is_too_large_is_rejected():
    cache = PromptCache(max_bytes=200_000, shards=4)
    assert cache.max_entry_bytes == 50_000
    cache.put("big", "small")
    assert not cache.put("big", "x" * 50_000)
    assert cache.get("big") is None
    for index in range(2_000):
        cache.put(f"{index}", "x" * (index % 700))
        assert cache.stats.bytes <= 200_000
    assert cache.stats.evictions > 0


# --- keys -------------------------------------------------------------------------------------


def test_everything_that_changes_the_answer_is_in_the_key():
    requests = [
        ASK,
        GenerationRequest(messages=ASK.messages[1:]),
        GenerationRequest(messages=(Message("system", "You are Tam.Hello"), Message("user", ""))),
        GenerationRequest(messages=(*ASK.messages, Message("assistant", "Hi"))),
        GenerationRequest(messages=(Message("user", "You are Tam."), Message("user", "Hello"))),
        GenerationRequest(messages=ASK.messages, prefix="Well,"),
        GenerationRequest(messages=ASK.messages, prefix="Well, "),
        GenerationRequest(messages=ASK.messages, max_tokens=65),
        GenerationRequest(messages=ASK.messages, stop=("a", "b")),
        GenerationRequest(messages=ASK.messages, stop=("ab",)),
        GenerationRequest(messages=ASK.messages, constraint=Choice(options=("a", "b"))),
        GenerationRequest(messages=ASK.messages, constraint=Choice(options=("ab",))),
        GenerationRequest(messages=ASK.messages, constraint=Regex(pattern="ab")),
        GenerationRequest(messages=ASK.messages, tools=(Tool(name="ab"),)),
        *(
            GenerationRequest(messages=ASK.messages, sampling=SamplingParams(**{name: value}))
            for name, value in [
                ("temperature", 0.0),
                ("top_k", 41),
                ("top_p", 0.9),
                ("min_p", 0.1),
                ("repetition_penalty", 1.0),
                ("seed", 0),
                ("seed", 1),
            ]
        ),
    ]
    keys = {request_key(request, model="m") for request in requests}
    keys |= {
        request_key(ASK, model="n"),
        request_key(ASK, model="m", grammar="g"),
        request_key(ASK, model="m", tools=("a", "b")),
        request_key(ASK, model="m", tools=("ab",)),
        request_key(ASK, model="m", world_version=1),
        request_key(ASK, model="m", world_version="1"),
    }
    assert len(keys) == len(requests) + 6
    asked_by_another = GenerationRequest(
        messages=ASK.messages, owner="tam", priority="low", use="quest"
    )
    assert request_key(asked_by_another, model="m") == request_key(ASK, model="m")


def test_a_key_needs_whole_characters_and_a_list_of_tools():
    with pytest.raises(InputError):
        request_key(GenerationRequest(messages=(Message("user", "\ud800"),)), model="m")
    with pytest.raises(InputError):
        request_key(ASK, model="m", tools="draw")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Hello", " Hello \t", True),
        ("a  b", "a b", True),
        ("a\tb", "a b", True),
        ("a\r\nb\rc", "a\nb\nc", True),
        ("e\u0301", "\u00e9", True),
        ("a\nb", "a b", False),
        ("Hello", "hello", False),
        ("Hello.", "Hello", False),
        ("\ufb01", "fi", False),
    ],
)
def test_lines_are_normalised_where_meaning_cannot_change(first, second, same):
    assert (normalize_line(first) == normalize_line(second)) is same
    keys = [
        request_key(GenerationRequest(messages=(Message("user", text),)), model="m")
        for text in (first, second)
    ]
    assert (keys[0] == keys[1]) is same
    system = [
        request_key(GenerationRequest(messages=(Message("system", text),)), model="m")
        for text in (first, second)
    ]
    assert system[0] != system[1]


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    once = normalize_line(text)
    assert normalize_line(once) == once


# --- files ------------------------------------------------------------------------------------


def filled(clock: ManualClock | None = None) -> PromptCache:
    cache = PromptCache(clock=clock, shards=1)
    cache.put("a", "Ahoj ä", tag="t")
    cache.put(b"\xff", b"\x00\xfe")
    cache.put("mortal", "x", ttl_s=10.0)
    return cache


def test_what_is_saved_comes_back(tmp_path):
    clock = ManualClock(5.0)
    filled(clock).save(tmp_path / "cache")
    later = ManualClock(1_000.0)
    other = PromptCache(clock=later)
    other.put("old", "1")
    other.load(tmp_path / "cache")
    assert [other.get(key) for key in ("a", b"\xff", "mortal", "old")] == [
        "Ahoj ä",
        b"\x00\xfe",
        "x",
        None,
    ]
    later.advance(10.0)
    assert other.get("mortal") is None
    assert other.invalidate("t") == 1


def test_a_small_cache_takes_what_was_used_last(tmp_path):
    cache = PromptCache(shards=1)
    for index in range(100):
        cache.put(f"{index:03}", "x" * 97)
    cache.get("000")
    cache.save(tmp_path / "cache")
    small = PromptCache(max_bytes=3 * (100 + PromptCache.ENTRY_OVERHEAD))
    small.load(tmp_path / "cache")
    assert [key for key in ("000", "099", "098", "097", "001") if small.get(key)] == [
        "000",
        "099",
        "098",
    ]


def test_damage_at_every_byte_is_found_and_changes_nothing():
    engine = Engine(1 << 20, "lru", 1)
    engine.put("a", "Ahoj ä", 0.0, None, "t")
    engine.put(b"\xff", b"\x00\xfe", 0.0, 7.0, "")
    data = engine.to_bytes(0.0)
    other = Engine(1 << 20, "lru", 1)
    other.put("kept", "1", 0.0, None, "")
    for at in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(data)
            damaged[at] ^= flip
            with pytest.raises(CorruptDataError):
                other.load_bytes(bytes(damaged), 0.0)
        with pytest.raises(CorruptDataError):
            other.load_bytes(data[:at], 0.0)
    with pytest.raises(CorruptDataError):
        other.load_bytes(data + b"\0", 0.0)
    assert other.get("kept", 0.0) == "1"
    assert other.load_bytes(data, 0.0)
    assert other.to_bytes(0.0) == data


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 & -(crc & 1))
    return crc ^ 0xFFFFFFFF


def sealed(body: bytes, version: int = 1) -> bytes:
    head = b"AWPROMPT" + struct.pack("<I", version)
    data = head + struct.pack("<I", crc32c(head)) + body
    return data + struct.pack("<I", crc32c(data))


def entry(key: bytes, value: bytes, kind: int = 0, left: float = float("inf")) -> bytes:
    return struct.pack("<IIIId", len(key), len(value), 0, kind, left) + key + value


@pytest.mark.parametrize(
    "body",
    [
        struct.pack("<Q", 2) + entry(b"a", b"1"),
        struct.pack("<Q", 0) + entry(b"a", b"1"),
        struct.pack("<Q", 2**63),
        struct.pack("<Q", 2) + entry(b"a", b"1") * 2,
        struct.pack("<Q", 1) + entry(b"a", b"1", kind=2),
        struct.pack("<Q", 1) + entry(b"a", b"1", left=0.0),
        struct.pack("<Q", 1) + entry(b"a", b"1", left=float("nan")),
        struct.pack("<Q", 1) + entry(b"a", b"\xed\xa0\x80", kind=1),
        struct.pack("<Q", 1) + struct.pack("<IIIId", 2**32 - 1, 2**32 - 1, 2**32 - 1, 0, 1.0),
    ],
)
def test_a_file_with_right_checksums_and_wrong_content_is_damaged(body):
    engine = Engine(1 << 20)
    with pytest.raises(CorruptDataError):
        engine.load_bytes(sealed(body), 0.0)
    assert engine.load_bytes(sealed(struct.pack("<Q", 1) + entry(b"a", b"1")), 0.0) is False


def test_newer_and_missing_files_say_so(tmp_path):
    (tmp_path / "new").write_bytes(sealed(b"", version=2))
    with pytest.raises(FormatVersionError, match="new"):
        PromptCache().load(tmp_path / "new")
    with pytest.raises(StorageError):
        PromptCache().load(tmp_path / "nothing")
    with pytest.raises(StorageError):
        PromptCache().save(tmp_path / "no" / "where")


# --- admission and threads --------------------------------------------------------------------


def trace(seed: int, length: int = 60_000, prompts: int = 20_000) -> list[int]:
    """Zipf with exponent 0.9; every so often somebody reads 500 prompts once."""
    rng = np.random.default_rng(seed)
    weights = 1.0 / np.arange(1, prompts + 1) ** 0.9
    asked = rng.choice(prompts, size=length, p=weights / weights.sum()).tolist()
    for scan, at in enumerate(range(2_000, length, 4_000)):
        asked[at:at] = range(10**6 + 500 * scan, 10**6 + 500 * (scan + 1))
    return asked


def hit_rate(admission: str, asked: list[int]) -> float:
    cache = PromptCache(max_bytes=1_000 * (300 + 160), admission=admission, shards=1, seed=1)
    for prompt in asked:
        key = f"{prompt:0100}"
        if cache.get(key) is None:
            cache.put(key, "x" * 200)
    return cache.stats.hit_rate


@pytest.mark.parametrize("seed", [1, 2])
def test_admission_is_worth_its_trouble_on_zipf_with_scans(seed):
    asked = trace(seed)
    lru, tinylfu = hit_rate("lru", asked), hit_rate("tinylfu", asked)
    assert tinylfu > lru + 0.06, (lru, tinylfu)


def test_threads_only_ever_see_answers_to_their_own_prompts(tmp_path):
    cache = PromptCache(max_bytes=100_000, shards=4, admission="tinylfu")
    wrong: list[object] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for number in rng.integers(0, 400, 4_000).tolist():
            found = cache.get(f"key {number}")
            if found is None:
                cache.put(f"key {number}", f"{number}" + "x" * 200, tag=f"{number % 7}")
            elif not str(found).startswith(f"{number}x"):
                wrong.append(found)
            if number == 0:
                cache.invalidate("3")
                cache.save(tmp_path / f"{seed}")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert cache.stats.bytes <= 100_000
