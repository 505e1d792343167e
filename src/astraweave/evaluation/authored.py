"""The conversations that were written for this project, and variations on them.

They stand in ``data/conversations``; the form is told at the head of ``ines_rowan.toml``. A
variation hides the sessions of one conversation among those of all the others, whose people take
the names of its own, so that a question is asked of hundreds of lines by the same speakers.
"""

from __future__ import annotations

import datetime as dt
import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec

from astraweave.core.rng import RandomStreams
from astraweave.errors import CorruptDataError
from astraweave.evaluation.conversation import Conversation, Question, Turn, since_epoch, turn_at

__all__ = ["authored_conversations", "parse_conversation", "varied"]

_LINE = re.compile(r"(\d+) ([A-Z]): (.+)")
_DAY = 86_400.0


class _Session(NamedTuple):
    when: float
    turns: tuple[tuple[str, str], ...]


def authored_conversations() -> list[Conversation]:
    """All of them, in the order of their names."""
    folder = files("astraweave.evaluation").joinpath("data", "conversations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return [parse_conversation(folder.joinpath(name).read_text("utf-8")) for name in names]


def parse_conversation(text: str) -> Conversation:
    """One conversation in our form.

    Raises
    ------
    CorruptDataError
        A line cannot be read, turns are not numbered one by one, or evidence is not there.
    """
    table: dict[str, Any] = tomllib.loads(text)
    people: Mapping[str, str] = table["people"]
    sessions = [_session(entry, people, n) for n, entry in enumerate(table["session"], start=1)]
    turns = _turns(sessions, tuple(people.values()))
    there = {turn.id for turn in turns}
    questions = [
        _question(line, n, there)
        for n, entry in enumerate(table["session"], start=1)
        for line in entry["questions"].strip().splitlines()
    ]
    return Conversation(
        id=table["id"],
        speakers=tuple(people.values()),
        turns=turns,
        questions=tuple(questions),
    )


def varied(conversation: Conversation, others: Sequence[Conversation], seed: int) -> Conversation:
    """A conversation among the sessions of others, by a seed.

    Its own sessions keep their order; all get new dates, days apart.
    """
    draw = RandomStreams(seed)[f"variation/{conversation.id}"]
    own = [(session, number) for number, session in _sessions_of(conversation)]
    strange = [  # 0: nobody asks about these
        (_Session(session.when, _renamed(session, other, renaming)), 0)
        for other in others
        for renaming in [_renaming(other, conversation, draw)]
        for _, session in _sessions_of(other)
    ]
    draw.shuffle(strange)
    whose = [True] * len(own) + [False] * len(strange)
    draw.shuffle(whose)
    when = own[0][0].when
    sessions, moved = [], {}
    for n, is_own in enumerate(whose, start=1):
        session, number = own.pop(0) if is_own else strange.pop()
        when += draw.randint(2, 12) * _DAY + draw.randint(0, 9) * 3600.0
        sessions.append(_Session(when, session.turns))
        moved[number] = n
    questions = [
        msgspec.structs.replace(
            question, evidence=tuple(_moved(place, moved) for place in question.evidence)
        )
        for question in conversation.questions
    ]
    return Conversation(
        id=f"{conversation.id}+{seed}",
        speakers=conversation.speakers,
        turns=_turns(sessions, conversation.speakers),
        questions=tuple(questions),
    )


def _session(entry: Mapping[str, str], people: Mapping[str, str], number: int) -> _Session:
    lines = []
    for at, line in enumerate(entry["turns"].strip().splitlines(), start=1):
        match = _LINE.fullmatch(line.strip())
        if match is None or int(match[1]) != at or match[2] not in people:
            raise CorruptDataError(f"session {number}, turn {at} cannot be read: {line!r}")
        lines.append((people[match[2]], match[3]))
    return _Session(since_epoch(dt.datetime.fromisoformat(entry["when"])), tuple(lines))


def _question(line: str, session: int, there: set[str]) -> Question:
    try:
        category, text, evidence = (part.strip() for part in line.split("|"))
        places = [one if ":" in one else f"{session}:{one}" for one in evidence.split()]
        question = Question(
            text=text, category=int(category), evidence=tuple(f"D{place}" for place in places)
        )
    except ValueError:
        raise CorruptDataError(f"session {session}: a question cannot be read: {line!r}") from None
    if not question.evidence or set(question.evidence) - there:
        raise CorruptDataError(f"session {session}: no such evidence: {line!r}")
    return question


def _turns(sessions: Sequence[_Session], speakers: Sequence[str]) -> tuple[Turn, ...]:
    return tuple(
        turn_at(n, at, speaker, text, speakers=speakers, began=session.when)
        for n, session in enumerate(sessions, start=1)
        for at, (speaker, text) in enumerate(session.turns, start=1)
    )


def _sessions_of(conversation: Conversation) -> list[tuple[int, _Session]]:
    numbers = dict.fromkeys(turn.session for turn in conversation.turns)
    found = []
    for number in numbers:
        turns = [turn for turn in conversation.turns if turn.session == number]
        lines = tuple((turn.speaker, turn.text) for turn in turns)
        found.append((number, _Session(turns[0].game_time, lines)))
    return found


def _renaming(other: Conversation, to: Conversation, draw: random.Random) -> dict[str, str]:
    names = list(to.speakers)
    draw.shuffle(names)
    return {name: names[n % len(names)] for n, name in enumerate(other.speakers)}


def _renamed(
    session: _Session, other: Conversation, names: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, other.speakers))})\b")
    return tuple(
        (names[speaker], pattern.sub(lambda found: names[found[0]], text))
        for speaker, text in session.turns
    )


def _moved(place: str, moved: Mapping[int, int]) -> str:
    session, turn = place[1:].split(":")
    return f"D{moved[int(session)]}:{turn}"
