"""The Lennmark: twenty characters of a small country, what they remember, and questions to them.

It was written to judge retrieval by; nothing is ever fitted to it. The form of its files is told
at the head of ``data/game_memory/country.toml``. What is telling there was written by hand; the
small talk around it, which shares names and words with it, is drawn here by a seed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec

from astraweave.core.rng import RandomStreams
from astraweave.core.worldview import Entity
from astraweave.errors import CorruptDataError

__all__ = ["KINDS", "Country", "GameMemory", "GameQuestion", "Move", "read_country"]

KINDS = {
    "single": "one memory, in its own words",
    "paraphrase": "one memory, in other words",
    "time": "by when it was",
    "hops": "through several memories",
    "who": "who said or wants it",
    "changed": "of facts that changed, the newest",
    "third": "about third persons",
    "secret": "what the character cannot know",
}
"""What the kinds of questions aim at."""

PLAYER = "player"
_DAY, _HOUR = 86_400.0, 3_600.0
_SMALL_TALK = 40
_WHO = re.compile(r"(\w+)>(\w+)")


class GameMemory(msgspec.Struct, frozen=True, kw_only=True):
    """One line that somebody heard, said or saw; or, of a scope, that its members know.

    Attributes
    ----------
    key : str
        ``"wenna.chest"``: whose, and which.
    owner : str
        A character, or a scope from "@" on.
    text, speaker, addressee, game_time
        As in `Memory`.
    """

    key: str
    owner: str
    text: str
    speaker: str
    addressee: str
    game_time: float


class GameQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """One question to one character.

    Attributes
    ----------
    character, asker : str
        Ids.
    kind : str
        Of `KINDS`.
    now : float
        Game time at which it is asked; later memories are not there yet.
    text : str
        The question.
    evidence : tuple of str
        Keys of memories each of which answers it; empty: the character cannot know.
    aims : tuple of str
        Of a secret: keys of the memories of others which would answer it.
    """

    character: str
    asker: str
    kind: str
    now: float
    text: str
    evidence: tuple[str, ...]
    aims: tuple[str, ...]


class Move(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Somebody goes to live elsewhere."""

    game_time: float
    character: str
    place: str


class Country(msgspec.Struct, frozen=True, kw_only=True):
    """Everything, in the order of game time.

    Attributes
    ----------
    entities : tuple of Entity
        As they are at first.
    characters : tuple of str
        Those who are asked.
    moves, memories, questions : tuple
        What happens.
    """

    entities: tuple[Entity, ...]
    characters: tuple[str, ...]
    moves: tuple[Move, ...]
    memories: tuple[GameMemory, ...]
    questions: tuple[GameQuestion, ...]

    def scopes_of(self, character: str, now: float) -> frozenset[str]:
        """What a character shares in at a moment, by these files alone.

        Not by `WorldScopes`: that is among the things that are judged.
        """
        entities = {entity.id: entity for entity in self.entities}
        own = entities[character]
        place = own.place
        for move in self.moves:
            if move.character == character and move.game_time <= now:
                place = move.place
        scopes = {"@world"} | ({f"@faction:{own.faction}"} if own.faction else set())
        while place:
            scopes.add(f"@town:{place}")
            place = entities[place].place
        return frozenset(scopes)

    def may_read(self, memory: GameMemory, character: str, now: float) -> bool:
        """Whether a character can know this at that moment."""
        if memory.game_time > now:
            return False
        return memory.owner == character or memory.owner in self.scopes_of(character, now)


def read_country(*, small_talk: int = _SMALL_TALK, seed: int = 7) -> Country:
    """The country.

    Parameters
    ----------
    small_talk : int
        How many lines of it each character hears beside what was written.
    seed : int
        Draws them.

    Raises
    ------
    CorruptDataError
        A line cannot be read, or names what is not there.
    """
    folder = files("astraweave.evaluation").joinpath("data", "game_memory")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    tables = [tomllib.loads(folder.joinpath(name).read_text("utf-8")) for name in names]
    return country_of(tables, small_talk=small_talk, seed=seed)


def country_of(
    tables: Iterable[Mapping[str, Any]], *, small_talk: int = 0, seed: int = 7
) -> Country:
    """A country from the tables of its files."""
    entries: dict[str, list[Any]] = {"entity": [], "shared": [], "character": []}
    ends = ""
    for table in tables:
        ends = table.get("now", ends)
        for name, found in entries.items():
            found += table.get(name, [])
    characters = entries["character"]
    entities = [
        *(_entity(entry, "person") for entry in characters),
        *(_entity(entry, "thing") for entry in entries["entity"]),
    ]
    memories = [
        *(one for entry in entries["shared"] for one in _shared(entry)),
        *(one for entry in characters for one in _memories(entry["id"], entry["memories"])),
    ]
    now = _moment(ends)
    moves = [_move(entry["id"], line) for entry in characters for line in entry.get("moves", ())]
    questions = [
        question
        for entry in characters
        for question in _questions(entry["id"], entry.get("questions", ""), now)
    ]
    _check(entities, memories, questions)
    for entry in characters:
        days = _free_days(entry["id"], memories, questions, now)
        memories += _talk(entry["id"], entities, days, small_talk, seed)
    return Country(
        entities=tuple(entities),
        characters=tuple(entry["id"] for entry in characters),
        moves=tuple(sorted(moves)),
        memories=tuple(sorted(memories, key=lambda one: one.game_time)),
        questions=tuple(sorted(questions, key=lambda one: one.now)),
    )


def _entity(entry: Mapping[str, Any], kind: str) -> Entity:
    return Entity(
        id=entry["id"],
        name=entry["name"],
        kind=entry.get("kind", kind),
        aliases=tuple(entry.get("aliases", ())),
        place=entry.get("place"),
        faction=entry.get("faction"),
    )


def _rows(lines: str, parts: int) -> Iterator[list[str]]:
    for line in lines.strip().splitlines():
        row = [part.strip() for part in line.split("|")]
        if len(row) != parts:
            raise CorruptDataError(f"not {parts} parts: {line!r}")
        yield row


def _moment(words: str) -> float:
    try:
        day, hour = words.split()
        return int(day) * _DAY + int(hour) * _HOUR
    except ValueError:
        raise CorruptDataError(f"no day and hour: {words!r}") from None


def _shared(entry: Mapping[str, Any]) -> Iterator[GameMemory]:
    for key, when, _, text in _rows(entry["memories"], 4):
        yield GameMemory(
            key=f"{entry['name']}.{key}",
            owner=entry["scope"],
            text=text,
            speaker="",
            addressee="",
            game_time=_moment(when),
        )


def _memories(owner: str, lines: str) -> Iterator[GameMemory]:
    for key, when, who, text in _rows(lines, 4):
        speaker, addressee = _who(who, owner)
        yield GameMemory(
            key=f"{owner}.{key}",
            owner=owner,
            text=text,
            speaker=speaker,
            addressee=addressee,
            game_time=_moment(when),
        )


def _who(who: str, owner: str) -> tuple[str, str]:
    """Speaker and addressee."""
    if who == "-":
        return "", ""
    if who == "me":
        return owner, PLAYER
    if (pair := _WHO.fullmatch(who)) is not None:
        return (owner if pair[1] == "me" else pair[1]), pair[2]
    return who, owner


def _move(character: str, line: str) -> Move:
    when, _, place = line.rpartition(" ")
    return Move(game_time=_moment(when), character=character, place=place)


def _questions(character: str, lines: str, ends: float) -> Iterator[GameQuestion]:
    for kind, when, text, keys in _rows(lines, 4):
        day, hour, asker = (*when.split(), "", "")[:3] if when else ("", "", "")
        names = [(name.startswith("!"), name.removeprefix("!")) for name in keys.split()]
        full = [(aimed, name if "." in name else f"{character}.{name}") for aimed, name in names]
        yield GameQuestion(
            character=character,
            asker=asker or PLAYER,
            kind=kind,
            now=_moment(f"{day} {hour}") if day else ends,
            text=text,
            evidence=tuple(name for aimed, name in full if not aimed),
            aims=tuple(name for aimed, name in full if aimed),
        )


def _check(
    entities: Sequence[Entity], memories: Sequence[GameMemory], questions: Sequence[GameQuestion]
) -> None:
    known = {entity.id for entity in entities}
    keys = [memory.key for memory in memories]
    named = {name for memory in memories for name in (memory.speaker, memory.addressee) if name}
    named |= {place for entity in entities for place in (entity.place, entity.faction) if place}
    lost = sorted(named - known)
    lost += sorted({key for key in keys if keys.count(key) > 1})
    lost += sorted({key for one in questions for key in (*one.evidence, *one.aims)} - set(keys))
    lost += sorted({one.kind for one in questions} - set(KINDS))
    if lost:
        raise CorruptDataError(f"named but not there, or there twice: {', '.join(lost)}")


# Small talk: who speaks, and what; {person}, {place} and {thing} are of the country.
_TALK: tuple[tuple[str, str], ...] = (
    (PLAYER, "Good morning. Did {person} come by already?"),
    (PLAYER, "I had better be going. {person} is waiting for me."),
    (PLAYER, "Have you been to {place} lately?"),
    (PLAYER, "I walked past {place} and thought of you."),
    (PLAYER, "What a wind today! It nearly blew me to {place}."),
    (PLAYER, "I shared a loaf with {person} by the roadside."),
    (PLAYER, "Do you think that {person} can be trusted?"),
    (PLAYER, "I like it here better than in {place}."),
    (PLAYER, "Somebody on the road asked me about {thing}, and I knew nothing."),
    (PLAYER, "My feet hurt. It is farther to {place} than they say."),
    (PLAYER, "{person} sends you greetings."),
    (PLAYER, "It smells of rain. I hope that {place} stays dry."),
    (PLAYER, "I saw {person} from afar, but we did not speak."),
    (PLAYER, "They tell tall stories about {thing} in {place}."),
    ("me", "One hears this and that from {place}."),
    ("me", "{person} owes me an answer, as ever."),
    ("me", "I have not seen {person} for days."),
    ("me", "When I was young I wanted to live in {place}."),
    ("me", "Old folk say that {thing} brings bad luck."),
    ("me", "There is nothing like a quiet evening."),
    ("me", "I shall have to talk to {person} one of these days."),
    ("me", "Mind the puddles on the way to {place}."),
    ("other", "Is there any news from {place}?"),
    ("other", "{person} is in a foul mood today, keep away."),
    ("other", "I am on my way to {place}. Do you need anything?"),
    ("other", "Did you hear what {person} said about {thing}?"),
    ("other", "The road to {place} is all mud."),
    ("other", "Everybody talks of {thing}, and nobody has seen it."),
    ("other", "{person} laughed out loud at the market, I heard it across the square."),
    ("other", "A fine day. One could almost forget {place}."),
    ("-", "{person} walked by with a basket."),
    ("-", "{person} and {other} stood talking at the corner."),
    ("-", "A cart from {place} rolled past."),
    ("-", "{person} asked a stranger the way to {place}."),
    ("-", "It rained from noon until dusk."),
    ("-", "{person} bought candles and left again."),
    ("-", "Children played at being {person} and chased each other."),
    ("-", "{person} yawned through the whole of the sermon."),
    ("-", "A dog slept before the door, and {person} stepped over it."),
    ("-", "{other} waved to {person} from a window."),
)


class _Days(NamedTuple):
    """On which days a character may hear small talk: from anybody, and from the player."""

    all: Sequence[int]
    with_player: Sequence[int]


def _free_days(
    owner: str, memories: Sequence[GameMemory], questions: Sequence[GameQuestion], ends: float
) -> _Days:
    """The player's fall on no day before the two met, and on none that a question asks about.

    A question like 'what did I ask you yesterday?' has one answer then.
    """
    asked = {key for one in questions if one.kind == "time" for key in one.evidence}
    own = [one for one in memories if one.owner == owner]
    taken = {int(one.game_time // _DAY) for one in own if one.key in asked}
    met = min((one.game_time for one in own if PLAYER in (one.speaker, one.addressee)), default=0.0)
    days = range(2, int(ends // _DAY))
    free = [day for day in days if day > met // _DAY and day not in taken]
    return _Days(days, free or days)


def _talk(
    owner: str, entities: Sequence[Entity], days: _Days, count: int, seed: int
) -> Iterator[GameMemory]:
    """Lines that tell nothing, over the whole time; no template comes twice before all have."""
    draw = RandomStreams(seed)[f"small talk/{owner}"]
    persons = [one for one in entities if one.kind == "person" and one.id not in (owner, PLAYER)]
    places = [one for one in entities if one.kind == "place"]
    things = [one for one in entities if one.kind in ("item", "ship", "creature")]
    order = [draw.sample(_TALK, len(_TALK)) for _ in range(-(-count // len(_TALK)))]
    for number, (who, template) in enumerate([one for part in order for one in part][:count]):
        person, other, speaker = draw.sample(persons, 3)
        said_by, said_to = _who(speaker.id if who == "other" else who, owner)
        day = draw.choice(days.with_player if PLAYER in (said_by, said_to) else days.all)
        yield GameMemory(
            key=f"{owner}.talk{number}",
            owner=owner,
            text=_capital(
                template.format(
                    person=person.name,
                    other=other.name,
                    place=draw.choice(places).name,
                    thing=draw.choice(things).name,
                )
            ),
            speaker=said_by,
            addressee=said_to,
            game_time=day * _DAY + draw.randrange(7, 21) * _HOUR,
        )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
