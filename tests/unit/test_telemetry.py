"""Counters and spans, and the switch that leaves nothing behind."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.observability import NULL_TELEMETRY, Telemetry


def test_off_leaves_nothing_behind() -> None:
    telemetry = Telemetry(enabled=False)
    telemetry.count("a")
    telemetry.observe("b", 1.0)
    with telemetry.span("c") as span:
        pass
    assert span is telemetry.span("d")
    assert (telemetry.counters, telemetry.spans()) == ({}, {})
    assert telemetry.counters["never"] == 0
    assert telemetry.counters == {}


def test_the_shared_one_is_off() -> None:
    NULL_TELEMETRY.count("a")
    assert not NULL_TELEMETRY.enabled
    assert NULL_TELEMETRY.counters == {}


def test_a_span_is_measured_also_when_it_fails() -> None:
    telemetry = Telemetry()
    with pytest.raises(KeyError), telemetry.span("work") as span:
        raise KeyError("x")
    assert telemetry.spans()["work"].count == 1
    assert telemetry.spans()["work"].max_ms == span.duration_ms >= 0


def test_nothing_is_lost_or_torn_between_threads() -> None:
    telemetry, each = Telemetry(), 5_000

    def write() -> None:
        for _ in range(each):
            telemetry.count("turns")
            telemetry.observe("turn", 1.0)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        telemetry.spans()
    assert telemetry.counters["turns"] == 4 * each
    seen = telemetry.spans()["turn"]
    assert (seen.count, seen.total_ms) == (4 * each, 4.0 * each)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200))
def test_quantiles_are_values_that_were_seen(values: list[float]) -> None:
    telemetry = Telemetry()
    for value in values:
        telemetry.observe("x", value)
    seen = telemetry.spans()["x"]
    for share, quantile in ((0.5, seen.p50_ms), (0.95, seen.p95_ms), (0.99, seen.p99_ms)):
        assert quantile in values
        assert sum(value <= quantile for value in values) >= share * len(values) - 1e-9
    assert seen.p50_ms <= seen.p95_ms <= seen.p99_ms <= seen.max_ms == max(values)


def test_an_even_median_is_not_the_larger_one() -> None:
    telemetry = Telemetry()
    telemetry.observe("x", 1.0)
    telemetry.observe("x", 2.0)
    assert telemetry.spans()["x"].p50_ms == 1.0
