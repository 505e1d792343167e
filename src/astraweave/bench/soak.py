"""Full load for a long time: what a process has gathered at its end that it did not have before.

A world with its embedded model, inside a 60 Hz loop. More thoughts than the model has places, some
of them held to a grammar, some dropped half-way; a thread that scores; characters that talk;
saves. Once everything that is meant to fill has filled (the memory for keys and values above all),
the process should grow no more, and with the world it should lose every thread and open file.
"""

from __future__ import annotations

import gc
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from astraweave.bench.bars import Bar
from astraweave.bench.case import Unavailable
from astraweave.bench.soak_load import Scorer, Talkers, Thinkers
from astraweave.core.clock import SystemClock
from astraweave.core.rng import RandomStreams
from astraweave.core.settings import Settings

if TYPE_CHECKING:
    from astraweave.world import World

__all__ = ["SoakFigures", "measure_soak"]

_FRAME_S = 1 / 60
_SAMPLES = 120
_GRACE_S = 5.0
"""A thread of the operating system ends a moment after it was joined."""
_LONG_ENOUGH_S = 300.0
"""Below that, the share by which memory grew is too much noise to be held to anything."""
_NOVELTIES = 150
"""Grammars; a model keeps fewer."""
_PROCESS = Path("/proc/self")


class SoakFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did, and what it left.

    Attributes
    ----------
    seconds, warm_up_s : float
        Of full load: measured, and before that.
    thoughts, scores, lines, saves : int
        What was done while it was measured.
    cancelled : int
        Thoughts and lines that were dropped half-way.
    failed : dict of str to int
        Errors that nothing in the load explains, by kind.
    rss_mb : list of float
        Resident memory at even distances.
    grown : float
        The last tenth of it over the first, less one; medians.
    prefixes_forgotten : int
        Kept prompts that made room: above 0, or memory for keys and values was never full.
    threads_left, files_left : list of str
        Names of what was not there before the world was opened, once it was closed.
    """

    seconds: float
    warm_up_s: float
    thoughts: int
    scores: int
    lines: int
    saves: int
    cancelled: int
    failed: dict[str, int]
    rss_mb: list[float]
    grown: float
    prefixes_forgotten: int
    threads_left: list[str]
    files_left: list[str]

    @property
    def bars(self) -> tuple[Bar, ...]:
        """What a soak is held to."""
        grown = self.grown if self.seconds >= _LONG_ENOUGH_S else None
        return (
            Bar(name="growth of memory", value=grown, limit=0.01, unit=""),
            Bar(name="threads left over", value=len(self.threads_left), limit=0, unit=""),
            Bar(name="files left open", value=len(self.files_left), limit=0, unit=""),
            Bar(name="unexplained errors", value=sum(self.failed.values()), limit=0, unit=""),
        )


def measure_soak(
    seconds: float = 600.0,
    *,
    settings: Settings | None = None,
    warm_up_s: float | None = None,
    thinkers: int = 24,
    seed: int = 0,
    progress: Callable[[float, float], None] | None = None,
) -> SoakFigures:
    """Run a world at full load.

    Parameters
    ----------
    seconds : float
        How long it is measured.
    settings : Settings, optional
        The models; default: what the environment says.
    warm_up_s : float, optional
        The same load before that, from when memory for keys and values is full and more grammars
        were seen than are kept (which is waited for `seconds` at most); default: a tenth of
        `seconds`.
    thinkers : int
        Thoughts at once, beside what is said and scored.
    seed : int
        Of everything that is drawn.
    progress : callable, optional
        Called about once a second with the seconds so far and resident memory in MB.

    Raises
    ------
    Unavailable
        The operating system does not tell threads, files and memory as Linux does, or the settings
        name no language model.
    """
    from astraweave.world import World

    if not (_PROCESS / "fd").is_dir():
        raise Unavailable("threads, open files and memory are read from /proc, which is not here")
    warm_up_s = seconds / 10 if warm_up_s is None else warm_up_s
    # What an event loop makes once in a process (libuv: a pipe) belongs to no world.
    with (
        tempfile.TemporaryDirectory(prefix="astraweave-") as folder,
        World.open(folder, settings=Settings(model="none", embedder="mock")),
    ):
        pass
    threads, files = _threads(), _files()
    with (
        tempfile.TemporaryDirectory(prefix="astraweave-") as folder,
        World.open(Path(folder) / "slot", settings=settings) as world,
    ):
        run = _Soak(world, thinkers, seed, progress)
        try:
            waited = run.fill(seconds)
            run.go_on(warm_up_s)
            before = run.counts()
            samples = run.go_on(seconds)
            done = run.counts()
            done.subtract(before)
        finally:
            run.stop()
        forgotten = run.forgotten
        failed = run.failed
    del run, world
    tenth = max(1, len(samples) // 10)
    return SoakFigures(
        seconds=seconds,
        warm_up_s=waited + warm_up_s,
        thoughts=done["thoughts"],
        scores=done["scores"],
        lines=done["lines"],
        saves=done["saves"],
        cancelled=done["cancelled"],
        failed=dict(failed),
        rss_mb=[round(each, 2) for each in samples],
        grown=statistics.median(samples[-tenth:]) / statistics.median(samples[:tenth]) - 1,
        prefixes_forgotten=forgotten,
        threads_left=_left(threads, _threads),
        files_left=_left(files, _files),
    )


class _Soak:
    """One world under load; used from the game's thread."""

    def __init__(
        self,
        world: World,
        thinkers: int,
        seed: int,
        progress: Callable[[float, float], None] | None,
    ) -> None:
        if world.scheduler is None:
            raise Unavailable("; ".join(world.notices) or "the settings name no language model")
        self._world = world
        self._model = world.scheduler.model
        self._clock = SystemClock()
        self._progress = progress
        draws = RandomStreams(seed)
        self._counts: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._thinkers = Thinkers(
            world.scheduler, thinkers, draws["thoughts"], self._counts, self.failed
        )
        self._talkers = Talkers(world, draws["lines"], self._counts, self.failed)
        self._scorer = Scorer(world.scheduler, draws["scores"])
        self._saved = self._said = self._start = self._clock.monotonic()

    @property
    def forgotten(self) -> int:
        """Kept prompts that made room so far."""
        from astraweave.llm import LocalLanguageModel

        return self._model.report().evicted if isinstance(self._model, LocalLanguageModel) else 0

    def counts(self) -> Counter[str]:
        """What was done so far."""
        return self._counts + Counter(scores=self._scorer.done)

    def fill(self, at_most: float) -> float:
        """Full load until all that is meant to fill is full; the seconds that it took."""
        start = self._clock.monotonic()
        usual, self._thinkers.novel = self._thinkers.novel, 1.0
        while not (self.forgotten and self._thinkers.novelties > _NOVELTIES):
            self.go_on(0.5)
            if self._clock.monotonic() > start + at_most:
                break
        self._thinkers.novel = usual
        return self._clock.monotonic() - start

    def go_on(self, seconds: float) -> list[float]:
        """Full load for so long; resident memory meanwhile, in MB."""
        samples: list[float] = []
        start = self._clock.monotonic()
        pause = seconds / _SAMPLES
        while (now := self._clock.monotonic()) < start + seconds:
            self._frame(now)
            if now >= start + len(samples) * pause:
                samples.append(_rss_mb())
            if self._progress is not None and now >= self._said + 1.0:
                self._said = now
                self._progress(now - self._start, _rss_mb())
            time.sleep(max(0.0, now + _FRAME_S - self._clock.monotonic()))
        return samples or [_rss_mb()]

    def stop(self) -> None:
        """End the load."""
        self._scorer.stop()
        self.failed.update(self._scorer.failed)

    def _frame(self, now: float) -> None:
        self._world.tick()
        self._thinkers.frame(now)
        self._talkers.frame(now)
        if now >= self._saved + 5.0:
            self._saved = now
            self._counts["saves"] += 1
            (self._world.save if self._counts["saves"] % 2 else self._world.flush)()


def _rss_mb() -> float:
    pages = int((_PROCESS / "statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _threads() -> Counter[str]:
    """Threads of the process by name, whoever made them."""
    names: Counter[str] = Counter()
    for task in (_PROCESS / "task").iterdir():
        try:
            names[(task / "comm").read_text(encoding="utf-8", errors="replace").strip()] += 1
        except OSError:  # it has just ended
            continue
    return names


def _files() -> Counter[str]:
    """What the process has open, but for the folder that lists it."""
    opened: Counter[str] = Counter()
    for handle in (_PROCESS / "fd").iterdir():
        try:
            target = str(handle.readlink())
        except OSError:
            continue
        if not target.startswith("/proc/"):
            opened[target] += 1
    return opened


def _left(before: Counter[str], look: Callable[[], Counter[str]]) -> list[str]:
    """What is there now and was not before; what is only just ending gets a moment."""
    gc.collect()
    clock = SystemClock()
    patience = clock.monotonic() + _GRACE_S
    while (left := look() - before) and clock.monotonic() < patience:
        time.sleep(0.05)
    return sorted(left.elements())


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m astraweave.bench.soak [SECONDS]``; the figures as JSON."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    said = itertools.count()

    def tell(so_far: float, rss: float) -> None:
        if next(said) % 15 == 0:
            sys.stderr.write(f"{so_far:6.0f} s {rss:8.1f} MB\n")

    figures = measure_soak(float(words[0]) if words else 600.0, progress=tell)
    document = msgspec.to_builtins(figures) | {
        "bars": [msgspec.to_builtins(bar) | {"met": bar.met} for bar in figures.bars]
    }
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")
    return 0 if all(bar.met is not False for bar in figures.bars) else 1


if __name__ == "__main__":
    sys.exit(main())
