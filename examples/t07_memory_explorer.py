"""Lesson 7: look into a head. A character's memories and their strengths over time, as a picture.

Without arguments Tam the smith lives through sixty days in a second: he hears things, some come to
mind again, three visits become one memory, a gate is shut that was open, and small talk is gone by
the evening. With a save and a character it draws what that one remembers now::

    python t07_memory_explorer.py --save saves/slot1 --npc tam --picture tam.png

Drawing needs matplotlib: ``pip install "astraweave[plots]"``.
"""

import argparse
import tempfile
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from astraweave.core.clock import ManualClock
from astraweave.embeddings import MockEmbeddingClient
from astraweave.errors import MissingExtraError
from astraweave.rag import Memory, MemoryLife, MemoryStore, NoveltyTable, RagPipeline
from astraweave.world import Slot

HOUR, DAY = 3600.0, 86_400.0
DAYS = 60
# Day, who speaks (nobody: Tam sees it), what.
LINES = (
    (0.4, "player", "Good morning, Tam!"),
    (0.5, "player", "My sister Mira lost a silver ring near the old mill."),
    (1.5, "player", "I promise to bring your hammer back."),
    (2.5, "", "The player came to the forge to have a blade mended."),
    (3.5, "player", "I am afraid of deep water."),
    (4.5, "mira", "The north gate is open."),
    (6.5, "", "The player came to the forge to have a blade mended."),
    (8.5, "hild", "Rurik and Tilda are married."),
    (10.5, "", "A cart of salt broke its axle at the ford."),
    (11.5, "", "The player came to the forge to have a blade mended."),
    (14.5, "hild", "Boil willow bark for an hour, then strain it twice."),
    (18.5, "mira", "The north gate is shut now."),
    (24.5, "player", "What do I owe you?"),
    (30.5, "", "Two knights of the Red Order rode past the forge."),
)
# Day, and words of what comes to mind: he is asked about it, or thinks of it himself.
RECALLS = (
    (6.0, "silver ring"),
    (16.0, "silver ring"),
    (38.0, "silver ring"),
    (26.0, "deep water"),
    (45.0, "salt"),
)
# Okabe and Ito's colours, told apart by colour-blind readers.
COLOURS = {
    "sensory": "#999999", "working": "#999999", "episodic": "#0072B2", "semantic": "#009E73",
    "emotional": "#CC79A7", "social": "#E69F00", "procedural": "#56B4E9",
}  # fmt: skip


@dataclass
class Course:
    """What is drawn of one memory."""

    memory: Memory
    protected: bool
    days: list[float] = field(default_factory=list)
    strengths: list[float] = field(default_factory=list)
    recalled: list[float] = field(default_factory=list)
    notes: list[tuple[float, str]] = field(default_factory=list)


def live(rag: RagPipeline) -> dict[int, Course]:
    """Sixty days of Tam, noted every two hours."""
    store, life = rag._store, rag.life
    courses: dict[int, Course] = {}
    for step in range(12 * DAYS + 1):
        day = step / 12
        now = day * DAY
        for _, speaker, text in (line for line in LINES if day <= line[0] < day + 1 / 12):
            for one in rag.remember_parts(
                text, owner="tam", speaker=speaker, addressee="tam", game_time=now
            ):
                for old in one.superseded:
                    courses[old].notes.append((day, "no longer holds"))
        for _, words in (each for each in RECALLS if day <= each[0] < day + 1 / 12):
            ids = [each.id for each in store.for_owner("tam") if words in each.text]
            rag.recalled(ids, now)
            for each in ids:
                courses[each].recalled.append(day)
        if step % 12 == 11:  # at night: what is alike is summed up, what has faded is let go
            for gist in life.gists("tam", now):
                kept = life.sum_up(gist, now)
                for source in kept.sources:
                    courses[source].notes.append((day, "summed up"))
            while (swept := life.sweep(now)) is None:
                pass
            for gone in swept.faded:
                courses[gone].notes.append((day, "forgotten"))
            life.forget(swept.faded)
        for memory in store.for_owner("tam"):
            course = courses.setdefault(memory.id, Course(memory, life.is_protected(memory.id)))
            course.days.append(day)
            course.strengths.append(life.strength(memory.id, now))
    return courses


def look(rag: RagPipeline, npc: str, most: int) -> dict[int, Course]:
    """The memories of a save that matter most, from birth to thirty days ahead."""
    memories = rag._store.for_owner(npc)
    memories = sorted(memories, key=lambda each: (-each.importance, -each.id))[:most]
    latest = max((each.game_time for each in memories), default=0.0)
    days = np.linspace(min((each.game_time for each in memories), default=0.0) / DAY,
                       latest / DAY + 30, 600)  # fmt: skip
    courses = {}
    for memory in sorted(memories, key=lambda each: each.id):
        strengths = rag.life.history(memory.id, days * DAY)
        known = ~np.isnan(strengths)
        course = Course(memory, rag.life.is_protected(memory.id))
        course.days, course.strengths = days[known].tolist(), strengths[known].tolist()
        lived = rag.life.lived(memory.id)
        events = lived.events if lived else ()
        course.recalled = [when / DAY for when, last, _ in events if when == last]
        courses[memory.id] = course
    return courses


def draw(courses: dict[int, Course], path: Path, title: str) -> None:
    """One band a memory, as high as it is strong, coloured by its kind."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import Patch
    except ImportError:
        raise MissingExtraError("the picture", "plots") from None

    rows = list(courses.values())
    end = max((course.days[-1] for course in rows), default=1.0)
    figure = Figure(figsize=(13, 1.6 + 0.62 * len(rows)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for row, course in enumerate(rows):
        base, colour = len(rows) - 1 - row, COLOURS[course.memory.kind]
        days, heights = np.array(course.days), 0.82 * np.array(course.strengths)
        axes.axhline(base, color="#E3E3E3", linewidth=0.8, zorder=1)
        axes.fill_between(days, base, base + heights, color=colour, alpha=0.32, linewidth=0)
        axes.plot(days, base + heights, color=colour, linewidth=1.8, zorder=3)
        for day in course.recalled:
            axes.plot(day, base + 0.82, "o", color=colour, markersize=7,
                      markeredgecolor="white", zorder=5)  # fmt: skip
        for number, (day, note) in enumerate(course.notes):
            axes.plot([day, day], [base, base + 0.5], color="#444444", linewidth=1.1, zorder=4)
            axes.annotate(note, (day, base + 0.5 - 0.26 * number), (4, -3), fontsize=8.5,
                          textcoords="offset points", color="#444444", zorder=6)  # fmt: skip
        last = course.strengths[-1]
        if course.days[-1] >= end:
            axes.text(end * 1.008, base + 0.25, f"{last:.0%}", fontsize=9.5, color=colour,
                      weight="bold", va="center")  # fmt: skip
        links_to(axes, course, courses, rows, base)
    labels = [label(course) for course in rows]
    axes.set_yticks([len(rows) - 1 - row + 0.36 for row in range(len(rows))], labels, fontsize=9.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(min((c.days[0] for c in rows), default=0.0), end * 1.055)
    axes.set_ylim(-0.12, len(rows) + 0.1)
    axes.set_xlabel("days of game time", fontsize=11)
    figure.suptitle(title, fontsize=15, weight="bold", x=0.01, ha="left")
    axes.set_title("height: strength;  dot: it came to mind;  %: what is left;  star: never fades",
                   fontsize=10.5, loc="left", color="#444444")  # fmt: skip
    axes.spines[["top", "right", "left"]].set_visible(False)
    kinds = dict.fromkeys(course.memory.kind for course in rows)
    figure.legend(handles=[Patch(color=COLOURS[kind], alpha=0.6, label=kind) for kind in kinds],
                  ncols=len(kinds), fontsize=9.5, frameon=False, loc="upper right")  # fmt: skip
    figure.savefig(path, format="png")


def links_to(axes, course: Course, courses: dict[int, Course], rows: list, base: int) -> None:
    """Thin lines from a gist to what it sums up."""
    for source in course.memory.sources:
        if source in courses:
            other = len(rows) - 1 - rows.index(courses[source])
            axes.annotate(
                "", (course.days[0], base + 0.45), (course.days[0], other + 0.1), zorder=2,
                arrowprops={"arrowstyle": "->", "color": "#AAAAAA", "linewidth": 0.9,
                            "connectionstyle": "arc3,rad=-0.12"},
            )  # fmt: skip


def label(course: Course) -> str:
    """A memory's words, and what protects it."""
    text = "\n".join(textwrap.wrap(course.memory.text, 42)[:2])
    return f"{text} \N{BLACK STAR}" if course.protected else text


def main() -> None:
    """Draw the picture, and say in words what it shows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--save", type=Path, help="the folder of a save slot")
    parser.add_argument("--npc", default="tam", help="whose memories")
    parser.add_argument("--picture", type=Path, default=Path("memories.png"))
    parser.add_argument("--most", type=int, default=24, help="so many of a save are drawn")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Slot.open(given.save or folder, clock=ManualClock()) as slot,
    ):
        embedder = MockEmbeddingClient(384)  # nothing is searched for by meaning here
        store = MemoryStore(slot.connection, embedder)
        life = MemoryLife(slot.connection, store)
        novelty = NoveltyTable(slot.connection)
        rag = RagPipeline(store, embedder, life=life, novelty=novelty)
        courses = look(rag, given.npc, given.most) if given.save else live(rag)
    if not courses:
        print(f"{given.npc} remembers nothing.")
        return
    for course in courses.values():
        fate = ", ".join(note for _, note in course.notes) or f"{course.strengths[-1]:.0%} left"
        print(f"{course.memory.kind:10}  {fate:28}  {course.memory.text}")
    draw(courses, given.picture, f"What {given.npc} remembers")
    print(f"drawn: {given.picture}")


if __name__ == "__main__":
    main()
