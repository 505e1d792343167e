"""Clock, random streams, settings and the view of the world."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astraweave.core.clock import ManualClock, SystemClock
from astraweave.core.protocols import Clock
from astraweave.core.rng import RandomStreams, seed_for
from astraweave.core.settings import Settings
from astraweave.core.worldview import Entity, Fact, WorldView
from astraweave.errors import ConfigError, CorruptDataError, InputError


class TestClock:
    @pytest.mark.parametrize("clock", [SystemClock(), ManualClock()], ids=["system", "manual"])
    def test_game_time_can_be_set(self, clock) -> None:
        assert isinstance(clock, Clock)
        clock.set(500.0)
        assert 500.0 <= clock.now() < 510.0
        assert clock.monotonic() <= clock.monotonic()

    def test_scale(self) -> None:
        clock = SystemClock(start=10.0, scale=0.0)
        assert clock.now() == 10.0


class TestRandomStreams:
    @given(st.integers(-(2**70), 2**70), st.text())
    def test_equal_seeds_and_names_give_equal_streams(self, seed: int, name: str) -> None:
        assert RandomStreams(seed)[name].random() == RandomStreams(seed)[name].random()
        assert 0 <= seed_for(seed, name) < 2**64

    def test_streams_do_not_move_each_other(self) -> None:
        alone, crowded = RandomStreams(1), RandomStreams(1)
        for _ in range(100):
            crowded["other"].random()
        assert alone["tam"].random() == crowded["tam"].random()

    @given(st.integers(0, 50), st.booleans())
    def test_state_survives_json(self, drawn: int, gauss: bool) -> None:
        streams = RandomStreams(3)
        for _ in range(drawn):
            streams["a"].random()
        if gauss:
            streams["a"].gauss(0, 1)
        saved = json.loads(json.dumps(streams.state()))
        expected = [streams["a"].gauss(0, 1) for _ in range(3)] + [streams["b"].random()]
        other = RandomStreams(99)
        other.restore(saved)
        assert [other["a"].gauss(0, 1) for _ in range(3)] + [other["b"].random()] == expected

    @pytest.mark.parametrize(
        "state",
        [{}, {"seed": "x", "streams": {}}, {"seed": 1, "streams": {"a": [3, [1, 2], None]}},
         {"seed": 1, "streams": {"a": 7}}, {"seed": 1, "streams": {"a": [3, ["x"] * 625, None]}}],
    )  # fmt: skip
    def test_a_damaged_state_changes_nothing(self, state: dict[str, object]) -> None:
        streams = RandomStreams(5)
        before = json.dumps(streams.state())
        with pytest.raises(CorruptDataError):
            streams.restore(state)
        assert json.dumps(streams.state()) == before


class TestSettings:
    def test_the_environment_is_read(self) -> None:
        settings = Settings.from_environment(
            {"ASTRAWEAVE_HOME": "/models", "ASTRAWEAVE_MODEL": "none", "ASTRAWEAVE_THREADS": "3",
             "ASTRAWEAVE_OFFLINE": "yes", "ASTRAWEAVE_TELEMETRY": "0", "ASTRAWEAVE_EMBEDDER": " "}
        )  # fmt: skip
        assert settings.home == Path("/models")
        assert settings.model == "none"
        assert settings.thread_budget == 3
        assert settings.offline
        assert not settings.telemetry
        assert settings.embedder == Settings().embedder

    def test_overrides_win(self) -> None:
        assert Settings.from_environment({"ASTRAWEAVE_MODEL": "a"}, model="b").model == "b"

    @pytest.mark.parametrize(
        ("variable", "value"),
        [("ASTRAWEAVE_THREADS", "many"), ("ASTRAWEAVE_THREADS", "-1"),
         ("ASTRAWEAVE_OFFLINE", "perhaps"), ("ASTRAWEAVE_HOME", "~nobody-of-that-name/x")],
    )  # fmt: skip
    def test_a_wrong_variable_is_named(self, variable: str, value: str) -> None:
        with pytest.raises(ConfigError, match=variable) as caught:
            Settings.from_environment({variable: value})
        assert caught.value.variable == variable

    def test_a_wrong_override_is_named(self) -> None:
        with pytest.raises(ConfigError, match="'modell'"):
            Settings.from_environment({}, modell="x")
        with pytest.raises(ConfigError, match="threads"):
            Settings(threads=-2)
        with pytest.raises(ConfigError, match="model"):
            Settings(model="")

    def test_one_thread_at_least(self) -> None:
        assert Settings().thread_budget >= 1


TAM = Entity(id="tam", name="Tam", kind="person", aliases=("the smith",))


class TestWorldView:
    def test_names_aliases_and_ids_are_found(self) -> None:
        view = WorldView()
        view.add(TAM)
        snapshot = view.snapshot()
        for name in ("tam", "TAM", "The Smith"):
            assert snapshot.find(name) == TAM
        assert snapshot.find("nobody") is None

    @pytest.mark.parametrize("swap", [False, True])
    def test_a_name_goes_before_an_alias(self, swap: bool) -> None:
        other = Entity(id="x", name="Mira", aliases=("Tam",))
        view = WorldView()
        view.add(*((other, TAM) if swap else (TAM, other)))
        assert view.snapshot().names["tam"] == "tam"

    def test_only_changes_count(self) -> None:
        view, fact = WorldView(), Fact("tam", "owns", "hammer")
        view.add(TAM)
        view.state(fact)
        version = view.version
        snapshot = view.snapshot()
        view.add(TAM)
        view.state(fact)
        view.retract(Fact("tam", "owns", "sword"))
        view.remove("nobody")
        view.sync([TAM], [fact])
        assert view.version == version
        assert view.snapshot() is snapshot
        view.retract(fact)
        assert view.version == version + 1
        assert fact in snapshot.facts
        assert fact not in view.snapshot().facts

    def test_removing_an_entity_removes_what_is_said_of_it(self) -> None:
        view = WorldView()
        view.add(TAM)
        view.state(Fact("tam", "owns", "hammer"), Fact("mira", "likes", "tam"))
        view.remove("tam")
        assert view.snapshot().facts == frozenset()
        assert view.snapshot().find("the smith") is None

    def test_restore_brings_the_version_back(self) -> None:
        view = WorldView()
        view.restore([TAM], [Fact("tam", "owns", "hammer")], 41)
        assert view.version == view.snapshot().version == 41
        assert view.snapshot().about("tam") == [Fact("tam", "owns", "hammer")]

    @pytest.mark.parametrize("entity", [Entity(id="", name="x"), Entity(id="x", name="  ")])
    def test_nameless_entities_are_refused(self, entity: Entity) -> None:
        view = WorldView()
        for refuse in (
            lambda: view.add(TAM, entity),
            lambda: view.sync([entity], []),
            lambda: view.restore([entity], [], 3),
        ):
            with pytest.raises(InputError, match="id and a name"):
                refuse()
        assert view.version == 0
        assert view.snapshot().entities == {}

    def test_snapshots_are_consistent_while_the_game_writes(self) -> None:
        view = WorldView()
        stop = threading.Event()
        torn: list[object] = []

        def read() -> None:
            while not stop.is_set():
                snapshot = view.snapshot()
                if snapshot.version and len(snapshot.facts) != 1:
                    torn.append(snapshot)

        reader = threading.Thread(target=read)
        reader.start()
        for n in range(500):
            view.sync([TAM], [Fact("tam", "counts", str(n))])
        stop.set()
        reader.join()
        assert torn == []
        assert view.version == 500
