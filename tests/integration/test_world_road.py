"""A world whose model fails in every way there is: all lines are answered, and say by whom."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import astraweave as aw
from astraweave.errors import ConfigError, ModelUnavailable
from astraweave.guard import OutputGuard
from astraweave.llm import GenerationRequest, ScriptedModel
from astraweave.serving import BreakerSettings, HealthSettings, RoadSettings
from astraweave.serving.policies import IN_PROCESS

SETTINGS = aw.Settings(model="none", embedder="mock")
IMPATIENT = RoadSettings(
    breaker=BreakerSettings(failures=3, cool_down_s=20.0, longest_cool_down_s=30.0),
    health=HealthSettings(open_every_s=0.0),
)
FAULTS = {
    "refuses": lambda: ScriptedModel([ModelUnavailable("gone")]),
    "breaks at once": lambda: ScriptedModel(["The fire is warm."], fail_after=0),
    "breaks midway": lambda: ScriptedModel(["The fire is warm today, and so on."], fail_after=3),
    "says nothing": lambda: ScriptedModel(["The fire is warm."], hang_after=0),
    "falls silent": lambda: ScriptedModel(["The fire is warm today."], hang_after=2),
    "cannot be stopped": lambda: ScriptedModel(["Hm."], hang_after=0, ignore_cancel=True),
    "trickles": lambda: ScriptedModel(["The fire is warm today, friend."], delay=5.0),
    "raises": lambda: ScriptedModel([RuntimeError("a fault of the model's own")]),
    "raises when asked": lambda: ScriptedModel(_raise),
    "talks nonsense": lambda: ScriptedModel(["<|im_start|>system\nUser: \x00 ignore this"]),
}


def _raise(request: GenerationRequest) -> str:
    raise RuntimeError("it does not even begin")


@contextlib.contextmanager
def opened(slot: Path, model: ScriptedModel, **options: object) -> Iterator[aw.World]:
    try:
        with aw.World.open(slot, settings=SETTINGS, model=model, **options) as world:  # type: ignore[arg-type]
            yield world
    finally:
        model.close()


@pytest.mark.parametrize("fault", FAULTS)
def test_every_line_is_answered_and_says_by_whom(tmp_path: Path, fault: str) -> None:
    with opened(tmp_path, FAULTS[fault](), deadline_s=0.2) as world:
        cast = [world.npc(f"npc{n}", persona="tam") for n in range(4)]
        for _ in range(2):
            replies = [npc.say("How is the forge today?") for npc in cast]
            for reply in replies:
                assert reply.wait(10.0).text
                assert reply.report is not None
                assert reply.report.tier == "composed"
                assert set(reply.tiers) == {"composed"}
        counts = world.telemetry.counters
        assert counts["dialogue.tier.composed"] == 8
        assert "dialogue.tier.model" not in counts
        assert world.scheduler is not None
        assert world.scheduler.waiting == 0


def test_a_model_that_answers_is_the_tier(tmp_path: Path) -> None:
    with opened(tmp_path, ScriptedModel(["The fire is warm today."])) as world:
        reply = world.npc("tam", "tam").say("How is the forge?").wait()
        assert reply.report is not None
        assert (reply.report.tier, reply.report.model_error) == ("model", "")


def test_a_model_that_fails_is_left_alone_also_after_the_game_was_loaded(tmp_path: Path) -> None:
    dead = FAULTS["refuses"]()
    with opened(tmp_path, dead, road=IMPATIENT) as world:
        npc = world.npc("tam", "tam")
        errors = [npc.say("How is the forge?").wait().report.model_error for _ in range(5)]
        assert errors[-1] == "BreakerOpen"
        assert world.road is not None
        assert world.road.report().breakers == {"scripted": "open"}
        world.save()
    well = ScriptedModel(["The fire is warm today."])
    with opened(tmp_path, well, road=IMPATIENT) as world:
        assert world.road is not None
        assert world.road.report().breakers == {"scripted": "open"}
        assert world.npc("tam").say("How is the forge?").wait().report.tier == "composed"
        world.road.restore({})
        assert world.npc("tam").say("Good morning!").wait().report.tier == "model"
        world.save()
    with opened(tmp_path, ScriptedModel(["Aye."]), road=IMPATIENT) as world:
        assert world.road is not None
        assert world.road.report().breakers == {"scripted": "closed"}


def test_a_save_without_breakers_opens_and_a_world_without_a_model_has_no_road(
    tmp_path: Path,
) -> None:
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        assert world.road is None
        world.npc("tam", "tam").say("Hello!").wait()
        world.save()
    with opened(tmp_path, ScriptedModel(["Aye."])) as world:
        assert world.road is not None
        assert world.road.settings == IN_PROCESS


def test_settings_change_while_the_world_ticks(tmp_path: Path) -> None:
    file = tmp_path / "road.toml"
    file.write_text("[breaker]\nfailures = 7\n")
    with opened(tmp_path / "slot", ScriptedModel(["Aye."]), road=str(file)) as world:
        road = world.road
        assert road is not None
        assert road.settings.breaker.failures == 7
        assert road.settings.retry.attempts == 1  # what a file does not say is as without it
        file.write_text("[breaker]\nfailures = 12\n")
        _tick_until(world, lambda: road.settings.breaker.failures == 12)
        file.write_text("[breaker]\nfailures = 'many'\n")
        _tick_until(world, lambda: bool(road.report().problem))
        assert road.settings.breaker.failures == 12
        assert road.report().problem.startswith("road.toml:2:")


def test_settings_that_cannot_be_used_leave_no_world_behind(tmp_path: Path) -> None:
    file = tmp_path / "road.toml"
    file.write_text("[breaker]\nfailures = 0\n")
    model = ScriptedModel(["Aye."])
    with pytest.raises(ConfigError, match="failures"):
        aw.World.open(tmp_path / "slot", settings=SETTINGS, model=model, road=file)
    aw.World.open(tmp_path / "slot", settings=SETTINGS, model=model).close()
    model.close()


@pytest.mark.parametrize("fault", ["says nothing", "refuses", "cannot be stopped"])
def test_a_world_closes_over_a_hundred_requests(tmp_path: Path, fault: str) -> None:
    before = set(threading.enumerate())
    model = FAULTS[fault]()
    world = aw.World.open(tmp_path, settings=SETTINGS, model=model, deadline_s=30.0)
    replies = [world.npc(f"npc{n}", "tam").say("How is the forge?") for n in range(100)]
    world.tick()
    closer = threading.Timer(0.2, model.close)  # one that cannot be stopped ends with its model
    if fault == "cannot be stopped":
        closer.start()
    world.close()
    assert all(reply.done for reply in replies)
    assert world.scheduler is not None
    assert world.scheduler.waiting == world.scheduler.running == 0
    closer.cancel()
    model.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(10.0)
        assert not thread.is_alive(), thread


def test_a_world_that_ends_by_an_exception_leaves_nothing(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    replies: list[aw.Reply] = []

    def play() -> None:
        with opened(tmp_path, FAULTS["says nothing"]()) as world:
            replies.extend(world.npc(f"npc{n}", "tam").say("How is it?") for n in range(10))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        play()
    assert len(replies) == 10
    assert all(reply.done for reply in replies)
    for thread in set(threading.enumerate()) - before:
        thread.join(10.0)
        assert not thread.is_alive(), thread


@pytest.mark.parametrize("mode", ["silence", "refuse", "reset_midway", "rate_limit", "ok"])
def test_lines_over_a_server_that_fails(tmp_path: Path, mode: str) -> None:
    pytest.importorskip("aiohttp")
    from astraweave.bench.fault_server import FaultServer

    with FaultServer(answer=lambda _: "The forge is warm today.") as server:
        settings = aw.Settings(model=f"{server.url}#smith", embedder="mock")
        with aw.World.open(tmp_path, settings=settings, deadline_s=0.5) as world:
            npc = world.npc("tam", "tam")
            server.mode = mode  # type: ignore[assignment]
            reply = npc.say("How is the forge?").wait(10.0)
            assert reply.report is not None
            assert reply.report.tier == ("model" if mode == "ok" else "composed")
            server.mode = "ok"


def _tick_until(world: aw.World, done) -> None:
    for _ in range(10_000):
        world.tick()
        if done():
            return
        time.sleep(0.005)
    pytest.fail("nothing came of the change")


def test_a_studios_guard_holds_for_the_model_and_for_what_is_composed(tmp_path: Path) -> None:
    guard = OutputGuard(words=["turnip"], rules=[lambda text: "heat" if "hot" in text else None])
    model = ScriptedModel(["The fire is hot today.", "The fire is a turnip."])
    with opened(tmp_path, model, output_guard=guard) as world:
        npc = world.npc("tam", "tam")
        reply = npc.say("How is the forge?").wait()
        assert reply.report.tier == "composed"
        assert reply.report.failed.keys() >= {"heat", "word"}
        for line in ("My brother Bren hid a turnip under the mill.", "Where did Bren hide it?"):
            reply = npc.say(line).wait()
            assert reply.text
            assert "turn" not in reply.text
            assert "word" in reply.report.failed, reply.text
