"""What characters remember: every change is decided here, and happens as an event.

Deciding may ask an embedder, the world's names, a sweep; what comes of it is plain data, which goes
into the state through `happen` like everything else. Strengths and what is usual for each owner are
worked out by their rooms, which change as they work: so whatever they did is taken back, and then
happens.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from astraweave.core.protocols import ScopeResolver
from astraweave.core.threads import Worker
from astraweave.core.worldview import WorldView
from astraweave.embeddings import EmbeddingClient
from astraweave.errors import AstraweaveError
from astraweave.kernels.forgetting import fade
from astraweave.observability import Telemetry
from astraweave.rag import (
    DecayRule,
    GameCalendar,
    LifeSettings,
    Memory,
    MemoryChanges,
    MemoryLife,
    MemoryStore,
    NoveltyTable,
    RagPipeline,
    Retrieved,
    Swept,
    WorldScopes,
)
from astraweave.rag.life import SLICE_ROWS
from astraweave.rag.life_gists import GistSettings
from astraweave.rag.scopes import is_scope
from astraweave.rag.sharing import copy_to
from astraweave.world.events import AnyEvent, MemoriesChanged, MemoriesLived, RoomPut
from astraweave.world.ledger import encode_state
from astraweave.world.slot import Slot

__all__ = ["MemoryRules", "Remembering"]

_EMBEDDED_FIRST = 4
"""Latest memories of a character that get their vectors before it is asked, if they have none."""
_LATELY = 48
"""Latest memories of a character that a line may look through, whatever was said."""
_MOST_AT_ONCE = 2048
"""So many memories go in one step; a line waits for no more. The others go with the next sweep."""
_STRONGEST = 3

Bring = Callable[..., None]
"""``bring(job, *args)``: have this done as a part of a tick, soon."""


@dataclass(frozen=True, kw_only=True)
class MemoryRules:
    """How the memories of a world live, and who may know what.

    Attributes
    ----------
    life : LifeSettings
        Half-lives, what is protected, what a character may keep.
    decay : DecayRule
        A designer's own formula.
    gists : GistSettings
        What is summed up.
    scopes : ScopeResolver or None
        Who is inside which scope; None: as the world's view says.
    sweep_every_s, sum_up_every_s : float
        So often memories are gone over, and what is old is summed up, in seconds of game time.
    """

    life: LifeSettings = field(default_factory=LifeSettings)
    decay: DecayRule = fade
    gists: GistSettings = field(default_factory=lambda: GistSettings(most=500))
    scopes: ScopeResolver | None = None
    sweep_every_s: float = 600.0
    sum_up_every_s: float = 86_400.0


class Remembering:
    """All memories of an open slot. Confined to the runtime's second thread, but for its counts.

    Parameters
    ----------
    slot : Slot
        Whose database they are in.
    embedder : EmbeddingClient
        Makes their vectors.
    view : WorldView
        Its names link memories to entities.
    telemetry : Telemetry
        Where times go.
    rules : MemoryRules
        How they live.
    calendar : GameCalendar, optional
        What a day is.
    happen : callable
        Lets an event happen.
    now : callable
        Game time of the tick.

    Attributes
    ----------
    over : bool
        An older save was loaded: what was decided for these memories must not happen any more.
    bring : callable
        Brings what an idle hour has found into a tick.
    """

    def __init__(
        self,
        slot: Slot,
        embedder: EmbeddingClient,
        view: WorldView,
        telemetry: Telemetry,
        *,
        rules: MemoryRules,
        calendar: GameCalendar | None = None,
        happen: Callable[[AnyEvent], None],
        now: Callable[[], float],
        bring: Bring,
    ) -> None:
        self.rules = rules
        self.bring = bring
        self.over = False
        self._embedder = embedder
        self._telemetry = telemetry
        self._happen = happen
        self._now = now
        self.scopes = rules.scopes or WorldScopes(view)
        self.store = MemoryStore(slot.connection, embedder, telemetry=telemetry)
        slot.attach(self.store)
        self.life = MemoryLife(
            slot.connection, self.store, rules.life, rule=rules.decay, telemetry=telemetry
        )
        self.novelty = NoveltyTable(slot.connection)
        slot.attach(self.life)
        slot.attach(self.novelty)
        self.rag = RagPipeline(
            self.store,
            embedder,
            world=view,
            scopes=self.scopes,
            life=self.life,
            novelty=self.novelty,
            calendar=calendar,
            telemetry=telemetry,
        )
        self._counts = {owner: self.store.count(owner) for owner in self.store.owners()}
        self._strongest: dict[str, tuple[int, ...]] = {}
        self._fresh: dict[str, deque[Memory]] = defaultdict(partial(deque, maxlen=_EMBEDDED_FIRST))
        for memory in self.store.pending():
            self._fresh[memory.owner].append(memory)
        self._sweeping_for: float | None = None
        self._summed_up_at: float | None = None
        self._to_sum_up: deque[str] = deque()
        # A small world's sweeps take less than a millisecond in NumPy: only a large one compiles.
        self._compiling: Worker | None = None
        if self.store.count() >= SLICE_ROWS:
            self._compiling = self.life.compile_soon()

    # Changing, inside a tick.

    def remember(
        self,
        memory: Memory,
        *,
        importance: float | None = None,
        why: str = "line",
        rests_on: Sequence[int] = (),
    ) -> Memory | None:
        """Add a memory; its vector is made when nothing else waits, or when it is needed.

        The first part of it that holds it now comes back; `rests_on` are the memories that its
        owner's own words are made of.
        """
        decision = self.rag.decide(memory, importance=importance, rests_on=rests_on)
        if decision.changes:
            self._happen(MemoriesChanged(changes=decision.changes, why=why, at=memory.game_time))
        if decision.novelty not in (None, self.novelty[memory.owner]):
            value = encode_state(decision.novelty)
            self._happen(RoomPut(room="novelty", key=memory.owner, value=value))
        moved = [old for one in decision.written for old in one.superseded]
        self._live((*decision.told_again, *moved), partial(self.rag.writer.follow, decision), why)
        fresh = self._fresh[memory.owner]
        fresh.extend(one.memory for one in decision.written)
        self._recount(memory.owner)
        return decision.written[0].memory if decision.written else None

    def recall(self, ids: Sequence[int]) -> None:
        """Memories came to mind, at the game time of the tick: they last longer from now on."""
        self._live(ids, lambda: self.rag.recalled(ids, self._now()), "recalled")

    def share(self, memory: Memory, to: str, by: str) -> None:
        """Let somebody else, or everybody in a scope, know of a memory."""
        if self.store.get(memory.id) != memory:
            return  # it was forgotten, or an older save was loaded
        copy = copy_to(self.store, memory.id, to=to, by=by)
        if copy.id:
            return  # known already
        copy = msgspec.structs.replace(copy, id=self.store.next_id)
        self._happen(
            MemoriesChanged(changes=MemoryChanges(put=(copy,)), why="shared", at=self._now())
        )
        vector = self.store.vector(memory.id)
        if vector is not None:
            self.store.set_vectors([copy], vector[np.newaxis])
        else:
            self._fresh[to].append(copy)
        self._recount(to)

    def reword(self, owner: str, whole: str, heard: str) -> None:
        """Shorten the memory of something that its owner has said to what was heard of it."""
        for memory in reversed(self.store.for_owner(owner, last=8)):
            if memory.speaker == owner and memory.text == whole:
                changed = msgspec.structs.replace(memory, text=heard)
                changes = (
                    MemoryChanges(put=(changed,)) if heard else MemoryChanges(gone=(memory.id,))
                )
                self._happen(MemoriesChanged(changes=changes, why="cut", at=self._now()))
                self._recount(owner)
                return

    def forget(self, swept: Swept) -> None:
        """Let go of what a sweep has found, as far as that still holds."""
        if self.over:
            return
        now, below = self._now(), self.life.settings.forget_below
        owners = [(each, self.store.get(each)) for each in swept.faded]
        # What a place or a faction knows is kept by more than one head.
        own = [each for each, memory in owners if memory and not is_scope(memory.owner)]
        weak = self.life.strengths(own, now) < below
        faded = [each for each, gone in zip(own, weak, strict=True) if gone]
        self._let_go(faded[:_MOST_AT_ONCE], "faded")
        for owner in swept.crowded:
            self._let_go(self.life.overflow(owner, now)[:_MOST_AT_ONCE], "crowded")

    def sum_up(self, gist: Memory) -> None:
        """Keep the gist of several memories, which fade faster from now on."""
        sources = [self.store.get(each) for each in gist.sources]
        if self.over or any(each is None or each.owner != gist.owner for each in sources):
            return
        now, share = self._now(), self.life.settings.summed_up_share
        kept = msgspec.structs.replace(gist, id=self.store.next_id)
        self._happen(MemoriesChanged(changes=MemoryChanges(put=(kept,)), why="summed up", at=now))
        self._live(gist.sources, lambda: self.life.weaken(gist.sources, now, share), "summed up")
        self._telemetry.count("rag.summed_up", len(gist.sources))
        self._recount(gist.owner)

    def _let_go(self, ids: Sequence[int], why: str) -> None:
        if not ids:
            return
        owners = {memory.owner for each in ids if (memory := self.store.get(each))}
        changes = MemoryChanges(gone=tuple(ids))
        self._happen(MemoriesChanged(changes=changes, why=why, at=self._now()))
        self._telemetry.count("rag.forgotten", len(ids))
        for owner in owners:
            self._recount(owner)

    def _live(self, ids: Iterable[int], change: Callable[[], object], why: str) -> None:
        """Let what a change does to the lives of memories be an event."""
        before = {each: self.life.lived(each) for each in ids}
        change()
        after = {each: self.life.lived(each) for each in before}
        changed = []
        for each, lived in after.items():
            if lived is not None and lived != before[each]:
                self.life.restore(each, before[each])  # that was asking; now it happens
                changed.append((each, lived))
        if changed:
            self._happen(MemoriesLived(lived=tuple(changed), why=why, at=self._now()))

    # Asking.

    def retrieve(
        self, query: str, *, owner: str, k: int, speaker: str | None = None, now: float
    ) -> list[Retrieved]:
        """What a character remembers; the latest it may know among it, whatever still waits.

        An embedder that fails, which may be the game's own, is done without: words find much.
        """
        try:
            self._embed_latest(owner)
            return self.rag.retrieve(query, owner=owner, k=k, speaker=speaker, now=now)
        except Exception as error:  # noqa: BLE001 - counted; a second failure is not the embedder's
            self._telemetry.count(f"world.not_embedded.{type(error).__name__}")
        nothing = np.zeros(self._embedder.dimensions, np.float32)
        return self.rag.retrieve(query, owner=owner, k=k, speaker=speaker, now=now, vector=nothing)

    def _embed_latest(self, owner: str) -> None:
        """Make vectors of what a character, and whoever shares a scope with it, learned last."""
        shared = [
            each for each in self._fresh if is_scope(each) and self.scopes.may_know(owner, each)
        ]
        for each in (owner, *shared):
            for memory in self._fresh.pop(each, ()):
                self.vector_of(memory)

    def vector_of(self, memory: Memory) -> NDArray[np.float32] | None:
        """The vector of a memory, made where it is missing; None: it is forgotten."""
        if self.store.get(memory.id) is None:
            return None
        vector = self.store.vector(memory.id)
        if vector is None:
            vector = self._embedder.embed(memory.text)
            self.store.set_vectors([memory], vector[np.newaxis])
        return vector

    def overturned(self, told: Memory) -> list[Memory]:
        """What a character believes and what this, once it is told, makes so no longer."""
        written = self.rag.writer.decide(told, judged=bool(told.tags)).written
        ids = dict.fromkeys(old for one in written for old in one.superseded)
        return [memory for old in ids if (memory := self.store.get(old)) is not None]

    def lately(self, owner: str) -> list[Memory]:
        """What a character has learned of late, newest first."""
        return self.store.for_owner(owner, last=_LATELY)[::-1]

    def known(self, owner: str, memory_id: int) -> Memory | None:
        """A memory of a character, or of a scope that it is inside."""
        memory = self.store.get(memory_id)
        if memory is None or memory.owner == owner:
            return memory
        inside = is_scope(memory.owner) and self.scopes.may_know(owner, memory.owner)
        return memory if inside else None

    def count(self, owner: str) -> int:
        """How many memories a character has; from any thread."""
        return self._counts.get(owner, 0)

    def strongest(self, owner: str) -> tuple[int, ...] | None:
        """Ids of those that stand out most, as of the last change or sweep; from any thread.

        None: nobody has had them worked out (see `rank`) yet.
        """
        return self._strongest.get(owner)

    def _recount(self, owner: str) -> None:
        self._counts[owner] = self.store.count(owner)
        if owner in self._strongest:
            self.rank(owner)

    def rank(self, owner: str) -> None:
        """Work out what stands out, now and from now on: by strength times importance."""
        ids = self.store.ids(owner)
        worth = self.life.strengths(ids, self._now()) * self.store.columns(owner).importance
        best = np.lexsort((-ids, -worth))[:_STRONGEST]
        self._strongest[owner] = tuple(ids[best].tolist())

    # When nothing else waits.

    def embed_one(self) -> bool:
        """Make a vector that is missing; whether more are. For when nothing else waits.

        One by one, so that lines wait as little as possible, and so that no vector depends on what
        happened to be embedded along with it.
        """
        self.store.embed_pending(1)
        if more := bool(self.store.pending(1)):
            return more
        self._fresh.clear()
        return False

    def due(self, now: float) -> None:
        """Memories shall be gone over for this game time, when nothing else waits."""
        if self._sweeping_for is None and self.store.count():
            self._sweeping_for = now

    def tend(self) -> bool:
        """A step of what is due: of a sweep, then of summing up; whether more are.

        Nothing is changed: what it finds is brought into a tick.
        """
        if self._sweeping_for is not None:
            swept = self.life.sweep(self._sweeping_for)
            if swept is not None:
                self._swept(swept)
        elif self._to_sum_up:
            self._gists_of(self._to_sum_up.popleft())
        return self._sweeping_for is not None or bool(self._to_sum_up)

    def _swept(self, swept: Swept) -> None:
        self._sweeping_for = None
        if swept.faded or swept.crowded:
            self.bring(self.forget, swept)
        for owner in self._strongest:
            self.rank(owner)
        last, every = self._summed_up_at, self.rules.sum_up_every_s
        if last is None or not 0.0 <= swept.now - last < every:
            self._summed_up_at = swept.now
            self._to_sum_up.extend(o for o in self.store.owners() if not is_scope(o))

    def _gists_of(self, owner: str) -> None:
        try:
            for gist in self.life.gists(owner, self._summed_up_at or 0.0, self.rules.gists):
                self.bring(self.sum_up, gist)
        except AstraweaveError as error:
            self._telemetry.count(f"world.unkept.{type(error).__name__}")

    def end(self) -> None:
        """Let go of everything that runs beside."""
        self.over = True
        if self._compiling is not None:
            self._compiling.finish()


def nowhere(job: Callable[..., Any], *args: Any) -> None:
    """Brings nothing anywhere: for a keeper without a world."""
