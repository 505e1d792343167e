"""Whole conversations as they come, to be read: ``python -m astraweave.bench.conversations``.

Nothing is chosen among several runs and nothing is touched up: the seed decides what the player
says, and what is written is what was shown, each clause with its tier.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from astraweave.bench.meeting import LineRecord, hold_sitting
from astraweave.bench.sittings import draw
from astraweave.core.clock import ManualClock
from astraweave.core.rng import RandomStreams
from astraweave.core.settings import Settings
from astraweave.embeddings import EmbeddingClient
from astraweave.persona import Persona
from astraweave.world import World

__all__ = ["SPEAKERS", "Conversation", "hold_conversation", "main", "page_of"]

SPEAKERS = (
    "tam", "agnes", "anselm", "bartram", "elian", "hild", "jory", "marlow", "morwen", "wren",
)  # fmt: skip
"""Built-in personas, one a conversation."""

_DAY_S = 86_400.0
_AWAY_S = 3 * _DAY_S
_TELLINGS = 5
_QUESTIONS = 3
_MOVES: tuple[tuple[str, ...], ...] = (
    ("How are you?", "How is life treating you?", "How do you do?"),
    ("You are a liar and a cheat!", "You are a fool!", "I will break your bones!"),
    ("Why are you angry?", "How do you feel?", "What is wrong?"),
    ("I am sorry. I should not have said that.", "Forgive me, I lost my temper."),
    ("Can I help you with anything?", "Please lend me some money.", "Could you help me, please?"),
    ("I promise to bring you a basket of apples.", "I will bring you news from the coast."),
)
_SMALL = (
    "It looks like rain.",
    "What a long day it was.",
    "The roads are bad this year.",
    "I have walked since dawn.",
    "People say that the winter will be hard.",
)
_AGAIN = ("Hello again!", "Good day. I am back.", "Good morning!")
_MANNER = (
    "As it came: nothing was chosen or changed. What a model said is in italics; everything else "
    "is composed."
)
_ABOUT = (
    "Each has two sittings with a save and a load between. The seed decides what the player says; "
    "no run was chosen over another, and no line was touched. "
    "`python -m astraweave.bench.conversations` writes them anew."
)
_PARTING = ("Farewell.", "I must go now. Take care.", "Goodbye, and thank you.")


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation, as it came.

    Attributes
    ----------
    persona, name, role : str
        Who was talked to.
    seed : int
        What the player says was drawn from.
    model : str
        Which language model spoke; ``"none"``: all lines are composed.
    first, second : tuple of LineRecord
        The two sittings, three days of game time apart, with a save and a load between.
    """

    persona: str
    name: str
    role: str
    seed: int
    model: str
    first: tuple[LineRecord, ...]
    second: tuple[LineRecord, ...]


def hold_conversation(
    settings: Settings, persona: str, seed: int, *, embedder: EmbeddingClient | None = None
) -> Conversation:
    """Talk with a built-in persona in two sittings."""
    first, second = _said(seed)
    with tempfile.TemporaryDirectory(prefix="astraweave-") as folder:
        slot, clock = Path(folder) / "slot", ManualClock()
        with World.open(
            slot, settings=settings, seed=seed, clock=clock, embedder=embedder
        ) as world:
            before = hold_sitting(world, world.npc(persona, persona=persona), first)
            world.save()
            later = clock.now() + _AWAY_S
        clock = ManualClock()
        with World.open(slot, settings=settings, clock=clock, embedder=embedder) as world:
            clock.set(later)
            after = hold_sitting(world, world.npc(persona), second)
    who = Persona.builtin(persona)
    return Conversation(
        persona=persona,
        name=who.name,
        role=who.role,
        seed=seed,
        model=before.model,
        first=before.lines,
        second=after.lines,
    )


def _said(seed: int) -> tuple[list[str], list[str]]:
    """What the player says in both sittings."""
    dice = RandomStreams(seed)["bench.conversations"]
    drawn = draw(seed, turns=20)
    facts = [q.fact for q in drawn.questions if q.answerable][: _TELLINGS + 1]
    first = [dice.choice(_AGAIN[2:]), dice.choice(_SMALL), *facts[:2]]
    first += [dice.choice(options) for options in _MOVES]
    first += facts[2:_TELLINGS]
    first.append(dice.choice(_PARTING))
    asked = [q.question for q in drawn.questions if q.fact in facts][:_QUESTIONS]
    unknown = [q.question for q in drawn.questions if not q.answerable][:1]
    second = [dice.choice(_AGAIN[:2]), "What do you remember about me?", *asked, *unknown]
    second += [dice.choice(_SMALL), "Any news?", dice.choice(_PARTING)]
    return first, second


def page_of(talk: Conversation, number: int) -> str:
    """A conversation as a page in Markdown."""
    role = f", {talk.role}" if talk.role else ""
    lines = [
        f"# {number}. {talk.name}{role}",
        "",
        f"Seed {talk.seed}; language model: {talk.model}. {_MANNER}",
        "",
    ]
    for title, records in (("The first evening", talk.first), ("Three days later", talk.second)):
        lines += [f"## {title}", ""]
        for record in records:
            lines += [f"**You:** {record.said}", "", f"**{talk.name}:** {_marked(record)}", ""]
    return "\n".join(lines).rstrip() + "\n"


def _marked(record: LineRecord) -> str:
    said = []
    for tier, clause in zip(record.tiers, record.clauses, strict=True):
        text = clause.strip().replace("*", r"\*").replace("_", r"\_")
        said.append(f"*{text}*" if tier == "model" else text)
    return " ".join(said) or "(says nothing)"


def index_of(talks: Sequence[Conversation]) -> str:
    """The page that lists the others."""
    drafted = sum(r.drafted for r in _records(talks))
    shown = sum(r.shown for r in _records(talks))
    lines = [
        "# Ten conversations, as they came",
        "",
        _ABOUT,
        "",
        f"Clauses that the model drafted: {drafted}; shown: {shown}.",
        "",
        "```{toctree}",
        ":maxdepth: 1",
        "",
        *(f"{number:02d}_{talk.persona}" for number, talk in enumerate(talks, start=1)),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _records(talks: Sequence[Conversation]) -> Iterator[LineRecord]:
    for talk in talks:
        yield from talk.first
        yield from talk.second


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, and beside them all lines as JSON for `astraweave.bench.blind`."""
    parser = argparse.ArgumentParser(prog="python -m astraweave.bench.conversations")
    parser.add_argument("--out", type=Path, default=Path("docs/conversations"))
    parser.add_argument("--seed", type=int, default=1, help="of the first; the others follow")
    parser.add_argument("--lines", type=Path, help="also write all lines to this JSON-lines file")
    parser.add_argument("--composed", action="store_true", help="without a language model")
    parser.add_argument("--only-lines", action="store_true", help="write no pages")
    given = parser.parse_args(arguments)
    settings = Settings.from_environment()
    if given.composed:
        settings = msgspec.structs.replace(settings, model="none")
    talks = []
    for number, persona in enumerate(SPEAKERS):
        sys.stderr.write(f"{number + 1} of {len(SPEAKERS)}: {persona}\n")
        talks.append(hold_conversation(settings, persona, given.seed + number))
    if not given.only_lines:
        given.out.mkdir(parents=True, exist_ok=True)
        for number, talk in enumerate(talks, start=1):
            page = given.out / f"{number:02d}_{talk.persona}.md"
            page.write_text(page_of(talk, number), encoding="utf-8")
        (given.out / "index.md").write_text(index_of(talks), encoding="utf-8")
    if given.lines is not None:
        rows = [
            {"name": talk.name, "role": talk.role, "said": record.said, "line": record.line}
            for talk in talks
            for record in (*talk.first, *talk.second)
        ]
        given.lines.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
