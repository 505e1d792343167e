"""Real SIGKILLs at random moments of saves and writes: nothing acknowledged is ever lost.

A child process works on one slot and says through a pipe what is acknowledged, that is, what
`save()` and `flush()` have returned for. The parent kills it at a random moment, opens the slot as
a game would, and compares. Then the next child goes on in the same slot.
"""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import numpy as np
import pytest

from astraweave.bench.kills import KillFigures, measure_kills
from astraweave.core.clock import ManualClock
from astraweave.embeddings import MockEmbeddingClient
from astraweave.rag import MemoryStore
from astraweave.world import Slot

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")

# Counts up; every step adds one memory and one event and sets the counter, so that a state that is
# not whole shows at once. Says "w N" before it begins to save N, "s N" and "f N" when save() and
# flush() have returned.
CHILD = """
    import os, sys
    from astraweave.core.clock import ManualClock
    from astraweave.embeddings import MockEmbeddingClient
    from astraweave.rag import Memory, MemoryStore
    from astraweave.world import Slot

    def say(what, n):
        os.write(1, f"{what} {n}\\n".encode())

    slot = Slot.open(sys.argv[1], clock=ManualClock(), recover=True)
    store = MemoryStore(slot.connection, MockEmbeddingClient(8))
    slot.attach(store)
    step = slot.state.get("step", int, 0)
    say("o", step)
    while True:
        step += 1
        slot.state.put("step", step)
        slot.state.put(f"weight/{step % 7}", os.urandom(40_000))
        store.add(Memory(owner="tam", text=f"step {step}"), embed=step % 2 == 0)
        slot.journal.record("step", {"n": step})
        if step % 40 == 0:
            store.delete(*store.ids("tam")[:20].tolist())
        if step % 3 == 0:
            say("w", step)
            slot.save()
            say("s", step)
        elif step % 3 == 1:
            say("v", step)
            slot.flush()
            say("f", step)
        else:
            slot.commit()
"""


class Told(msgspec.Struct):
    """What children have acknowledged so far, and what they had begun."""

    saved: int = 0
    saving: int = 0
    flushed: int = 0
    reached: int = 0

    def hear(self, line: str) -> None:
        what, _, number = line.partition(" ")
        n = int(number)
        self.reached = max(self.reached, n)
        if what == "s":
            self.saved = self.flushed = n
        elif what == "w":
            self.saving = n
        elif what == "f":
            self.flushed = n


def run_and_kill(slot: Path, told: Told, draw: random.Random) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(slot)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    pipe = child.stdout.fileno()
    first = b""
    if draw.random() < 0.15:  # while it opens the slot, or before, or soon after
        select.select([], [], [], 0.1 + draw.random() * 0.25)
    else:
        first = os.read(pipe, 1 << 16)
        select.select([], [], [], draw.choice((0.0, draw.random() * 0.02, draw.random() * 0.2)))
        if draw.random() < 0.5:  # not just any moment: right inside the next save
            heard = first
            while heard and b"w " not in heard[-200:]:
                heard = os.read(pipe, 1 << 16)
                first += heard
            select.select([], [], [], draw.random() * 0.006)
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read()
    errors = child.stderr.read().decode()
    child.wait()
    child.stdout.close()
    child.stderr.close()
    assert child.returncode == -signal.SIGKILL, errors
    lines = (first + rest).decode().split("\n")
    for line in lines[:-1]:
        told.hear(line)


def check(path: Path, *, recover: bool) -> tuple[int, bool]:
    """The step that a slot holds; it must hold all of that step."""
    with Slot.open(path, clock=ManualClock(), recover=recover) as slot:
        step = slot.state.get("step", int, 0)
        assert step is not None
        store = MemoryStore(slot.connection, MockEmbeddingClient(8))
        memories = store.for_owner("tam")
        if memories:
            assert memories[-1].text == f"step {step}"
            texts = [int(memory.text.split()[1]) for memory in memories]
            assert texts == list(range(texts[0], step + 1))
            scores = store.word_scores("tam", [(str(step), 1.0)])
            assert store.ids("tam")[scores > 0].tolist() == [memories[-1].id]
            embedded = ~np.isnan(store.cosines("tam", np.ones(8, np.float32)))
            assert embedded.sum() == sum(text % 2 == 0 for text in texts)
        else:
            assert step == 0
        events = [event.payload["n"] for event in slot.journal.events()]
        assert events == list(range(step - len(events) + 1, step + 1))
        (verdict,) = slot.connection.execute("PRAGMA integrity_check").fetchone()
        assert verdict == "ok"
        return step, slot.recovered


def kill_many(tmp_path: Path, kills: int, seed: int) -> dict[str, int]:
    draw = random.Random(seed)
    slot, copy = tmp_path / "slot", tmp_path / "copy"
    told = Told()
    seen = {"kills": 0, "inside a save": 0, "the new save": 0, "recovered": 0}
    for _ in range(kills):
        run_and_kill(slot, told, draw)
        seen["kills"] += 1
        seen["inside a save"] += told.saving > told.saved
        shutil.rmtree(copy, ignore_errors=True)
        if slot.exists():
            shutil.copytree(slot, copy)
        plain, _ = check(copy, recover=False)
        assert plain in {told.saved, told.saving}
        assert plain >= told.saved
        seen["the new save"] += plain > told.saved
        shutil.rmtree(copy, ignore_errors=True)
        if slot.exists():
            shutil.copytree(slot, copy)
        recovered, did = check(copy, recover=True)
        assert told.flushed <= recovered <= told.reached + 1
        assert recovered >= plain
        seen["recovered"] += did
        # The next child goes on from what is recovered; all of that counts as flushed now.
        told = Told(saved=plain, saving=plain, flushed=recovered, reached=recovered)
    assert told.reached > kills  # they did work
    return seen


def test_kills_at_random_moments(tmp_path):
    kill_many(tmp_path, kills=20, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_hundred_kills(tmp_path, request):
    if request.config.getoption("-m") != "slow":
        pytest.skip("a few minutes: run it with -m slow")
    seen = kill_many(tmp_path, kills=200, seed=2)
    print(seen)
    assert seen["kills"] == 200
    assert seen["inside a save"] > 20


def sound(figures: KillFigures, kills: int) -> None:
    assert figures.lost == []
    assert figures.unreadable == []
    assert figures.kills == kills
    assert figures.replayed == figures.recovered > kills // 4
    print(figures)


def test_whole_worlds_are_killed_at_random_moments(tmp_path):
    sound(measure_kills(tmp_path, 8, seed=5), 8)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_five_hundred_worlds_are_killed(tmp_path, request):
    if request.config.getoption("-m") != "slow":
        pytest.skip("ten minutes: run it with -m slow")
    sound(measure_kills(tmp_path, 500, seed=6), 500)
