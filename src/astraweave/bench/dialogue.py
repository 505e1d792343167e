"""How long a player waits for a line: talk with eight characters inside a 60 Hz loop.

Two passes over the same utterances. The first one runs as games do: what the model has not said by
the deadline is composed. That cuts off how long the model itself would take, so the second pass
gives it more time, and only the model's own times are read from it.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from astraweave.bench.bars import Bar
from astraweave.bench.loop import FrameReport, quantile
from astraweave.bench.meeting import LineRecord, SittingReport, hold_talk
from astraweave.bench.sittings import MIN_TURNS, draw
from astraweave.core.clock import ManualClock
from astraweave.core.settings import Settings
from astraweave.dialogue.repair import normal
from astraweave.dialogue.situation import RECENT_LINES
from astraweave.world import World
from astraweave.world.world import DEFAULT_DEADLINE_S

__all__ = ["CAST", "DialogueFigures", "measure_dialogue", "repeats", "talk_of"]

RELAXED_DEADLINE_S = 1.2

CAST = ("tam", "agnes", "anselm", "jory", "marlow", "morwen", "nell", "wren")
"""Built-in personas who are talked to, each a part of the turns."""
_QUESTIONS = 10
_AT_A_TIME = 7
"""Turns with one character before the player turns to the next."""


class DialogueFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What one run measured; durations in milliseconds, as the frame that shows the text sees them.

    Attributes
    ----------
    turns : int
        Utterances of each pass.
    first_word_ms_p50, first_word_ms_p95, line_ms_p50, line_ms_p95 : float
        Of any tier, under the deadline that games have.
    personas : int
        How many characters were talked to, in turn.
    repeats : int
        Lines that their character had said already within its last twenty, both passes.
    tiers : dict of str to int
        Clauses shown a tier, first pass.
    drafted, passed, shown : int
        Clauses of the model, first pass.
    model_lines : int
        Lines of the second pass to which the model contributed a checked clause.
    model_first_clause_ms_p50, model_first_clause_ms_p95 : float or None
        The model's own first checked clause, second pass.
    model_line_ms_p50, model_line_ms_p95 : float or None
        When the model had ended its part, in the lines that it contributed to; second pass.
    tokens_per_s : float
        While decoding, both passes.
    frames : FrameReport
        Of the first pass.
    model, provider : str
        What ran.
    rss_mb : float
        Peak of this process.
    """

    turns: int
    first_word_ms_p50: float
    first_word_ms_p95: float
    line_ms_p50: float
    line_ms_p95: float
    personas: int
    repeats: int
    tiers: dict[str, int]
    drafted: int
    passed: int
    shown: int
    model_lines: int
    model_first_clause_ms_p50: float | None
    model_first_clause_ms_p95: float | None
    model_line_ms_p50: float | None
    model_line_ms_p95: float | None
    tokens_per_s: float
    frames: FrameReport
    model: str
    provider: str
    rss_mb: float

    @property
    def bars(self) -> tuple[Bar, ...]:
        """What a line is held to."""
        clause, line = self.model_first_clause_ms_p95, self.model_line_ms_p95
        return (
            Bar(name="first word p95", value=self.first_word_ms_p95, limit=100.0, unit="ms"),
            Bar(name="whole line p95", value=self.line_ms_p95, limit=500.0, unit="ms"),
            Bar(name="model, first checked clause p95", value=clause, limit=600.0, unit="ms"),
            Bar(name="model, line p95", value=line, limit=900.0, unit="ms"),
            Bar(name="lines said again within 20", value=float(self.repeats), limit=0.0, unit=""),
        )


def measure_dialogue(
    settings: Settings,
    *,
    turns: int = 200,
    seed: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> DialogueFigures:
    """Talk through `turns` drawn utterances twice, each time in a new world.

    Parameters
    ----------
    settings : Settings
        The models.
    turns, seed : int
        How much is said in each pass, and what (see `talk_of`).
    progress : callable, optional
        Called with turns done and turns in all.
    """
    cast = CAST[: max(1, min(len(CAST), turns // (MIN_TURNS + _QUESTIONS)))]
    talk = talk_of(cast, seed, turns=turns)
    done = 0

    def told(_: LineRecord) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, 2 * len(talk))

    def sitting(deadline_s: float) -> SittingReport:
        with (
            tempfile.TemporaryDirectory(prefix="astraweave-") as folder,
            World.open(
                Path(folder),
                settings=settings,
                seed=seed,
                clock=ManualClock(),
                deadline_s=deadline_s,
            ) as world,
        ):
            npcs = {name: world.npc(name, persona=name) for name in cast}
            return hold_talk(world, [(npcs[name], said) for name, said in talk], on_line=told)

    played = sitting(DEFAULT_DEADLINE_S)
    relaxed = sitting(RELAXED_DEADLINE_S)
    words = sorted(record.first_word_ms for record in played.lines)
    lines = sorted(record.line_ms for record in played.lines)
    own = [record for record in relaxed.lines if record.model_first_clause_ms is not None]
    decode_s = (played.decode_ms + relaxed.decode_ms) / 1e3
    tokens = played.completion_tokens + relaxed.completion_tokens
    return DialogueFigures(
        turns=len(talk),
        personas=len(cast),
        repeats=sum(
            repeats(record.line for record in each.lines if record.npc == name)
            for each in (played, relaxed)
            for name in cast
        ),
        first_word_ms_p50=quantile(words, 0.5),
        first_word_ms_p95=quantile(words, 0.95),
        line_ms_p50=quantile(lines, 0.5),
        line_ms_p95=quantile(lines, 0.95),
        tiers=played.tiers,
        drafted=sum(record.drafted for record in played.lines),
        passed=sum(record.passed for record in played.lines),
        shown=sum(record.shown for record in played.lines),
        model_lines=len(own),
        model_first_clause_ms_p50=_quantile([r.model_first_clause_ms for r in own], 0.5),
        model_first_clause_ms_p95=_quantile([r.model_first_clause_ms for r in own], 0.95),
        model_line_ms_p50=_quantile([r.model_line_ms for r in own], 0.5),
        model_line_ms_p95=_quantile([r.model_line_ms for r in own], 0.95),
        tokens_per_s=tokens / decode_s if decode_s else 0.0,
        frames=played.frames,
        model=played.model,
        provider=played.provider,
        rss_mb=max(played.rss_mb, relaxed.rss_mb),
    )


def talk_of(cast: Sequence[str], seed: int, *, turns: int) -> list[tuple[str, str]]:
    """Who is told or asked what, in order: facts, small talk, and questions about the facts.

    The player talks to one character for a while, then to the next, and comes back.

    Parameters
    ----------
    cast : sequence of str
        Ids of the characters.
    seed : int
        Draws what is said.
    turns : int
        In all.
    """
    each = -(-turns // len(cast))
    said: dict[str, list[str]] = {}
    for number, name in enumerate(cast):
        drawn = draw(seed + number, turns=max(MIN_TURNS, each - _QUESTIONS))
        asked = [question.question for question in drawn.questions]
        said[name] = [*drawn.first, *asked][:each]
    talk: list[tuple[str, str]] = []
    for begin in range(0, each, _AT_A_TIME):
        for name in cast:
            talk += [(name, text) for text in said[name][begin : begin + _AT_A_TIME]]
    return talk[:turns]


def repeats(lines: Iterable[str]) -> int:
    """How many of one character's lines stand, word for word, among the twenty before them."""
    recent: deque[str] = deque(maxlen=RECENT_LINES)
    count = 0
    for line in lines:
        count += normal(line) in recent
        recent.append(normal(line))
    return count


def _quantile(values: list[float | None], q: float) -> float | None:
    known = sorted(value for value in values if value is not None)
    return quantile(known, q) if known else None
