"""What tools returned, taken apart into records, their fields, and prose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Any

import msgspec

from astraweave.guard.injection import speaks_to_the_reader

__all__ = [
    "SECRETS",
    "Observed",
    "Passage",
    "Record",
    "Shape",
    "links",
    "norm",
    "shape_of",
    "words",
]

_WORD = re.compile(r"[A-Z]?[a-z]+(?:-[a-z]+)*|[A-Z]+(?![a-z])|[^\W_a-zA-Z]+")
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ACCOUNT = re.compile(r"[a-z]{2}\d{2}[a-z0-9]{8,30}|[a-z]{2}\d{10,30}")
_URL = re.compile(r"(?:https?://|www\.)\S+|[\w-]+(?:\.[\w-]+)+/\S*")
_LINK = re.compile(rf"{_ADDRESS.pattern}|(?:https?://|www\.)\S+")
_TASK = re.compile(
    r"(?:^|[.!?:>]\s)\W*(?:todo|to do|tasks?|instructions?|action required|note to \w+)\s*:",
    re.IGNORECASE | re.MULTILINE,
)
_PROSE_WORDS = 9
_MAX_DEPTH = 8
SECRETS = frozenset("password passcode passport card ssn pin secret token key code".split())
"""Words of fields whose values leave only when the request speaks of them."""
_DULL = frozenset(
    "the a an of to in on at for and or with from by my me i you your is are be it this that file"
    " email event meeting message docx xlsx txt pdf com org net user id date time new please day"
    " was has had have not all can do if up re about".split()
)


class Shape(Enum):
    """What a value looks like."""

    OTHER = auto()
    ADDRESS = auto()
    ACCOUNT = auto()
    URL = auto()


def norm(text: str) -> str:
    """Case and white space do not matter."""
    return " ".join(text.casefold().split())


def words(text: str) -> list[str]:
    """Lower-case words; those of a name in snake case or with dots one by one."""
    return [match.group().casefold() for match in _WORD.finditer(text)]


def shape_of(text: str) -> Shape:
    """What a normalised value looks like."""
    if _ADDRESS.fullmatch(text):
        return Shape.ADDRESS
    if _URL.fullmatch(text):
        return Shape.URL
    return Shape.ACCOUNT if _ACCOUNT.fullmatch(text.replace(" ", "")) else Shape.OTHER


class Passage(msgspec.Struct, frozen=True):
    """A paragraph.

    Attributes
    ----------
    text : str
        Normalised.
    orders : bool
        It, or one beside it, gives orders to who reads it.
    task : bool
        It calls itself a task; nothing bad where the request asks for tasks to be done.
    """

    text: str
    orders: bool
    task: bool


class Record(msgspec.Struct, kw_only=True, eq=False):
    """One thing that a tool returned.

    Attributes
    ----------
    fields : set of str
        Short values, normalised.
    secrets : set of str
        Those whose field is called a password, a passport, a card, a code.
    names : frozenset of str
        Words of its short values and of what was asked to get it, dull ones left out.
    passages : list of Passage
        Its prose, paragraph by paragraph.
    measures : dict
        Numbers and dates by field.
    group : int
        Records of one answer have one number.
    own : bool
        A call made it: it is the agent's own work.
    followed : bool
        It was reached by a link in what the request describes.
    """

    fields: set[str]
    secrets: set[str]
    names: frozenset[str]
    passages: list[Passage]
    measures: dict[str, Any]
    group: int
    own: bool
    followed: bool = False

    def has_field(self, text: str) -> bool:
        """Whether a short value is this one."""
        return text in self.fields


class Observed:
    """Everything that was read so far."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._groups = 0

    def add(self, result: object, source: str, *, own: bool, followed: bool = False) -> None:
        """Take an answer apart."""
        self._groups += 1
        for fields in _records(result, 0):
            record = Record(
                fields=set(), secrets=set(), names=frozenset(), passages=[], measures={},
                group=self._groups, own=own, followed=followed,
            )  # fmt: skip
            named = [source]
            for name, value in fields:
                text = str(value)
                if isinstance(value, int | float) or re.match(r"\d{4}-\d\d-\d\d", text):
                    record.measures[name] = value if isinstance(value, int | float) else text
                if _is_prose(text):
                    record.passages += _passages(text)
                    continue
                record.fields.add(norm(text))
                if SECRETS & set(words(name)) and len(text) > 3:
                    record.secrets.add(norm(text))
                named.append(text)
                if " " in text.strip():  # a short message is both
                    record.passages += _passages(text)
            record.names = frozenset(words(" ".join(named))) - _DULL
            self.records.append(record)

    def field(self, text: str) -> bool:
        """Whether it is a short value of some record."""
        return any(text in record.fields for record in self.records)

    def prose(self) -> Iterator[Passage]:
        """Every paragraph."""
        for record in self.records:
            yield from record.passages


def _passages(text: str) -> list[Passage]:
    parts = [part for part in re.split(r"\n\s*\n", text) if part.strip()]
    return [
        Passage(
            norm(part),
            any(speaks_to_the_reader(near) for near in parts[max(0, index - 1) : index + 2]),
            _TASK.search(part) is not None,
        )
        for index, part in enumerate(parts)
    ]


def links(text: str) -> list[str]:
    """Addresses and links in a text, normalised."""
    return [norm(found.rstrip(".,;:!?)\"'")) for found in _LINK.findall(text)]


def _is_prose(text: str) -> bool:
    return "\n" in text.strip() or len(text.split()) >= _PROSE_WORDS


def _records(value: object, depth: int) -> Iterator[list[tuple[str, Any]]]:
    """Each mapping or object as pairs of name and leaf; lists of leaves belong to their mapping."""
    value = _plain(value)
    if depth > _MAX_DEPTH or value is None:
        return
    if isinstance(value, list | tuple | set):
        for item in value:
            yield from _records(item, depth + 1)
        return
    if not isinstance(value, Mapping):
        yield [("", value)]
        return
    leaves: list[tuple[str, Any]] = []
    for name, item in value.items():
        item = _plain(item)
        if isinstance(item, Mapping):
            leaves.append((str(name), str(name)))
            yield from _records(item, depth + 1)
        elif isinstance(item, list | tuple | set):
            plain = [_plain(each) for each in item]
            leaves += [(str(name), each) for each in plain if not isinstance(each, Mapping | list)]
            for each in plain:
                if isinstance(each, Mapping | list):
                    yield from _records(each, depth + 1)
        elif item is not None:
            leaves.append((str(name), item))
            if isinstance(name, str) and "@" in name:
                leaves.append((name, name))
        if not isinstance(name, str) or not name.isidentifier():
            leaves.append(("", str(name)))
    if leaves:
        yield leaves


def _plain(value: object) -> Any:
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return value
