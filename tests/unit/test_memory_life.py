"""How memories fade, are strengthened, and go."""

from __future__ import annotations

import itertools
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astraweave.embeddings import MockEmbeddingClient
from astraweave.errors import ConfigError, CorruptDataError
from astraweave.kernels.forgetting import fade, halved, sweep_with_numba, sweep_with_numpy
from astraweave.rag import Memory, MemoryStore
from astraweave.rag.life import MemoryLife
from astraweave.rag.life_columns import create_life_tables
from astraweave.rag.life_settings import LifeSettings, checked_rule
from astraweave.rag.store import create_memory_tables

DAY = 86_400.0
KINDS = ("sensory", "working", "episodic", "semantic", "emotional", "social", "procedural")


class Mind:
    """A store and its life over one database."""

    def __init__(self, connection=None, **options):
        fresh = connection is None
        self.connection = connection or sqlite3.connect(":memory:")
        if fresh:
            create_memory_tables(self.connection)
            create_life_tables(self.connection)
        self.store = MemoryStore(self.connection, MockEmbeddingClient(8))
        self.life = MemoryLife(self.connection, self.store, **options)

    def add(self, text="A cart came.", **fields):
        fields.setdefault("owner", "tam")
        return self.store.add(Memory(text=text, **fields), embed=False)

    def reopened(self, **options):
        for part in (self.store, self.life):
            part.write()
        self.connection.commit()
        for part in (self.store, self.life):
            part.committed()
        return Mind(self.connection, **options)

    def swept(self, now, rows=1 << 16):
        while (found := self.life.sweep(now, rows)) is None:
            pass
        return found


@pytest.fixture
def mind():
    made = Mind()
    yield made
    made.connection.close()


def test_half_is_left_after_a_half_life(mind):
    plain = mind.add(importance=0.0, game_time=100.0)
    weighty = mind.add(importance=1.0, game_time=100.0)
    at = 100.0 + 14 * DAY
    assert mind.life.strength(plain.id, 100.0) == 1.0
    assert mind.life.strength(plain.id, at) == pytest.approx(0.5)
    assert mind.life.strength(weighty.id, at) == pytest.approx(0.5**0.25)
    assert mind.life.strength(999, at) == 0.0


def test_kinds_fade_at_their_own_pace(mind):
    ids = [mind.add(kind=kind).id for kind in KINDS]
    hour = mind.life.strengths(ids, 3600.0)
    assert hour[0] < 0.01
    assert 0.6 < hour[1] < 0.9
    assert (hour[2:] > 0.99).all()


def test_a_spaced_recall_lasts_longer_than_one_at_once(mind):
    never, at_once, spaced = (mind.add(importance=0.2) for _ in range(3))
    mind.life.recall([at_once.id], 1.0)
    mind.life.recall([spaced.id], 20 * DAY)
    later = mind.life.strengths([never.id, at_once.id, spaced.id], 60 * DAY)
    assert later[0] == pytest.approx(later[1], rel=1e-3)
    assert later[2] > 3 * later[1]
    assert mind.life.recalls(spaced.id) == 1


def test_what_is_weakened_goes_on_from_where_it_was(mind):
    told = mind.add()
    before = mind.life.strength(told.id, 10 * DAY)
    mind.life.weaken([told.id, 99], 10 * DAY, 0.1)
    assert mind.life.strength(told.id, 10 * DAY) == pytest.approx(before, abs=1e-6)
    assert mind.life.strength(told.id, 30 * DAY) < 0.02


def test_protected_memories_never_fade(mind):
    oath = mind.add("I swear to guard the bridge.", tags=("oath",), kind="working")
    assert mind.life.strength(oath.id, 1e9) == 1.0
    assert mind.life.is_protected(oath.id)
    assert mind.swept(1e9).faded == ()
    mind.store.update(mind.store.get(oath.id).__class__(id=oath.id, owner="tam", text="Gone."))
    mind.life.refresh(oath.id)
    assert mind.swept(1e9).faded == (oath.id,)


def test_a_sweep_finds_what_has_faded_in_slices_or_at_once(mind):
    faint = [mind.add(kind="sensory", owner=f"npc{n % 7}").id for n in range(50)]
    kept = [mind.add(kind="semantic", owner=f"npc{n % 7}").id for n in range(50)]
    whole = mind.swept(DAY)
    assert whole.faded == tuple(faint)
    assert mind.swept(DAY, rows=3) == whole
    assert mind.life.forget(whole.faded) == 50
    assert mind.swept(DAY).faded == ()
    assert mind.store.count() == len(kept)


def test_what_is_recalled_during_a_sweep_is_kept(mind):
    faint = [mind.add(kind="sensory").id for _ in range(4)]
    assert mind.life.sweep(DAY, 2) is None
    mind.life.recall([faint[0]], DAY)
    assert mind.life.sweep(DAY, 2).faded == tuple(faint[1:])


def test_the_store_may_change_behind_its_back(mind):
    first, second = mind.add(), mind.add()
    mind.life.recall([first.id], 5.0)
    mind.store.delete(first.id)
    third = mind.add()
    assert mind.life.strengths([first.id, second.id, third.id], 5.0).tolist()[0] == 0.0
    assert mind.swept(5.0).memories == 2
    assert mind.reopened().life.recalls(first.id) == 0


def test_recalls_outlive_a_save(mind):
    ids = [mind.add(game_time=float(n)).id for n in range(5)]
    mind.life.recall(ids[:3], 9 * DAY)
    mind.life.recall(ids[1:2], 30 * DAY)
    mind.life.weaken(ids[2:4], 31 * DAY, 0.3)
    again = mind.reopened()
    for now in (31 * DAY, 90 * DAY):
        assert (again.life.strengths(ids, now) == mind.life.strengths(ids, now)).all()
    times = np.linspace(0, 90 * DAY, 200)
    assert np.array_equal(
        again.life.history(ids[1], times), mind.life.history(ids[1], times), equal_nan=True
    )


def test_what_a_rollback_took_is_written_again(mind):
    told = mind.add()
    mind.store.write()
    mind.connection.commit()
    mind.life.recall([told.id], 5.0)
    mind.life.write()
    mind.connection.rollback()
    mind.life.rolled_back()
    assert mind.reopened().life.recalls(told.id) == 1


def test_a_damaged_row_is_named(mind):
    told = mind.add()
    mind.life.recall([told.id], 5.0)
    mind.life.write()
    mind.connection.execute("UPDATE memory_life SET events = x'00'")
    with pytest.raises(CorruptDataError, match=f"memory {told.id}"):
        mind.reopened()


def test_history_shows_birth_recall_and_fading(mind):
    told = mind.add(game_time=DAY, importance=0.0)
    mind.life.recall([told.id], 15 * DAY)
    before, born, faded, fresh = mind.life.history(
        told.id, [0.0, DAY, 15 * DAY - 1e-3, 15 * DAY]
    ).tolist()
    assert np.isnan(before)
    assert (born, fresh) == (1.0, 1.0)
    assert faded == pytest.approx(0.5)
    assert np.isnan(mind.life.history(99, [0.0])).all()
    now = 40 * DAY
    assert mind.life.history(told.id, [now])[0] == mind.life.strength(told.id, now)


# Eviction


def test_the_least_strong_and_important_go_first():
    mind = Mind(settings=LifeSettings(max_memories=3))
    old = mind.add(importance=0.5, game_time=0.0)
    small_talk = mind.add(importance=0.1, game_time=50 * DAY)
    news = mind.add(importance=0.9, game_time=50 * DAY)
    quest = mind.add(importance=0.05, tags=("quest",))
    mind.add(importance=0.6, game_time=50 * DAY)
    mind.add(owner="mira")
    assert mind.life.overflow("tam", 50 * DAY) == (small_talk.id, old.id)
    assert mind.swept(50 * DAY).crowded == ("tam",)
    mind.life.forget(mind.life.overflow("tam", 50 * DAY))
    assert {quest.id, news.id} <= set(mind.store.ids("tam").tolist())
    assert mind.life.overflow("tam", 50 * DAY) == mind.life.overflow("nobody", 0.0) == ()
    mind.connection.close()


@settings(max_examples=60, deadline=None)
@given(
    memories=st.lists(
        st.tuples(
            st.integers(1, 300), st.floats(0, 1), st.floats(0, 1e7), st.booleans(),
            st.sampled_from(KINDS),
        ),
        max_size=30,
    ),
    max_memories=st.integers(1, 20),
    max_bytes=st.integers(1, 8000),
)  # fmt: skip
def test_no_cap_is_ever_exceeded_and_the_protected_go_last(memories, max_memories, max_bytes):
    mind = Mind(settings=LifeSettings(max_memories=max_memories, max_bytes=max_bytes))
    for length, importance, time, quest, kind in memories:
        mind.add(
            "x" * length, importance=importance, game_time=time, kind=kind,
            tags=("quest",) if quest else (),
        )  # fmt: skip
    gone = mind.life.overflow("tam", 1e7)
    protected = [mind.life.is_protected(each) for each in gone]
    mind.life.forget(gone)
    left = mind.store.for_owner("tam")
    sizes = sum(map(mind.life.size_of, left))
    assert len(left) <= max_memories
    assert sizes <= max_bytes
    if any(protected):
        assert all(mind.life.is_protected(memory.id) for memory in left)
    if gone:  # and not one more than had to
        back = sizes + max(
            mind.life.size_of(Memory(owner="tam", text="x" * length, tags=("quest",) * quest))
            for length, _, _, quest, _ in memories
        )
        assert len(left) + 1 > max_memories or back > max_bytes
    mind.connection.close()


# What holds whatever happens


EVENTS = st.lists(
    st.tuples(st.sampled_from(["recall", "weaken", "look"]), st.floats(0, 1e7), st.floats(0.1, 1)),
    max_size=8,
)


@settings(max_examples=80, deadline=None)
@given(kind=st.sampled_from(KINDS), importance=st.floats(0, 1), events=EVENTS)
def test_strength_stays_a_share_falls_with_time_and_no_recall_weakens(kind, importance, events):
    mind = Mind()
    told = mind.add(kind=kind, importance=importance)
    twin = mind.add(kind=kind, importance=importance)
    now = 0.0
    for what, step, share in events:
        now += step
        ahead = now + np.array([0.0, 1.0, 1e3, 1e6, 1e8])
        before = [mind.life.strength(told.id, when) for when in ahead]
        if what == "recall":
            mind.life.recall([told.id], now)
        elif what == "weaken":
            mind.life.weaken([told.id], now, share)
        after = [mind.life.strength(told.id, when) for when in ahead]
        assert all(0.0 <= value <= 1.0 for value in after)
        assert all(a >= b for a, b in itertools.pairwise(after))
        if what == "recall":
            assert all(a >= b - 1e-6 for a, b in zip(after, before, strict=True))
    assert mind.life.strength(twin.id, now) == mind.reopened().life.strength(twin.id, now)
    mind.connection.close()


@given(st.lists(st.floats(0, 70), min_size=2, max_size=50))
def test_halving_is_the_power_of_two_and_never_rises(xs):
    xs = np.sort(np.array(xs))
    got = halved(xs)
    assert np.allclose(got, np.exp2(-np.minimum(xs, 64.0)), rtol=1e-6, atol=0)
    assert (np.diff(got.astype(np.float32)) <= 0).all()
    assert halved(0.0) == 1.0
    assert halved(1.0) == pytest.approx(0.5, rel=1e-12)


@pytest.fixture(scope="module")
def both():
    pytest.importorskip("numba")
    return sweep_with_numpy(), sweep_with_numba()


ROWS = st.tuples(
    st.floats(-1e6, 1e9), st.floats(1, 1e9, width=32), st.floats(0, 1, width=32),
    st.integers(0, 65_535), st.sampled_from([0.0, 0.5, 1.0]),
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(ROWS, max_size=40), now=st.floats(0, 1e9))
def test_compiled_and_plain_agree_to_the_bit(both, rows, now):
    columns = list(zip(*rows, strict=True)) or [()] * 5
    kinds = (np.float64, np.float32, np.float32, np.uint16, np.float32)
    arrays = [np.array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
    results = []
    for sweep in both:
        out = np.full(len(rows), np.nan, np.float32)
        sweep(now, *arrays, out)
        results.append(out)
    assert (results[0].view(np.uint32) == results[1].view(np.uint32)).all()
    assert ((results[0] >= arrays[4]) & (results[0] <= 1)).all()


# Rules of a designer's own


def base_level(age, half_life, importance, recalls):
    """A power law."""
    return np.minimum(1.0, (1.0 + recalls) * (1.0 + age / half_life) ** -0.5)


def in_steps(age, half_life, importance, recalls):
    """Whole, a hint, nothing."""
    return np.where(age < half_life, 1.0, np.where(age < 3 * half_life, 0.3, 0.0))


def eased(age, half_life, importance, recalls):
    """With the house's own arithmetic."""
    return importance + (1.0 - importance) * halved(age / half_life)


@pytest.mark.parametrize("rule", [base_level, in_steps, eased, lambda a, h, i, r: 0.0 * a + i])
def test_a_rule_runs_alike_compiled_and_plain(rule):
    pytest.importorskip("numba")
    minds = [Mind(rule=rule) for _ in range(2)]
    for mind in minds:
        for n in range(40):
            mind.add(kind=KINDS[n % 7], importance=n / 40, game_time=1e5 * n)
        mind.life.recall(range(1, 40, 3), 4e6)
    minds[1].life.compile_now()
    assert minds[1].life.compiled
    assert minds[1].life.not_compiled_because == ""
    plain, fast = (mind.life.strengths(range(1, 41), 8e6) for mind in minds)
    assert np.allclose(plain, fast, atol=1e-6)


def test_a_rule_that_numba_cannot_read_goes_on_in_numpy():
    pytest.importorskip("numba")

    def rule(age, half_life, importance, recalls):
        return np.array([0.5 for _ in np.atleast_1d(age)]).reshape(np.shape(age))

    mind = Mind(rule=rule)
    told = mind.add()
    mind.life.compile_now()
    assert not mind.life.compiled
    assert mind.life.not_compiled_because
    assert mind.life.strength(told.id, 5.0) == 0.5


def test_compiling_happens_on_another_thread(mind):
    pytest.importorskip("numba")
    told = mind.add()
    thread = mind.life.compile_soon()
    assert mind.life.strength(told.id, 14 * DAY) > 0.0
    thread.finish()
    assert mind.life.compiled
    assert mind.life.compile_soon() is None


def branching(age, half_life, importance, recalls):
    if age > half_life:
        return 0.0
    return 1.0


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (branching, "fails on arrays"),
        (lambda age: age, "fails on arrays"),
        (lambda a, h, i, r: np.log(a - 1.0), "gives nan"),
        (lambda a, h, i, r: 1.0 / a, "gives inf"),
        (lambda a, h, i, r: a[:3], "shape"),
        (lambda a, h, i, r: "strong", "fails on arrays"),
    ],
)
def test_a_rule_that_would_fail_in_a_sweep_is_refused_at_once(rule, message):
    with pytest.raises(ConfigError, match=message):
        Mind(rule=rule)
    with pytest.raises(ConfigError):
        checked_rule(rule)


def test_the_rule_of_the_house_passes():
    assert checked_rule(fade) is fade


@pytest.mark.parametrize(
    "bad",
    [
        {"half_lives": {"episodc": 5.0}},
        {"half_lives": {"episodic": 0.0}},
        {"half_lives": {"episodic": float("nan")}},
        {"importance_gain": -1.0},
        {"spacing_gain": float("inf")},
        {"summed_up_share": 0.0},
        {"forget_below": 1.0},
        {"max_memories": 0},
        {"protected_kinds": frozenset({"oath"})},
    ],
)
def test_settings_that_make_no_sense(bad):
    with pytest.raises(ConfigError):
        LifeSettings(**bad)
