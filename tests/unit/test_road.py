"""The road in one piece, its settings file, and what a save keeps of it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from astraweave.errors import ConfigError, ModelUnavailable, StorageError, UsageError
from astraweave.llm import GenerationRequest, Message, ScriptedModel
from astraweave.observability import Telemetry
from astraweave.serving import PromptCache
from astraweave.serving.latency import QuantileSketch
from astraweave.serving.policies import BreakerSettings, RoadSettings, TimeoutSettings
from astraweave.serving.responders import CallableResponder
from astraweave.serving.road import open_road
from astraweave.serving.settings_file import SettingsFile, read_road_settings


def ask(text: str = "Where is the inn?") -> GenerationRequest:
    return GenerationRequest(messages=(Message("user", text),))


def test_the_model_answers_and_its_answer_is_remembered_for_when_it_cannot() -> None:
    model = ScriptedModel(["Up the hill.", ModelUnavailable("gone", retryable=False)])
    telemetry = Telemetry()
    road = open_road(model, cache=PromptCache(), telemetry=telemetry, lines=["Hm."])
    tiers = []
    for _ in range(2):
        answering = road.ask(ask(), timeout_s=5.0)
        assert answering.result(5.0) == "Up the hill."
        assert answering.answered is not None
        tiers.append(answering.answered.tier)
    answering = road.ask(ask("And the mill?"), timeout_s=5.0)
    assert answering.result(5.0) == "Up the hill."
    assert tiers == ["model", "cache"]
    road.close()
    road.close()
    model.close()


def test_every_tier_below_has_its_turn() -> None:
    dead = ScriptedModel([ModelUnavailable("gone", retryable=False)])
    small = ScriptedModel(["Hill.", ModelUnavailable("gone", retryable=False)])
    rule = CallableResponder[GenerationRequest, str](
        "rule", lambda r: "By the river." if "mill" in r.messages[0].content else None
    )
    road = open_road(dead, smaller=small, tiers=[rule], lines=["Hm."])
    said = []
    for line in ("Where is the inn?", "Where is the mill?", "Where is the cat?"):
        answering = road.ask(ask(line), timeout_s=5.0)
        said.append((answering.result(5.0), answering.answered and answering.answered.tier))
        small.requests.clear()
    assert said == [
        ("Hill.", "smaller_model"),
        ("By the river.", "rule"),
        ("Hill.", "smaller_model"),
    ]
    road.close()
    dead.close()
    small.close()


def test_threads_are_gone_after_close() -> None:
    before = set(threading.enumerate())
    model = ScriptedModel(["Aye."], first_token_delay=0.01)
    road = open_road(model)
    for _ in range(3):
        road.ask(ask(), timeout_s=5.0).result(5.0)
    road.close()
    model.close()
    left = [t for t in threading.enumerate() if t not in before and t.is_alive()]
    for thread in left:
        thread.join(5.0)
    assert not [thread for thread in left if thread.is_alive()]


def test_breakers_survive_in_a_save() -> None:
    model = ScriptedModel([ModelUnavailable("gone", retryable=False)])
    settings = RoadSettings(breaker=BreakerSettings(cool_down_s=20.0))
    road = open_road(model, settings=settings, lines=["Hm."])
    for _ in range(6):
        assert road.ask(ask(), timeout_s=5.0).result(5.0) == "Hm."
    saved = road.export()
    assert saved["scripted"].state == "open"
    asked = len(model.requests)
    road.close()
    again = open_road(model, settings=settings, lines=["Hm."])
    again.restore(saved)
    assert again.report().breakers == {"scripted": "open"}
    assert again.ask(ask(), timeout_s=5.0).result(5.0) == "Hm."
    assert len(model.requests) == asked
    again.close()
    model.close()


TEXT = """\
[limits.model]
requests_per_minute = 600
[limits.owners.tam]
requests_per_minute = 6
[breaker]
failures = 7
[timeouts.dialogue]
ceiling_first_s = 6.0
[timeouts.banter]
cold_first_s = 1.0
"""


def test_settings_are_read_and_the_rest_keeps_its_defaults() -> None:
    settings = read_road_settings(TEXT, "road.toml")
    assert settings.limits.model.requests_per_minute == 600
    assert settings.limits.owners["tam"].requests_per_minute == 6
    assert settings.breaker.failures == 7
    timeouts = settings.all_timeouts
    assert timeouts["dialogue"].ceiling_first_s == 6.0
    assert timeouts["dialogue"].cold_first_s == RoadSettings().all_timeouts["dialogue"].cold_first_s
    assert timeouts["banter"] == TimeoutSettings(cold_first_s=1.0)
    assert timeouts["quest"] == RoadSettings().all_timeouts["quest"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[breaker]\nfailures = 0\n", 1, "failures must be between 1"),
        ("[breaker]\nfailure = 5\n", 1, "failure"),
        ("[breaker]\nfailures = 'five'\n", 2, "Expected `int`"),
        ("[braeker]\n", 1, "did you mean 'breaker'"),
        ("[timeouts.dialogue]\n\ncieling_first_s = 1\n", 3, "did you mean 'ceiling_first_s'"),
        ("[timeouts.dialogue]\nceiling_first_s = nan\n", 1, "ceiling_first_s must be between"),
        ("[limits.owners.tam]\nrequests_per_minute = -1\n", 1, "requests_per_minute"),
        ("timeouts = 5\n", 1, "Expected `object`"),
        ("[breaker\n", 1, "not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_road_settings(text, "road.toml")
    assert words in str(refused.value)
    assert f"road.toml:{line}:" in str(refused.value)


def test_a_file_that_changes_is_taken_over_and_a_broken_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "road.toml"
    path.write_text("[retry]\nattempts = 2\n")
    model = ScriptedModel(["Aye."])
    road = open_road(model, settings=path)
    assert road.settings.retry.attempts == 2
    assert not road.poll()
    path.write_text("[retry]\nattempts = 4\n# more\n")
    assert road.poll()
    assert road.settings.retry.attempts == 4
    path.write_text("[retry]\nattempts = 0\n# broken\n")
    assert not road.poll()
    assert road.settings.retry.attempts == 4
    assert "attempts" in road.report().problem
    with pytest.raises(ConfigError):
        road.reload()
    path.unlink()
    assert not road.poll()
    with pytest.raises(StorageError):
        road.reload()
    path.write_text("[retry]\nattempts = 5\n# whole again\n")
    assert road.poll()
    assert (road.settings.retry.attempts, road.report().problem) == (5, "")
    assert road.ask(ask(), timeout_s=5.0).result(5.0) == "Aye."
    road.close()
    model.close()


def test_a_road_without_a_file_has_nothing_to_reload() -> None:
    model = ScriptedModel(["Aye."])
    road = open_road(model)
    with pytest.raises(UsageError):
        road.reload()
    assert not road.poll()
    road.close()
    model.close()


def test_a_file_that_is_wrong_at_the_start_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "road.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError):
        SettingsFile(tmp_path / "road.toml").read()


def test_quantiles_are_right_to_a_relative_error_and_follow_the_present() -> None:
    sketch = QuantileSketch(relative_error=0.05)
    values = [((n * 7919) % 1000 + 1) / 1000 for n in range(400)]
    for value in values:
        sketch.add(value)
    ordered = sorted(values)
    for q in (0.1, 0.5, 0.9, 0.99):
        exact = ordered[max(0, round(q * 400) - 1)]
        assert sketch.quantile(q) == pytest.approx(exact, rel=0.06)
    for _ in range(1500):
        sketch.add(30.0)
    assert sketch.quantile(0.2) == pytest.approx(30.0, rel=0.06)
