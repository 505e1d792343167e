"""From what was heard, said or seen to memories, by rules; no model is asked.

A line is taken apart into things that stand by themselves (`writing_segments`). What is air is kept
as a working memory, which fades within hours (`writing_triage`). What a character only says again
is no new memory, what it is told again strengthens the old one, and what cannot be true beside an
older memory supersedes it (`writing_claims`): the old one stays, and says by which it was replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import msgspec
import numpy as np

from astraweave.observability import NULL_TELEMETRY, Telemetry
from astraweave.rag._linking import NameIndex, words_of
from astraweave.rag.life import MemoryLife
from astraweave.rag.memory import Memory, MemoryKind
from astraweave.rag.salience import importance_of
from astraweave.rag.store import MemoryStore, checked
from astraweave.rag.writing_claims import Statement, contradicts, read_statement
from astraweave.rag.writing_novelty import Novelty, NoveltyTable
from astraweave.rag.writing_segments import segments
from astraweave.rag.writing_triage import is_passing, is_promise, kind_of

__all__ = ["MemoryWriter", "Outcome", "Written", "most_telling"]

Outcome = Literal["new", "changed", "again", "retold", "passing"]

_REPEAT_SECONDS = 300.0
_LOOK_BACK = 64
_FOUND_BY_WORDS = 12
_MOST_READ = 4096
_SAME = 0.8
_RETOLD = 0.75
_SURPRISE_STEP = 0.05
_PASSING_IMPORTANCE = 0.15
_PROMISE_IMPORTANCE = 0.2


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one part of a line.

    Attributes
    ----------
    memory : Memory
        The memory that holds it now.
    outcome : str
        ``"new"``; ``"changed"``: new, and others no longer hold; ``"again"``: known already, and
        stronger now; ``"retold"``: its owner has only said what it remembers, or was told
        what it had said; ``"passing"``: air,
        kept for a while.
    superseded : tuple of int
        Ids of the memories that no longer hold.
    """

    memory: Memory
    outcome: Outcome
    superseded: tuple[int, ...] = ()


class MemoryWriter:
    """Writes memories. Confined to the thread of its store.

    Parameters
    ----------
    store : MemoryStore
        Where they go.
    names : callable
        Gives the world's names as they are now.
    life : MemoryLife, optional
        What is told again is stronger there.
    novelty : NoveltyTable, optional
        What is usual for each owner; without it nothing surprises.
    telemetry : Telemetry
        Counters ``rag.written.OUTCOME``.
    """

    def __init__(
        self,
        store: MemoryStore,
        names: Callable[[], NameIndex],
        *,
        life: MemoryLife | None = None,
        novelty: NoveltyTable | None = None,
        telemetry: Telemetry = NULL_TELEMETRY,
    ) -> None:
        self._store = store
        self._names = names
        self._life = life
        self._novelty = novelty
        self._telemetry = telemetry
        self._read: dict[int, tuple[str, NameIndex, Statement]] = {}

    def write(
        self,
        text: str,
        *,
        owner: str,
        game_time: float,
        speaker: str = "",
        addressee: str = "",
        kind: MemoryKind | None = None,
        importance: float | None = None,
        tags: Sequence[str] = (),
        embed: bool = False,
    ) -> list[Written]:
        """Remember a line.

        Parameters
        ----------
        text : str
            One utterance or observation, cleaned.
        owner, speaker, addressee : str
            Who remembers it, who said it (nobody: it was seen), to whom.
        game_time : float
            When, in seconds.
        kind : str, optional
            Its kind; None: by rules.
        importance : float, optional
            How much it matters; None: by rules, and by how new it is.
        tags : sequence of str
            The game's own labels.
        embed : bool
            Embed new memories now.

        Returns
        -------
        list of Written
            One for each part, in their order. A line that came with a kind, an importance or tags
            is one part, and never air: somebody has judged it.

        Raises
        ------
        InputError
            It cannot be stored; nothing of it is then.
        """
        whole = Memory(
            owner=owner,
            text=text,
            kind=kind or "episodic",
            speaker=speaker,
            addressee=addressee,
            game_time=game_time,
            importance=0.5 if importance is None else importance,
            tags=tuple(tags),
        )
        checked(whole)
        judged = kind is not None or importance is not None or bool(tags)
        parts = [text] if judged else segments(text)
        written = []
        for part in parts:
            line = msgspec.structs.replace(whole, text=part)
            one = (
                self._judged(line, kind, importance, embed) if judged else self._heard(line, embed)
            )
            self._telemetry.count(f"rag.written.{one.outcome}")
            written.append(one)
        return written

    def _heard(self, line: Memory, embed: bool) -> Written:
        names = self._names()
        spans = names.spans(line.text)
        named = {word for start, end, _ in spans for word in words_of(line.text[start:end])}
        said = self._statement(line, names)
        passing = bool(line.speaker) and is_passing(line.text, named, addressee=line.addressee)
        near = list(self._near(line.owner, said, names))
        if repeated := self._repeated(line, said, near, passing=passing):
            return repeated
        entities = names.entities(line.text)
        importance = importance_of(line.text, entities)
        if passing:
            line = msgspec.structs.replace(
                line,
                kind="working",
                importance=min(importance, _PASSING_IMPORTANCE),
                entities=entities,
            )
            return Written(memory=self._store.add(line, embed=embed), outcome="passing")
        importance += self._surprise(line.owner, said, near)
        promised = bool(line.speaker) and is_promise(line.text)
        line = msgspec.structs.replace(
            line,
            kind=kind_of(line.text, seen=not line.speaker),
            importance=round(min(1.0, max(0.05, importance + promised * _PROMISE_IMPORTANCE)), 3),
            tags=("promise",) if promised else (),
            entities=entities,
        )
        return self._added(line, said, near, embed)

    def _judged(
        self, line: Memory, kind: MemoryKind | None, importance: float | None, embed: bool
    ) -> Written:
        names = self._names()
        said = self._statement(line, names)
        near = list(self._near(line.owner, said, names))
        for old, known in near:
            if self._same_moment(line, old) and known.content == said.content and said.content:
                return Written(memory=old, outcome="again")
        entities = names.entities(line.text)
        line = msgspec.structs.replace(
            line,
            kind=kind or kind_of(line.text, seen=not line.speaker),
            importance=importance_of(line.text, entities) if importance is None else importance,
            entities=entities,
        )
        return self._added(line, said, near, embed)

    def _added(
        self, line: Memory, said: Statement, near: Sequence[tuple[Memory, Statement]], embed: bool
    ) -> Written:
        """Store a memory; what cannot hold beside it is superseded."""
        replaced = [
            old
            for old, known in near
            if old.game_time <= line.game_time
            and old.kind not in {"sensory", "working"}
            and contradicts(said, known, same_speaker=old.speaker == line.speaker)
        ]
        memory = self._store.add(line, embed=embed)
        for old in replaced:
            self._store.update(msgspec.structs.replace(old, superseded_by=memory.id), embed=embed)
        ids = tuple(sorted(old.id for old in replaced))
        if self._life is not None and ids:
            share = self._life.settings.superseded_share
            self._life.weaken(ids, line.game_time, share)
        return Written(memory=memory, outcome="changed" if ids else "new", superseded=ids)

    def _repeated(
        self,
        line: Memory,
        said: Statement,
        near: Sequence[tuple[Memory, Statement]],
        *,
        passing: bool,
    ) -> Written | None:
        """What holds a line already, if anything does."""
        own = bool(line.speaker) and line.speaker == line.owner
        for old, known in near:
            if known.question != said.question:
                continue
            if line.speaker == old.speaker and self._same_moment(line, old):
                if old.text == line.text or (
                    said.content and words_of(old.text) == words_of(line.text)
                ):
                    return Written(memory=old, outcome="again")
            if passing or old.kind in {"sensory", "working"} or known.negative != said.negative:
                continue
            if (own or old.speaker == line.owner) and _covers(known, said, _RETOLD):
                return Written(memory=old, outcome="retold")
            told_before = line.speaker and line.speaker == old.speaker
            if (told_before or self._same_moment(line, old)) and _alike(known, said):
                if self._life is not None:
                    self._life.recall([old.id], line.game_time)
                return Written(memory=old, outcome="again")
        return None

    @staticmethod
    def _same_moment(line: Memory, old: Memory) -> bool:
        near = abs(line.game_time - old.game_time) <= _REPEAT_SECONDS
        return near and line.speaker == old.speaker

    def _near(
        self, owner: str, said: Statement, names: NameIndex
    ) -> Iterator[tuple[Memory, Statement]]:
        """What the owner knows that a line may repeat or change, the latest first.

        The latest memories, and those that the word index finds.
        """
        latest = self._store.for_owner(owner, last=_LOOK_BACK)
        found = {memory.id: memory for memory in reversed(latest)}
        if self._store.count(owner) > len(latest) and said.content:
            terms = [(word, 1.0) for word in sorted(said.content)]
            scores = self._store.word_scores(owner, terms)
            best = np.argsort(-scores, kind="stable")[:_FOUND_BY_WORDS]
            ids = self._store.ids(owner)[best[scores[best] > 0.0]]
            for memory_id in sorted(ids.tolist(), reverse=True):
                if memory := self._store.get(memory_id):
                    found.setdefault(memory_id, memory)
        for memory in found.values():
            if not memory.superseded_by and not memory.sources:
                yield memory, self._statement(memory, names)

    def _statement(self, memory: Memory, names: NameIndex) -> Statement:
        """A line as it is compared; those of stored memories are kept for a while."""
        kept = self._read.get(memory.id) if memory.id else None
        if kept is not None and kept[0] == memory.text and kept[1] is names:
            return kept[2]
        pieces, at = [], 0
        for start, end, entity_id in names.spans(memory.text):
            pieces += [memory.text[at:start], entity_id]
            at = end
        statement = read_statement(
            "".join(pieces) + memory.text[at:], speaker=memory.speaker, addressee=memory.addressee
        )
        if memory.id:
            if len(self._read) >= _MOST_READ:
                self._read.clear()
            self._read[memory.id] = (memory.text, names, statement)
        return statement

    def _surprise(
        self, owner: str, said: Statement, near: Sequence[tuple[Memory, Statement]]
    ) -> float:
        """What being newer than usual adds to a line's importance."""
        if self._novelty is None:
            return 0.0
        likeness = max((_likeness(known, said) for _, known in near), default=0.0)
        before: Novelty = self._novelty[owner]
        self._novelty[owner] = before.then(1.0 - likeness)
        return _SURPRISE_STEP * before.surprise(1.0 - likeness)


def _likeness(one: Statement, other: Statement) -> float:
    """Share of the words of both that they have in common."""
    either = len(one.content | other.content)
    return len(one.content & other.content) / either if either else 0.0


def _alike(known: Statement, said: Statement) -> bool:
    """Whether two lines say the same: nearly the same words, and the very same numbers."""
    if not said.content or known.numbers != said.numbers:
        return False
    return _likeness(known, said) >= _SAME


def _covers(known: Statement, said: Statement, share: float) -> bool:
    """Whether most of what is said stands in what is known, every number included."""
    if len(said.content) < 2 or not said.numbers <= known.numbers:
        return False
    return len(said.content & known.content) >= share * len(said.content)


def most_telling(written: Sequence[Written]) -> Memory:
    """The memory that a whole line is called by: the most important that is no air."""
    return max(
        written, key=lambda one: (one.outcome != "passing", one.memory.importance, -one.memory.id)
    ).memory
