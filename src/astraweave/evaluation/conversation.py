"""Long conversations with questions about them, and the turns that hold the answers.

Files are in the form of LoCoMo (Maharana et al. 2024): a JSON list of objects, or one such object,
plain or gzipped, each with ``conversation`` (``speaker_a``, ``speaker_b``, ``session_1``,
``session_1_date_time``, ...) and ``qa`` (``question``, ``category``, ``evidence``).
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import msgspec

from astraweave.errors import CorruptDataError, InputError

__all__ = [
    "CATEGORIES",
    "EPOCH",
    "Conversation",
    "Question",
    "Turn",
    "read_conversations",
    "since_epoch",
    "turn_at",
]

EPOCH = "1970-01-01"
"""The date of second 0 in `Turn.game_time`."""
CATEGORIES = {
    1: "multi-hop",
    2: "temporal",
    3: "open-domain",
    4: "single-hop",
    5: "adversarial",
}
"""What LoCoMo's numbers stand for."""

_TURN_SECONDS = 30.0
_SESSION = re.compile(r"session_(\d+)")
_PLACE = re.compile(r"D:?\s*0*(\d+)\s*:\s*0*(\d+)")
_WHEN = re.compile(
    r"\s*(\d{1,2}):(\d{2})\s*([ap]m)\s+on\s+(\d{1,2})\s+([a-z]+),?\s+(\d{1,4})\s*", re.IGNORECASE
)
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One line.

    Attributes
    ----------
    id : str
        ``"D3:7"``: the seventh turn of the third session.
    session : int
        Its session.
    speaker, addressee : str
        Who said it, and to whom, where only one can be meant.
    text : str
        What was said, and the caption of a picture that was shown, in square brackets.
    game_time : float
        Seconds since `EPOCH`.
    """

    id: str
    session: int
    speaker: str
    addressee: str
    text: str
    game_time: float


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question and the ids of the turns that answer it; none: it cannot be scored."""

    text: str
    category: int
    evidence: tuple[str, ...]


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """Some people over some months."""

    id: str
    speakers: tuple[str, ...]
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]


def turn_at(
    session: int, place: int, speaker: str, text: str, *, speakers: Sequence[str], began: float
) -> Turn:
    """A line by its place in a session, both counted from 1; lines follow each other evenly.

    Parameters
    ----------
    session, place : int
        Which line.
    speaker, text : str
        Who said what.
    speakers : sequence of str
        All who talk; of two, the other one is spoken to.
    began : float
        When the session began, in seconds since `EPOCH`.
    """
    others = [name for name in speakers if name != speaker]
    return Turn(
        id=f"D{session}:{place}",
        session=session,
        speaker=speaker,
        addressee=others[0] if len(others) == 1 else "",
        text=text,
        game_time=began + _TURN_SECONDS * (place - 1),
    )


def since_epoch(when: dt.datetime) -> float:
    """Seconds since `EPOCH`; a time without a zone is in UTC."""
    when = when.replace(tzinfo=when.tzinfo or dt.UTC)
    return (when - dt.datetime.fromisoformat(f"{EPOCH}T00:00+00:00")).total_seconds()


def read_conversations(path: str | PathLike[str]) -> list[Conversation]:
    """All conversations of a file.

    Raises
    ------
    InputError
        There is no such file.
    CorruptDataError
        It is damaged, or none in this form; the message says what is missing where.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        data = json.loads(raw)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(f"there is no file {path}", path=str(path)) from error
    except (OSError, EOFError, zlib.error) as error:
        raise CorruptDataError(f"{path} cannot be unpacked: {error}", path=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise CorruptDataError(f"{path} is no JSON: {error}", path=str(path)) from error
    entries = [data] if isinstance(data, dict) else data
    if not isinstance(entries, list) or not entries:
        raise CorruptDataError(f"{path} holds no list of conversations", path=str(path))
    try:
        return [_conversation(entry, number) for number, entry in enumerate(entries, start=1)]
    except _Malformed as error:
        raise CorruptDataError(f"{path}: {error}", path=str(path)) from None


class _Malformed(Exception):
    pass


def _conversation(entry: object, number: int) -> Conversation:
    here = f"conversation {number}"
    entry = _mapping(entry, here)
    for key in ("conversation", "qa"):
        if key not in entry:
            raise _Malformed(f"{here} has no {key!r}")
    talk = _mapping(entry["conversation"], f"'conversation' of {here}")
    numbers = sorted(int(m[1]) for key in talk if (m := _SESSION.fullmatch(key)))
    if not numbers:
        raise _Malformed(f"{here} has no 'session_1'")
    sessions = [(n, _list(talk[f"session_{n}"], f"session_{n} of {here}")) for n in numbers]
    lines = [
        (n, at, _mapping(line, f"turn {at} of session_{n} of {here}"))
        for n, session in sessions
        for at, line in enumerate(session, start=1)
    ]
    names = [_word(line, "speaker", f"turn {at} of session_{n} of {here}") for n, at, line in lines]
    speakers = tuple(dict.fromkeys(names))
    began = _beginnings(talk, numbers, here)
    turns = []
    for (n, at, line), speaker in zip(lines, names, strict=True):
        text = _word(line, "text", f"turn {at} of session_{n} of {here}")
        caption = line.get("blip_caption")
        if isinstance(caption, str) and caption.strip():
            text = f"{text} [{caption.strip()}]"
        turn = turn_at(n, at, speaker, text.strip() or "...", speakers=speakers, began=began[n])
        turns.append(msgspec.structs.replace(turn, id=_turn_id(line.get("dia_id"), turn.id)))
    there = frozenset(turn.id for turn in turns)
    qa = _list(entry["qa"], f"'qa' of {here}")
    return Conversation(
        id=str(entry.get("sample_id") or f"{number}"),
        speakers=speakers,
        turns=tuple(turns),
        questions=tuple(
            _question(one, there, f"question {at} of {here}") for at, one in enumerate(qa, start=1)
        ),
    )


def _question(entry: object, turns: frozenset[str], here: str) -> Question:
    entry = _mapping(entry, here)
    evidence = entry.get("evidence")
    given = [evidence] if isinstance(evidence, str) else evidence or []
    found: dict[str, None] = {}
    for one in _list(given, f"'evidence' of {here}"):
        named = str(one).strip()
        places = [named] if named in turns else [f"D{a}:{b}" for a, b in _PLACE.findall(named)]
        found.update((place, None) for place in places if place in turns)
    try:
        category = int(entry.get("category") or 0)
    except (TypeError, ValueError):
        raise _Malformed(f"'category' of {here} is no number") from None
    return Question(text=_word(entry, "question", here), category=category, evidence=tuple(found))


def _beginnings(talk: Mapping[str, Any], numbers: Sequence[int], here: str) -> dict[int, float]:
    """When each session began; those without a date a day after the one before."""
    began: dict[int, float] = {}
    last = 0.0
    for n in numbers:
        told = talk.get(f"session_{n}_date_time")
        last = last + 86_400.0 if told is None else _seconds(told, f"session_{n} of {here}")
        began[n] = last
    return began


def _seconds(told: object, here: str) -> float:
    match = _WHEN.fullmatch(told) if isinstance(told, str) else None
    try:
        if match is not None:
            hour, minute, half, day, month, year = match.groups()
            when = dt.datetime(
                int(year),
                _MONTHS.index(month[:3].lower()) + 1,
                int(day),
                int(hour) % 12 + 12 * (half.lower() == "pm"),
                int(minute),
                tzinfo=dt.UTC,
            )
        else:
            when = dt.datetime.fromisoformat(str(told))
    except (ValueError, OverflowError):
        raise _Malformed(
            f"{told!r}, the date of {here}, is none like '1:56 pm on 8 May, 2023'"
        ) from None
    return since_epoch(when)


def _turn_id(told: object, otherwise: str) -> str:
    if not isinstance(told, str) or not told.strip():
        return otherwise
    place = _PLACE.fullmatch(told.strip())
    return f"D{place[1]}:{place[2]}" if place else told.strip()


def _mapping(value: object, here: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _Malformed(f"{here} is no object")
    return value


def _list(value: object, here: str) -> list[Any]:
    if not isinstance(value, list):
        raise _Malformed(f"{here} is no list")
    return value


def _word(entry: Mapping[str, Any], key: str, here: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str):
        raise _Malformed(f"{here} has no text {key!r}")
    return value
