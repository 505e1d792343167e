"""Worlds killed at random moments: what was acknowledged is there, and the rest is whole.

``python -m astraweave.bench.kills 500`` runs a child that plays, saves, flushes and goes back to
older saves as fast as it can, and says through a pipe what has been acknowledged. The parent kills
it (SIGKILL) at a random moment, often right inside a save, opens a copy of the slot as a game
would, once plainly and once with ``recover=True``, and compares. Then the next child goes on.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from astraweave.core.clock import ManualClock
from astraweave.core.rng import RandomStreams
from astraweave.core.settings import Settings
from astraweave.core.worldview import Entity
from astraweave.errors import AstraweaveError
from astraweave.world import World

__all__ = ["KillFigures", "measure_kills"]

_SETTINGS = Settings(model="none", embedder="mock")
_LINES = ("My dog is called Biscuit.", "Where is the old mill?", "The bridge is down.")
_KEPT = 4
_BALLAST = 1 << 18
"""Bytes of a world that do not change: so saves go behind those before, as in a large one."""
_CAST = 3
_NAMED = 6
"""Saves with a name that a child leaves; one more of them than the parent asks for."""


class KillFigures(msgspec.Struct, kw_only=True):
    """What the kills have met, and what they have cost.

    Attributes
    ----------
    kills : int
        Children killed.
    inside_a_save : int
        So many of them while a save was being written.
    the_new_save : int
        Saves that stood though nobody had been told yet.
    after_a_load : int
        Kills after an older save was loaded and before the next save.
    recovered : int
        Openings that went on from a dead session.
    replayed : int
        Recovered journals that replay to the state that was recovered.
    loaded : int
        Older saves that were loaded again and had the hash that was acknowledged.
    lost : list of str
        Acknowledged work that was not there. None is the bar.
    unreadable : list of str
        Worlds that did not open or were not whole. None is the bar.
    """

    kills: int = 0
    inside_a_save: int = 0
    the_new_save: int = 0
    after_a_load: int = 0
    recovered: int = 0
    replayed: int = 0
    loaded: int = 0
    lost: list[str] = []
    unreadable: list[str] = []


class _Told(msgspec.Struct):
    """What children have acknowledged so far, and what they had begun."""

    saved: int = 0
    saving: int = 0
    flushed: int = 0
    reached: int = 0
    loading: bool = False
    saves: dict[str, str] = {}
    """Hash of the state of every named save, by name."""

    def hear(self, line: str) -> None:
        what, number, *more = line.split()
        step = int(number)
        self.reached = max(self.reached, step)
        if what == "saving":
            self.saving = step
        elif what == "saved":
            self.saved = self.flushed = step
            self.loading = False
            if len(more) > 1:
                self.saves[more[1]] = more[0]
        elif what == "deleting":
            self.saves.pop(more[0] if more else "", None)
        elif what == "flushed":
            self.flushed, self.loading = step, False
        elif what == "loading":  # what no save has is given up
            self.flushed, self.loading = 0, True


def measure_kills(
    folder: Path,
    kills: int,
    *,
    seed: int = 1,
    progress: Callable[[KillFigures], object] = lambda figures: None,
) -> KillFigures:
    """Kill that many worlds, one after the other, in a slot in `folder`.

    Parameters
    ----------
    folder : Path
        An empty one.
    kills : int
        How many.
    seed : int
        Of the moments and of what the children do.
    progress : callable
        Told the figures so far, after every kill.
    """
    draw, figures, told = RandomStreams(seed)["kills"], KillFigures(), _Told()
    slot = folder / "slot"
    for number in range(kills):
        _run_and_kill(slot, told, draw, seed * 100_003 + number)
        figures.kills += 1
        figures.inside_a_save += told.saving > told.saved
        figures.after_a_load += told.loading
        told = _check(slot, folder / "copy", told, draw, figures)
        progress(figures)
    return figures


def _run_and_kill(slot: Path, told: _Told, draw: random.Random, seed: int) -> None:
    command = [sys.executable, "-m", "astraweave.bench.kills", "--child", str(slot), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:  # noqa: S603
        assert child.stdout is not None, "it was asked for"
        pipe = child.stdout.fileno()
        heard = b""
        if draw.random() < 0.1:  # while it opens the slot, or before
            select.select([], [], [], 0.2 + draw.random() * 0.4)
        else:
            heard = os.read(pipe, 1 << 16)
            select.select([], [], [], draw.choice((0.0, draw.random() * 0.05, draw.random() * 0.3)))
            if draw.random() < 0.5:  # not just any moment: right inside the next save
                more = b"-"
                while more and b"saving" not in more:
                    more = os.read(pipe, 1 << 16)
                    heard += more
                select.select([], [], [], draw.random() * 0.012)
        child.send_signal(signal.SIGKILL)
        heard += child.stdout.read()
    for line in heard.decode().split("\n")[:-1]:
        told.hear(line)


def _check(slot: Path, copy: Path, told: _Told, draw: random.Random, figures: KillFigures) -> _Told:
    """Compare what is there with what was told; what the next child goes on from."""
    plain = _opened(slot, copy, told, draw, figures, recover=False)
    if plain not in (None, told.saved, told.saving):
        figures.lost.append(f"save {told.saved} (found {plain})")
    recovered = _opened(slot, copy, told, draw, figures, recover=True)
    if recovered is not None and recovered < told.flushed:
        figures.lost.append(f"flush {told.flushed} (found {recovered})")
    step = told.saved if plain is None else plain
    kept = told.flushed if recovered is None else recovered
    figures.the_new_save += step > told.saved
    return _Told(
        saved=step,
        saving=step,
        flushed=kept,
        reached=max(told.reached, kept),
        saves=told.saves,
    )


def _opened(
    slot: Path,
    copy: Path,
    told: _Told,
    draw: random.Random,
    figures: KillFigures,
    *,
    recover: bool,
) -> int | None:
    """The step that a copy of the slot is at, all of it; None where it does not open."""
    shutil.rmtree(copy, ignore_errors=True)
    if slot.exists():
        shutil.copytree(slot, copy)
    try:
        with World.open(
            copy, settings=_SETTINGS, clock=ManualClock(), recover=recover, keep_saves=_KEPT
        ) as world:
            step = world.get("step", int) or 0
            if problem := _wrong(world, step):
                figures.unreadable.append(problem)
            if recover:
                left = world.export_journal(copy / "session.awj")
                figures.recovered += bool(left.events)
                if World.replay(left).hash == world.state_hash:
                    figures.replayed += bool(left.events)
                else:
                    figures.unreadable.append(f"the journal of step {step}")
            elif told.saves:
                name = draw.choice(sorted(told.saves))
                info = world.load(name)
                if {info.state_hash, world.state_hash} != {told.saves[name]}:
                    figures.lost.append(f"named save {name}")
                figures.loaded += 1
            return step
    except AstraweaveError as error:
        figures.unreadable.append(f"{type(error).__name__}: {error}")
        return None


def _wrong(world: World, step: int) -> str:
    """What of a step is missing; it is written in the order of the steps, so none may be."""
    if step == 0:
        return ""
    npc = world.npcs.get(f"npc{step % _CAST}")
    if npc is None or not any(
        found.memory.text == _news(step) for found in npc.recall(_news(step))
    ):
        return f"step {step} is not whole"
    return ""


def _news(step: int) -> str:
    return f"The cart with the number {step} came through the gate."


def _child(slot: Path, seed: int) -> None:
    draw = RandomStreams(seed)["child"]
    clock = ManualClock()

    def tell(*words: object) -> None:
        os.write(1, (" ".join(map(str, words)) + "\n").encode())

    with World.open(slot, settings=_SETTINGS, clock=clock, recover=True, keep_saves=_KEPT) as world:
        cast = [world.npc(f"npc{n}", persona="tam") for n in range(_CAST)]
        step = max([world.get("step", int) or 0, *(info.note["step"] for info in world.saves())])
        if world.get("ballast", bytes) is None:
            world.put("ballast", draw.randbytes(_BALLAST))
        tell("opened", step)
        while True:
            step += 1
            clock.advance(1.0)
            cast[step % _CAST].remember(_news(step))
            world.put("step", step)
            world.view.add(Entity(id=f"cart{step % 20}", name=f"cart {step}"))
            cast[draw.randrange(_CAST)].say(draw.choice(_LINES))
            for _ in range(draw.randrange(4)):
                world.tick()
            what = draw.random()
            if what < 0.4:
                name = f"kept-{step}" if draw.random() < 0.1 else ""
                tell("saving", step)
                info = world.save({"step": step}, name=name)
                tell("saved", step, info.state_hash, name)
                named = [save for save in world.saves() if save.name]
                if len(named) > _NAMED:
                    tell("deleting", step, named[0].name)
                    world.delete_save(named[0].id)
            elif what < 0.7:
                world.flush()
                tell("flushed", step)
            elif what < 0.73 and (saves := world.saves()):
                tell("loading", step)
                world.load(draw.choice(saves).id)


def main() -> None:
    """``python -m astraweave.bench.kills [KILLS [SEED]]``; the figures as JSON, of Ctrl-C too."""
    if sys.argv[1:2] == ["--child"]:
        _child(Path(sys.argv[2]), int(sys.argv[3]))
        return
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1

    figures = KillFigures()

    def progress(so_far: KillFigures) -> None:
        nonlocal figures
        figures = so_far
        full = 40 * figures.kills // kills
        bar = f"\rkills [{'#' * full}{' ' * (40 - full)}] {figures.kills}/{kills}"
        sys.stderr.write(bar + f", lost {len(figures.lost) + len(figures.unreadable)}")
        sys.stderr.flush()

    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        measure_kills(Path(folder), kills, seed=seed, progress=progress)
    sys.stderr.write("\n")
    sys.stdout.write(json.dumps(msgspec.to_builtins(figures), indent=2) + "\n")


if __name__ == "__main__":
    main()
