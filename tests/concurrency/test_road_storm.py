"""Many threads, a model that does everything wrong at once, and nothing that stays behind."""

from __future__ import annotations

import threading
from collections import Counter

from astraweave.core.clock import SystemClock
from astraweave.errors import CapacityError, ModelUnavailable
from astraweave.llm import GenerationRequest, Message, ScriptedModel
from astraweave.observability import Telemetry
from astraweave.serving import (
    BreakerSettings,
    BulkheadSettings,
    HedgeSettings,
    LimitSettings,
    Rate,
    RetrySettings,
    Road,
    RoadSettings,
    TimeoutSettings,
    open_road,
)
from astraweave.serving.fallback import Answering

THREADS, EACH = 6, 50
PATIENCE = TimeoutSettings(
    cold_first_s=0.05, cold_total_s=0.3, floor_first_s=0.05, ceiling_first_s=0.1,
    floor_total_s=0.2, ceiling_total_s=0.3, stall_s=0.1,
)  # fmt: skip
SETTINGS = RoadSettings(
    timeouts={"dialogue": PATIENCE},
    breaker=BreakerSettings(failures=20, min_share=0.5, cool_down_s=0.05, probe_lease_s=0.3),
    retry=RetrySettings(base_s=0.01, longest_s=0.05),
    hedge=HedgeSettings(enabled=True, share=0.5, shortest_s=0.001),
    limits=LimitSettings(owner=Rate(requests_per_second=30)),
    bulkhead=BulkheadSettings(calls=12, max_waiting=4, longest_wait_s=0.1),
)


def moody(request: GenerationRequest) -> str | BaseException:
    number = int(request.messages[0].content)
    mood = (number * 2654435761 >> 7) % 10
    if mood == 0:
        return ModelUnavailable("gone")
    if mood == 1:
        return CapacityError("full", rate_limited=True, retry_after_s=0.01)
    if mood == 2:
        return ZeroDivisionError("a bug")
    return "It rained, and the bridge was closed. " * (number % 3)


def test_a_storm_leaves_nothing_behind() -> None:
    before = threading.active_count()
    telemetry = Telemetry()
    clock = SystemClock()
    model = ScriptedModel(moody, first_token_delay=0.001, delay=0.0005, hang_after=12, slots=8)
    road = open_road(model, settings=SETTINGS, telemetry=telemetry, concurrency=16, max_queue=64)
    ends: list[tuple[int, float]] = []
    asked: list[Answering[GenerationRequest, str]] = []

    def player(base: int) -> None:
        for n in range(EACH):
            number = base * EACH + n
            request = GenerationRequest(
                messages=(Message("user", str(number)),), owner=f"npc-{n % 5}"
            )
            answering = road.ask(request, timeout_s=1.0)
            asked.append(answering)

            def hear(chunks: object, error: object, number: int = number) -> None:
                if error is not None or chunks[-1].finish_reason is not None:  # type: ignore[index]
                    ends.append((number, clock.monotonic()))

            answering.listen(hear)
            if n % 7 == 0:
                answering.cancel()
            elif n % 12 == 0:
                answering.result(10.0)

    threads = [threading.Thread(target=player, args=(base,)) for base in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for answering in asked:
        answering.result(10.0)
    counts = Counter(number for number, _ in ends)
    assert counts == Counter(range(THREADS * EACH)), "each ended exactly once"
    told = Counter(a.answered.tier if a.answered else "cancelled" for a in asked)
    assert told.total() == THREADS * EACH
    assert told["model"] > 0
    for tier in set(told) - {"cancelled"}:
        assert telemetry.counters[f"chain.tier.{tier}"] == told[tier]
    check_nothing_is_left(road)
    road.close()
    model.close()
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and thread.name.startswith("astraweave"):
            thread.join(5.0)
    assert threading.active_count() <= before


def check_nothing_is_left(road: Road) -> None:
    assert road.chain.running == 0
    wait = threading.Event()
    for _ in range(200):  # calls that nobody waits for any more end a moment later
        if not road.models[0].running:
            break
        wait.wait(0.02)
    assert road.models[0].running == 0
    assert road.models[0].bulkhead.running == 0
    assert road.models[0].bulkhead.waiting == 0
    assert road.models[0].limiter.waiting == 0
    assert len(road.chain.timers) == 0
