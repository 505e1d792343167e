"""Random lives of a prompt cache beside the readable reference."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from astraweave._native import PromptCache
from astraweave._native import reference_cache as reference
from astraweave.errors import InputError

keys = st.sampled_from(["a", "b", "ä", "€" * 9, "", b"a", b"\xff\x00", "long " * 40, "c", "d"])
values = st.one_of(st.text(max_size=300), st.binary(max_size=300), st.just("x" * 5_000))
ends = st.one_of(st.none(), st.sampled_from([0.5, 1.0, 3.0]))
tags = st.sampled_from(["", "world-1", "world-2", "tam"])


class CacheMachine(RuleBasedStateMachine):
    @initialize(max_bytes=st.sampled_from([300, 1_000, 3_000]))
    def start(self, max_bytes: int) -> None:
        self.cache = PromptCache(max_bytes, "lru", 1)
        self.model = reference.PromptCache(max_bytes)
        self.now = 1_000.0

    @rule(seconds=st.sampled_from([0.25, 1.0, 10.0, -0.25, -5.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(key=keys)
    def get(self, key: str | bytes) -> None:
        found = self.cache.get(key, self.now)
        expected = self.model.get(key, self.now)
        assert found == expected
        assert type(found) is type(expected)

    @rule(key=keys, value=values, ttl_s=ends, tag=tags)
    def put(self, key: str | bytes, value: str | bytes, ttl_s: float | None, tag: str) -> None:
        kept = self.cache.put(key, value, self.now, ttl_s, tag)
        assert kept == self.model.put(key, value, self.now, ttl_s, tag)

    @rule(key=keys)
    def remove(self, key: str | bytes) -> None:
        assert self.cache.remove(key) == self.model.remove(key)

    @rule(tag=tags)
    def invalidate(self, tag: str) -> None:
        assert self.cache.invalidate(tag) == self.model.invalidate(tag)

    @rule()
    def purge(self) -> None:
        assert self.cache.purge(self.now) == self.model.purge(self.now)

    @rule()
    def clear(self) -> None:
        self.cache.clear()
        self.model.clear()

    @rule(ttl_s=st.sampled_from([0.0, -1.0, float("nan"), float("inf")]))
    def refuse(self, ttl_s: float) -> None:
        with pytest.raises(InputError):
            self.cache.put("a", "b", self.now, ttl_s, "")

    @precondition(lambda self: len(self.cache) > 0)
    @rule()
    def come_back_from_a_file(self) -> None:
        data = self.cache.to_bytes(self.now)
        self.model.purge(self.now)
        self.cache.purge(self.now)
        other = PromptCache(self.model.max_bytes, "lru", 1)
        timed = any(entry.expires < float("inf") for entry in self.model.entries.values())
        assert other.load_bytes(data, self.now) == timed
        # Equal bytes: the order of use came along, too.
        assert other.to_bytes(self.now) == data

    @invariant()
    def counts_agree(self) -> None:
        if not hasattr(self, "cache"):
            return
        assert self.cache.stats() == self.model.stats()
        assert len(self.cache) == len(self.model.entries)


CacheMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestCache = CacheMachine.TestCase
