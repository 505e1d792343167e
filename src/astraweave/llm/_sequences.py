"""Every open sequence of the backend: those of running jobs, and those kept for who comes next.

What has been computed once is not computed again: a new job begins with a fork of whatever shares
the longest beginning with it. That may also be a job that is still at its prompt; then it pays to
wait until that one has passed their last common token.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from astraweave.errors import AstraweaveError, CapacityError
from astraweave.llm._backend import DecoderBackend
from astraweave.llm._jobs import Job
from astraweave.llm._prefixes import PrefixTree

__all__ = ["Outlook", "Sequences"]


@dataclass(eq=False, slots=True)
class _Kept:
    sequence: int
    tokens: list[int]


@dataclass(frozen=True, slots=True)
class Outlook:
    """How much of a job need not be computed.

    Attributes
    ----------
    now : int
        Tokens that it can begin with at once.
    soon : int
        Tokens that it could begin with when `behind` has computed them.
    behind : Job or None
        Who is computing them.
    """

    now: int
    soon: int
    behind: Job | None


class Sequences:
    """Opens, shares, keeps and forgets sequences. Used by one thread.

    Parameters
    ----------
    backend : DecoderBackend
        Whose they are.
    grid : int
        0, or: only prompts are kept and shared, in multiples of this many tokens.
    """

    def __init__(self, backend: DecoderBackend, *, grid: int = 0) -> None:
        self._backend = backend
        self._grid = grid
        self._kept: PrefixTree[_Kept] = PrefixTree()
        self._running: PrefixTree[Job] = PrefixTree()
        self._by_age: dict[int, _Kept] = {}
        self.evicted = 0

    @property
    def kept(self) -> int:
        """How many sequences are kept that no job runs on."""
        return len(self._by_age)

    def look(self, job: Job) -> Outlook:
        """What a job could begin with, now or soon."""
        wanted = job.known[: job.reusable]
        now = self._usable(self._kept.match(wanted)[0])
        soon, jobs = self._running.match(wanted)
        soon = self._usable(soon)
        if soon <= now:
            return Outlook(now, now, None)
        behind = max(jobs, key=lambda other: other.computed)
        ready = self._usable(min(soon, behind.computed))
        return Outlook(max(now, ready), soon, behind)

    def start(self, job: Job) -> None:
        """Give a job its sequence.

        Raises
        ------
        CapacityError
            There is no room, and nothing kept that could be forgotten; the job is as it was.
        """
        wanted = job.known[: job.reusable]
        depth, holders = self._kept.match(wanted)
        kept = self._usable(depth)
        outlook = self.look(job)
        if outlook.behind is not None and outlook.now > kept:
            assert outlook.behind.sequence is not None, "it is running"
            job.sequence = self._fork(outlook.behind.sequence, outlook.now, None)
        elif kept:
            job.sequence = self._continue(holders[0], wanted, kept)
        else:
            job.sequence = self._open()
        job.computed = outlook.now
        if job.reused is None:
            job.reused = outlook.now
        shared = job.known[: job.prompt_tokens] if self._grid else job.known
        self._running.add(shared, job)

    def end(self, job: Job, *, keep: bool) -> None:
        """A job has ended, or goes back to the queue; keep what it has computed, or not."""
        sequence, job.sequence = job.sequence, None
        if sequence is None:
            return
        self._running.remove(job)
        count = self._usable(min(job.keepable, job.prompt_tokens)) if self._grid else job.keepable
        job.computed, computed = 0, job.computed
        if not keep or count == 0:
            self._release(sequence)
            return
        if count < computed:
            self._backend.truncate(sequence, count)
        self._keep(sequence, job.known[:count])

    def make_room(self, *, sparing: Sequence[int] = ()) -> bool:
        """Forget the kept sequence that was used least recently; False: there is none."""
        for kept in self._by_age.values():
            if kept.sequence not in sparing:
                self._forget(kept)
                self._release(kept.sequence)
                self.evicted += 1
                return True
        return False

    def source(self, job: Job) -> Sequence[int]:
        """The kept sequences that a job would begin with: none of them should make room for it."""
        depth, holders = self._kept.match(job.known[: job.reusable])
        return [holder.sequence for holder in holders[:1]] if self._usable(depth) else ()

    def forget_all(self) -> None:
        """Let go of everything that is kept."""
        while self.make_room():
            pass

    def _usable(self, tokens: int) -> int:
        return tokens - tokens % self._grid if self._grid else tokens

    def _continue(self, kept: _Kept, wanted: list[int], tokens: int) -> int:
        """A sequence that begins with `tokens` of a kept one; that one itself where it can be."""
        for whole in self._kept.inside(wanted):
            if len(whole.tokens) == tokens:
                self._forget(whole)
                return whole.sequence
        self._touch(kept)
        try:
            return self._fork(kept.sequence, tokens, kept)
        except CapacityError:
            self._forget(kept)
            self._backend.truncate(kept.sequence, tokens)
            return kept.sequence

    def _fork(self, sequence: int, tokens: int, source: _Kept | None) -> int:
        sparing = () if source is None else (source.sequence,)
        while True:
            try:
                return self._backend.fork(sequence, tokens)
            except CapacityError:
                if not self.make_room(sparing=sparing):
                    raise

    def _open(self) -> int:
        while True:
            try:
                return self._backend.open()
            except CapacityError:
                if not self.make_room():
                    raise

    def _keep(self, sequence: int, tokens: list[int]) -> None:
        depth, holders = self._kept.match(tokens)
        if depth == len(tokens):  # somebody has all of it, and perhaps more
            self._touch(holders[0])
            self._release(sequence)
            return
        for older in self._kept.inside(tokens):
            self._forget(older)
            self._release(older.sequence)
        kept = _Kept(sequence, tokens)
        self._kept.add(tokens, kept)
        self._by_age[sequence] = kept

    def _touch(self, kept: _Kept) -> None:
        self._by_age[kept.sequence] = self._by_age.pop(kept.sequence)

    def _forget(self, kept: _Kept) -> None:
        self._kept.remove(kept)
        del self._by_age[kept.sequence]

    def _release(self, sequence: int) -> None:
        with contextlib.suppress(AstraweaveError):  # after a failure it may be undefined
            self._backend.release(sequence)
