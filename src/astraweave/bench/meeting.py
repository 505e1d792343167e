"""One sitting with a character inside a 60 Hz loop, measured as the player feels it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from astraweave.bench.loop import FrameLoop, FrameReport
from astraweave.core.clock import monotonic_ns

if TYPE_CHECKING:
    from astraweave.world import Npc, Reply, World

__all__ = ["LineRecord", "SittingReport", "hold_sitting", "hold_talk"]


class LineRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One utterance and its answer.

    Attributes
    ----------
    said, line : str
        What the player said and what was shown.
    tiers : tuple of str
        The tier of each clause.
    clauses : tuple of str
        The clauses.
    memories : tuple of str
        Texts of the memories that the line rests on.
    first_word_ms, line_ms : float
        From the call of `say` to the frame that showed the first text and the last.
    drafted, passed, shown : int
        Clauses of the model: written, through the check, and shown.
    model_first_clause_ms, model_line_ms : float or None
        The model's own first checked clause and the end of its line; None: it gave none.
    """

    said: str
    line: str
    tiers: tuple[str, ...]
    clauses: tuple[str, ...]
    memories: tuple[str, ...]
    first_word_ms: float
    line_ms: float
    drafted: int
    passed: int
    shown: int
    model_first_clause_ms: float | None
    model_line_ms: float | None
    npc: str = ""
    """Who answered."""


class SittingReport(msgspec.Struct, frozen=True, kw_only=True):
    """A whole sitting."""

    lines: tuple[LineRecord, ...]
    frames: FrameReport
    tiers: dict[str, int]
    completion_tokens: int
    decode_ms: float
    model: str
    provider: str
    rss_mb: float


def hold_sitting(
    world: World,
    npc: Npc,
    utterances: Sequence[str],
    *,
    on_said: Callable[[str], None] = lambda text: None,
    on_text: Callable[[str], None] = lambda text: None,
    on_line: Callable[[LineRecord], None] = lambda record: None,
) -> SittingReport:
    """Say everything in turn, each as soon as the last is answered, while the loop runs."""
    talk = [(npc, said) for said in utterances]
    return hold_talk(world, talk, on_said=on_said, on_text=on_text, on_line=on_line)


def hold_talk(
    world: World,
    talk: Sequence[tuple[Npc, str]],
    *,
    on_said: Callable[[str], None] = lambda text: None,
    on_text: Callable[[str], None] = lambda text: None,
    on_line: Callable[[LineRecord], None] = lambda record: None,
) -> SittingReport:
    """`hold_sitting` with several characters: whom to say what, in order."""
    loop = FrameLoop()
    records = []
    for npc, said in talk:
        on_said(said)
        record = _exchange(world, npc, said, loop, on_text)
        on_line(record)
        records.append(record)
    tiers = Counter(tier for record in records for tier in record.tiers)
    decode = world.telemetry.spans().get("llm.decode")  # one span a token
    info = world.model_info
    return SittingReport(
        lines=tuple(records),
        frames=loop.report(),
        tiers=dict(tiers),
        completion_tokens=decode.count if decode else 0,
        decode_ms=decode.total_ms if decode else 0.0,
        model=info.id if info else "none",
        provider=info.provider if info else "",
        rss_mb=peak_rss_mb(),
    )


def _exchange(
    world: World, npc: Npc, said: str, loop: FrameLoop, on_text: Callable[[str], None]
) -> LineRecord:
    def tick() -> None:
        world.tick(budget_us=500)

    loop.resume()  # what happened between two lines is no part of the game
    asked = monotonic_ns()
    reply: Reply = npc.say(said)
    first = 0
    while not reply.done:
        loop.frame(tick)
        if text := reply.take():
            first = first or monotonic_ns()
            on_text(text)
    ended = monotonic_ns()
    report = reply.report
    texts = (npc.memory(key) for key in reply.memories)
    return LineRecord(
        said=said,
        line=reply.text,
        tiers=reply.tiers,
        clauses=tuple(clause.text for clause in reply.clauses),
        memories=tuple(memory.text for memory in texts if memory is not None),
        first_word_ms=((first or ended) - asked) / 1e6,
        line_ms=(ended - asked) / 1e6,
        drafted=report.drafted if report else 0,
        passed=report.passed if report else 0,
        shown=report.shown if report else 0,
        model_first_clause_ms=report.model_first_clause_ms if report else None,
        model_line_ms=report.model_line_ms if report else None,
        npc=npc.id,
    )


def peak_rss_mb() -> float:
    """Largest resident memory of this process so far, in MB; 0 where it cannot be read."""
    try:  # Linux: getrusage would count what the parent process held before it started this one
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    except (OSError, IndexError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)
