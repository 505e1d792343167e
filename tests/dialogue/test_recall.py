"""How well questions about what was told are answered, on scenes of our own."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from astraweave.context import Turn
from astraweave.dialogue import Answerer, memory_text
from astraweave.dialogue.facts import Source
from astraweave.persona import Persona

FILES = sorted(Path(__file__).parent.glob("scenes*.toml"))
SCENES = [
    (f"{path.stem}-{scene['name']}", scene)
    for path in FILES
    for scene in tomllib.loads(path.read_text(encoding="utf-8"))["scene"]
]
UNKNOWN = "I don't know"


def kept(said: list[str]) -> list[str]:
    """What a character writes down of a conversation."""
    history: list[Turn] = []
    texts = []
    for text in said:
        texts.append(memory_text(text, history))
        history.append(Turn(role="user", speaker="player", text=text))
    return texts


def said_back(answer) -> str:
    if answer is None or answer.kind == "unknown":
        return UNKNOWN
    return f"{answer.short}. {'; '.join(answer.retold)}"


def judge(scene) -> tuple[int, list[str], list[str]]:
    """Right answers, misses, and answers that are wrong (worse than a miss)."""
    persona = Persona.builtin("tam")
    sources = [Source(fact, "tam", "player", order=-1) for fact in persona.facts]
    sources += [
        Source(text, "player", "tam", memory_id=number, order=number)
        for number, text in enumerate(kept(scene["say"]), start=1)
    ]
    answerer = Answerer()
    right, missed, wrong = 0, [], []
    for line in scene["qa"]:
        asked, *expected = line.split("|")
        question = answerer.question(asked, "Tam")
        answer = question and answerer.answer(
            question, sources, asker="player", listener="tam", names={"tam": "Tam"}
        )
        said = said_back(answer)
        if expected == ["?"]:
            good = said == UNKNOWN
        else:
            good = any(word.casefold() in said.casefold() for word in expected)
        if good:
            right += 1
        elif said == UNKNOWN:
            missed.append(asked)
        else:
            wrong.append(f"{asked} -> {said}")
    return right, missed, wrong


@pytest.mark.parametrize("scene", [s for _, s in SCENES], ids=[n for n, _ in SCENES])
def test_scene_is_recalled(scene):
    right, missed, wrong = judge(scene)
    assert len(wrong) <= 1, wrong
    assert right >= 0.9 * len(scene["qa"]), (missed, wrong)


def test_nearly_everything_is_recalled():
    judged = [judge(scene) for _, scene in SCENES]
    total = sum(len(scene["qa"]) for _, scene in SCENES)
    assert sum(right for right, _, _ in judged) >= 0.95 * total
    assert sum(len(wrong) for _, _, wrong in judged) <= 0.02 * total
