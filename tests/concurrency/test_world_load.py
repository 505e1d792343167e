"""Many characters, lines, cancels, saves and flushes at once: every line ends, nothing is lost."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

import astraweave as aw
from astraweave.errors import Cancelled
from astraweave.llm import ScriptedModel

SETTINGS = aw.Settings(model="none", embedder="mock")
CAST = [f"npc{n}" for n in range(8)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_hundred_lines_in_flight(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    model = ScriptedModel(["A fine day for it.", "The roof wants mending."] * 200, delay=0.002)
    said: dict[str, list[str]] = {npc: [] for npc in CAST}
    with aw.World.open(tmp_path, settings=SETTINGS, model=model, deadline_s=0.2) as world:
        cast = {npc: world.npc(npc, persona="tam") for npc in CAST}
        replies, dropped = [], set()
        for number in range(200):
            npc = draw.choice(CAST)
            text = f"I have {number} apples, and the day is fine."
            replies.append(cast[npc].say(text, speaker=f"player{number % 3}"))
            said[npc].append(text)
            if draw.random() < 0.2:
                chosen = draw.choice(replies)
                chosen.cancel()
                dropped.add(chosen)
            if draw.random() < 0.1:
                world.save() if draw.random() < 0.5 else world.flush()
            if draw.random() < 0.5:
                world.tick()
            if draw.random() < 0.1:
                cast[npc].remember(f"Cart {number} has passed the gate.")
        assert world.deliver_until(lambda: all(reply.done for reply in replies), 120)
        assert world.tick().speaking == 0
        for reply in replies:
            assert reply.error is None or (reply in dropped and isinstance(reply.error, Cancelled))
            assert reply.text or reply.error
        world.save()
        live = {npc: list(cast[npc].history) for npc in CAST}
        counts = {npc: cast[npc].memory_count for npc in CAST}
        assert not any(name.startswith("world.unkept") for name in world.telemetry.counters)
    shown = {(reply.npc, reply.utterance): reply for reply in replies}
    with aw.World.open(tmp_path, settings=SETTINGS) as world:
        for npc in CAST:
            kept = list(world.npc(npc).history)
            assert [(t.role, t.text) for t in kept] == [(t.role, t.text) for t in live[npc]]
            assert world.npc(npc).memory_count == counts[npc]
            heard = [turn.text for turn in kept if turn.role == "user"]
            order = [said[npc].index(text) for text in heard]
            assert order == sorted(order)
            for first, second in itertools.pairwise(kept):
                if first.role == "user" and second.role == "assistant":
                    assert shown[npc, first.text].text == second.text
                elif first.role == "user":  # cut off before a word was said
                    assert shown[npc, first.text].text == ""


def test_two_worlds_live_side_by_side(tmp_path: Path) -> None:
    fast, slow = ScriptedModel(["A fine day."] * 40), ScriptedModel(["Slow."] * 40, delay=0.02)
    with (
        aw.World.open(tmp_path / "one", settings=SETTINGS, model=fast) as one,
        aw.World.open(tmp_path / "two", settings=SETTINGS, model=slow) as two,
    ):
        replies = [
            world.npc("tam", persona="tam").say(f"I own {n} sheep.")
            for n in range(20)
            for world in (one, two)
        ]
        for reply in replies:
            reply.wait()
        assert [len(world.npc("tam").history) for world in (one, two)] == [20, 20]
