"""From what was heard, said or seen to memories, by rules; no model is asked.

A line is taken apart into things that stand by themselves (`writing_segments`). What is air is kept
as a working memory, which fades within hours (`writing_triage`). What a character only says again
is no new memory (`writing_repeats`), what it is told again strengthens the old one, and what cannot
be true beside an older memory supersedes it (`writing_changes`): the old one stays, and says by
which it was replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

import msgspec
import numpy as np

from astraweave.observability import NULL_TELEMETRY, Telemetry
from astraweave.rag._linking import NameIndex, words_of
from astraweave.rag.changes import MemoryChanges
from astraweave.rag.life import MemoryLife
from astraweave.rag.memory import Memory, MemoryKind
from astraweave.rag.salience import importance_of
from astraweave.rag.store import MemoryStore, checked
from astraweave.rag.writing_draft import SHORT_LIVED, Draft, Near, Outcome, Written
from astraweave.rag.writing_novelty import Novelty, NoveltyTable
from astraweave.rag.writing_repeats import alike, covers, quotes, same_moment, same_words
from astraweave.rag.writing_segments import segments
from astraweave.rag.writing_statements import Statement, read_statement
from astraweave.rag.writing_triage import is_passing, is_promise, kind_of
from astraweave.rag.writing_words import lexicon, tokens_of

__all__ = ["Decision", "MemoryWriter", "Outcome", "Written", "most_telling"]


_LOOK_BACK = 12
_FOUND_BY_WORDS = 6
_MOST_READ = 4096
_PASSING_IMPORTANCE = 0.15
_PROMISE_IMPORTANCE = 0.2


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What should become of a line, as plain data.

    Attributes
    ----------
    written : tuple of Written
        One for each part of the line, in their order.
    changes : MemoryChanges
        What it comes down to in the store.
    told_again : tuple of int
        Ids of memories that are stronger now.
    novelty : Novelty or None
        What is usual for the owner from now on.
    at : float
        Game time of the line.
    """

    written: tuple[Written, ...]
    changes: MemoryChanges
    told_again: tuple[int, ...] = ()
    novelty: Novelty | None = None
    at: float = 0.0


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
    ) -> tuple[Written, ...]:
        """Remember a line: `decide`, then `apply`.

        Raises
        ------
        InputError
            It cannot be stored; nothing of it is then.
        """
        line = Memory(
            owner=owner,
            text=text,
            kind=kind or "episodic",
            speaker=speaker,
            addressee=addressee,
            game_time=game_time,
            importance=0.5 if importance is None else importance,
            tags=tuple(tags),
        )
        judged = kind is not None or importance is not None or bool(tags)
        decision = self.decide(
            line, judged=judged, kind=kind is None, importance=importance is None
        )
        self.apply(decision, embed=embed)
        return decision.written

    def decide(
        self,
        line: Memory,
        *,
        judged: bool = False,
        kind: bool = True,
        importance: bool = True,
        rests_on: Collection[int] = (),
    ) -> Decision:
        """What should become of a line; nothing is changed.

        Parameters
        ----------
        line : Memory
            One utterance or observation as it was, cleaned; nobody speaks what was only seen.
        judged : bool
            Somebody wants it kept as it is: it stays in one piece, and is never air.
        kind, importance : bool
            Find these by rules, in place of those in `line`.
        rests_on : collection of int
            Ids of the memories that its owner's own words are made of.

        Raises
        ------
        InputError
            It cannot be stored.
        """
        checked(line)
        novelty = self._novelty_of(line.owner)
        draft = Draft(line.owner, self._store.next_id, self._names(), novelty, rests_on)
        for part in [line.text] if judged else segments(line.text):
            one = msgspec.structs.replace(line, id=0, text=part)
            if judged:
                self._keep(draft, one, kind=kind, importance=importance)
            else:
                self._hear(draft, one)
        return Decision(
            written=tuple(draft.written),
            changes=MemoryChanges(put=(*draft.added, *draft.replaced.values())),
            told_again=tuple(draft.told_again),
            novelty=draft.novelty,
            at=line.game_time,
        )

    def apply(self, decision: Decision, *, embed: bool = False) -> None:
        """Change what a decision says: the store, strengths, and what is usual for the owner."""
        known = self._store.next_id
        for memory in decision.changes.put:
            if memory.id >= known:
                self._store.add(memory, embed=embed)
            else:
                self._store.update(memory, embed=embed)
        self.follow(decision)

    def follow(self, decision: Decision) -> None:
        """The part of `apply` beside the store, for whoever changes that through an event."""
        if self._novelty is not None and decision.novelty is not None:
            self._novelty[decision.written[0].memory.owner] = decision.novelty
        if self._life is not None:
            replaced = [old for one in decision.written for old in one.superseded]
            if decision.told_again:
                self._life.recall(decision.told_again, decision.at)
            if replaced:
                self._life.weaken(replaced, decision.at, self._life.settings.superseded_share)
        for one in decision.written:
            self._telemetry.count(f"rag.written.{one.outcome}")

    def _hear(self, draft: Draft, line: Memory) -> None:
        """Judge a part of a line by its words, and note what becomes of it."""
        spans = draft.names.spans(line.text)
        named = {word for start, end, _ in spans for word in words_of(line.text[start:end])}
        said = _read(line, spans)
        passing = bool(line.speaker) and is_passing(line.text, named, addressee=line.addressee)
        passing = passing and not said.is_lasting
        near = self._near(draft, line, said, by_words=not passing)
        # "It is shut now" may be short, and changes what was known.
        passing = passing and not draft.outdated(line, said, near)
        if self._repeats(draft, line, said, near, passing=passing):
            return
        if passing:
            entities = tuple(dict.fromkeys(entity_id for _, _, entity_id in spans))
            importance = min(importance_of(line.text, entities), _PASSING_IMPORTANCE)
            air = {"kind": "working", "importance": importance, "entities": entities}
            memory = draft.add(msgspec.structs.replace(line, **air), "passing")
            self._note(memory, draft.names, said)
            return
        entities = draft.names.entities(line.text, spans)
        importance = importance_of(line.text, entities) + draft.surprise(said, near)
        promised = bool(line.speaker) and is_promise(line.text)
        importance += _PROMISE_IMPORTANCE * promised
        told = {
            "kind": _kind(line, said),
            "importance": round(min(1.0, max(0.05, importance)), 3),
            "tags": ("promise",) if promised else (),
            "entities": entities,
        }
        memory = draft.supersede(msgspec.structs.replace(line, **told), said, near)
        self._note(memory, draft.names, said)

    def _keep(self, draft: Draft, line: Memory, *, kind: bool, importance: bool) -> None:
        """Note that a line stays as it is."""
        spans = draft.names.spans(line.text)
        said = _read(line, spans)
        near = self._near(draft, line, said)
        for old, known, _ in near:
            if same_moment(line, old) and known.content == said.content and said.content:
                draft.written.append(Written(memory=old, outcome="again"))
                return
        line = msgspec.structs.replace(line, entities=draft.names.entities(line.text, spans))
        if kind:
            line = msgspec.structs.replace(line, kind=_kind(line, said))
        if importance:
            weight = importance_of(line.text, line.entities)
            line = msgspec.structs.replace(line, importance=weight)
        self._note(draft.supersede(line, said, near), draft.names, said)

    def _repeats(
        self,
        draft: Draft,
        line: Memory,
        said: Statement,
        near: Sequence[Near],
        *,
        passing: bool,
    ) -> bool:
        """Whether something holds a line already; it is noted then."""
        own = bool(line.speaker) and line.speaker == line.owner
        if own and not (passing or said.question) and self._rests(draft, line, said):
            return True
        words = len(said.content)
        for old, known, shared in near:
            # Whatever finds a repetition needs two words of it, if it has as many.
            if shared < min(words, 2) or known.question != said.question:
                continue
            if known.content == said.content and same_moment(line, old) and same_words(line, old):
                draft.written.append(Written(memory=old, outcome="again"))
                return True
            if passing or old.kind in SHORT_LIVED:
                continue
            if own and not said.question and quotes(line, said, [known], draft.names):
                draft.written.append(Written(memory=old, outcome="retold"))
                return True
            if known.negative != said.negative:
                continue
            if (own or old.speaker == line.owner) and covers(known, said, line):
                draft.written.append(Written(memory=old, outcome="retold"))
                return True
            told_before = line.speaker and line.speaker == old.speaker
            if (told_before or same_moment(line, old)) and alike(known, said):
                draft.written.append(Written(memory=old, outcome="again"))
                draft.told_again.append(old.id)
                return True
        return False

    def _rests(self, draft: Draft, line: Memory, said: Statement) -> bool:
        """Whether a line gives back the memories that it is known to rest on."""
        used = [memory for each in draft.rests_on if (memory := self._store.get(each))]
        known = [self._statement(memory, draft.names) for memory in used]
        if not known or not quotes(line, said, known, draft.names, rests=True):
            return False
        draft.written.append(Written(memory=used[0], outcome="retold"))
        return True

    def _near(
        self, draft: Draft, line: Memory, said: Statement, *, by_words: bool = True
    ) -> list[Near]:
        """What the owner knows that a line may repeat or change, the latest first.

        The latest memories, and those that the word index finds.
        """
        latest = self._store.for_owner(draft.owner, last=_LOOK_BACK)
        found = {memory.id: memory for memory in (*reversed(draft.added), *reversed(latest))}
        if by_words and self._store.count(draft.owner) > len(latest):
            for memory in self._by_words(draft.owner, line.text):
                found.setdefault(memory.id, memory)
        near, names, content = [], draft.names, said.content
        for memory_id, memory in found.items():
            if memory.superseded_by or memory.sources or memory_id in draft.replaced:
                continue
            kept = self._read.get(memory_id)
            if kept is not None and kept[0] is memory.text and kept[1] is names:
                known = kept[2]
            else:
                known = self._statement(memory, names)
            near.append(Near(memory, known, len(known.content & content)))
        return near

    def _by_words(self, owner: str, text: str) -> Iterator[Memory]:
        """Memories with the most telling words in common, the latest first."""
        idle = lexicon().function_words
        terms = [(word, 1.0) for word in dict.fromkeys(tokens_of(text)) if word not in idle]
        scores = self._store.word_scores(owner, terms)
        count = min(_FOUND_BY_WORDS, len(scores))
        best = np.sort(np.argpartition(-scores, count - 1)[:count])[::-1]
        for memory_id in self._store.ids(owner)[best[scores[best] > 0]].tolist():
            if memory := self._store.get(memory_id):
                yield memory

    def _statement(self, memory: Memory, names: NameIndex) -> Statement:
        """A line as it is compared; those of stored memories are kept for a while."""
        kept = self._read.get(memory.id)
        if kept is not None and kept[0] == memory.text and kept[1] is names:
            return kept[2]
        statement = _read(memory, names.spans(memory.text))
        self._note(memory, names, statement)
        return statement

    def _note(self, memory: Memory, names: NameIndex, statement: Statement) -> None:
        if len(self._read) >= _MOST_READ:
            self._read.clear()
        self._read[memory.id] = (memory.text, names, statement)

    def _novelty_of(self, owner: str) -> Novelty | None:
        return None if self._novelty is None else self._novelty[owner]


def _read(line: Memory, spans: Sequence[tuple[int, int, str]]) -> Statement:
    """A line as it is compared: ids for the names in it."""
    pieces, at = [], 0
    for start, end, entity_id in spans:
        pieces += [line.text[at:start], entity_id]
        at = end
    pieces.append(line.text[at:])
    return read_statement("".join(pieces), speaker=line.speaker, addressee=line.addressee)


def _kind(line: Memory, said: Statement) -> MemoryKind:
    kind = kind_of(line.text, seen=not line.speaker)
    # How something is holds until somebody says otherwise, also where it began just now.
    return "semantic" if kind == "episodic" and line.speaker and said.tells_how_it_is else kind


def most_telling(written: Sequence[Written]) -> Memory:
    """The memory that a whole line is called by: the most important that is no air."""
    return max(
        written, key=lambda one: (one.outcome != "passing", one.memory.importance, -one.memory.id)
    ).memory
