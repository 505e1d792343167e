"""The World: what a game opens, ticks, saves and closes."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import msgspec

from astraweave.context import ConversationHistory, RoughCounter, Turn
from astraweave.core.clock import SystemClock, monotonic_ns
from astraweave.core.closing import Closing
from astraweave.core.protocols import Clock
from astraweave.core.rng import RandomStreams
from astraweave.core.settings import Settings
from astraweave.core.worldview import Entity, WorldView
from astraweave.dialogue import DialogueGenerator, LinePlan, VoiceLibrary
from astraweave.embeddings import EmbeddingClient
from astraweave.errors import (
    AstraweaveError,
    ConfigError,
    InputError,
)
from astraweave.guard import OutputGuard
from astraweave.llm import ConstrainingModel, LanguageModel, ModelInfo, Priority
from astraweave.models.progress import Progress
from astraweave.observability import Telemetry
from astraweave.persona import Persona
from astraweave.prompts import PromptLibrary
from astraweave.rag import GameCalendar
from astraweave.serving import LlmScheduler, Road, RoadSettings, open_road
from astraweave.world.brains import Brains, load_brains
from astraweave.world.cast import Mind
from astraweave.world.conversation import Conversations
from astraweave.world.events import CharacterSet
from astraweave.world.feelings import Feelings
from astraweave.world.gathering import Gathering
from astraweave.world.keeper import Keeper
from astraweave.world.kept import check_id
from astraweave.world.known import Known
from astraweave.world.mailbox import Mailbox
from astraweave.world.npc import Npc
from astraweave.world.remembering import MemoryRules
from astraweave.world.reply import Reply
from astraweave.world.runtime import Runtime
from astraweave.world.slot import KEPT_SAVES, Slot
from astraweave.world.table import Conversation, Round
from astraweave.world.talking import Talk
from astraweave.world.timeline import Timeline
from astraweave.world.warmup import WarmUps

__all__ = ["TickReport", "World"]

DEFAULT_DEADLINE_S = 0.45
"""A line stands within half a second: this, and a frame to show it."""

_SILENCE_S = 30.0
"""Cancelled lines have ended by then, even those whose memories are being looked up."""

_LOOK_NS = 500_000_000
"""So often the road's settings file is looked at."""

P = ParamSpec("P")
T = TypeVar("T")


class TickReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one tick did.

    Attributes
    ----------
    delivered : int
        Pieces of text and endings that reached their replies.
    waiting : int
        Deliveries that the budget left for the next tick.
    speaking : int
        Replies that have not ended.
    elapsed_us : float
        Time spent in the tick.
    """

    delivered: int
    waiting: int
    speaking: int
    elapsed_us: float


class World(Known, Closing):
    """All minds of one game, and the save that they live in.

    Make one with `World.open`; two worlds in one process never meet. Use it, its characters and
    their replies from the thread that opened it: the game's.

    Attributes
    ----------
    view : WorldView
        What the game tells about itself: entities, facts, places. Thread-safe.
    telemetry : Telemetry
        Counters and spans.
    clock : Clock
        Game time.
    notices : tuple of str
        Models that could not be loaded, and why; empty when all is well.
    """

    def __init__(
        self,
        *,
        runtime: Runtime,
        keeper: Keeper,
        brains: Brains,
        road: Road | None,
        clock: Clock,
        telemetry: Telemetry,
        view: WorldView,
        seed: int | None,
        deadline_s: float,
        calendar: GameCalendar,
        prompts: PromptLibrary | None = None,
        output_guard: OutputGuard | None = None,
        voices: VoiceLibrary | None = None,
    ) -> None:
        self.view = view
        self.telemetry = telemetry
        self.clock = clock
        self.notices = brains.notices
        self.deadline_s = deadline_s
        self._runtime = runtime
        self._keeper = keeper
        self._brains = brains
        self._road = road
        self._look_at = 0 if road is not None and road.watches else math.inf
        self._thread = threading.get_ident()
        self._mailbox = Mailbox()
        self._timeline = Timeline(runtime, keeper, clock, view, self._mailbox.post)
        self._mailbox.after = self._timeline.end
        self._npcs: dict[str, Npc] = {}
        self._minds: dict[str, Mind] = {}
        self._rng = RandomStreams(seed or 0)
        self._generator = DialogueGenerator(
            self.scheduler,
            clock=clock,
            telemetry=telemetry,
            embedder=brains.embedder,
            prompts=prompts,
            guard=output_guard,
            voices=voices,
        )
        feelings = Feelings(keeper.mind, keeper.embedder)
        self._conversations = Conversations(
            runtime=runtime,
            generator=self._generator,
            keeper=keeper,
            warm_ups=WarmUps(self.scheduler, telemetry),
            view=self.view,
            clock=clock,
            rng=self._rng,
            telemetry=telemetry,
            post=self._mailbox.post,
            timeline=self._timeline,
            minds=feelings,
            calendar=calendar,
        )
        self._talk = Talk(
            self,
            runtime=runtime,
            conversations=self._conversations,
            cast=self._minds,
            minds=feelings,
            mailbox=self._mailbox,
            clock=clock,
            telemetry=telemetry,
            seed=lambda: self._rng.seed,
            deadline_s=deadline_s,
            voices=voices,
        )
        self._restore()
        # Behind the lines that end when the world does, before the slot closes.
        runtime.at_end(self._timeline.wind_up)
        runtime.blocking.when_idle(keeper.embed_one)
        runtime.blocking.when_idle(keeper.tend)

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        settings: Settings | None = None,
        seed: int | None = None,
        clock: Clock | None = None,
        recover: bool = False,
        keep_saves: int = KEPT_SAVES,
        model: LanguageModel | None = None,
        embedder: EmbeddingClient | None = None,
        prompts: PromptLibrary | str | Path | None = None,
        road: RoadSettings | str | Path | None = None,
        output_guard: OutputGuard | None = None,
        voices: VoiceLibrary | None = None,
        memories: MemoryRules | None = None,
        deadline_s: float = DEFAULT_DEADLINE_S,
        calendar: GameCalendar | None = None,
        progress: Progress | None = None,
    ) -> World:
        """Open a save slot; it is created when it is not there.

        The first call on a machine fetches and converts the models (`progress` is told); every
        later one is offline and takes about a second.

        Parameters
        ----------
        path : str or Path
            The slot: a folder. ``world.aw`` in it is the save and copies as one file.
        settings : Settings, optional
            Models, threads, provider; by default what ``ASTRAWEAVE_*`` variables say.
        seed : int, optional
            Seeds every random choice of a new world (default 0); a saved world keeps its own.
        clock : Clock, optional
            Game time; by default it runs with the machine's.
        recover : bool
            Also take what happened after the last save, when a crash kept it from being saved.
        keep_saves : int
            How many saves without a name are kept; a new one then takes the place of the oldest.
        model, embedder : optional
            Your own models, instead of those that `settings` name. You close them.
        prompts : PromptLibrary or path, optional
            Your own prompts, or the file or folder that they are in: its ``dialogue``, which may
            extend the built-in one, is what a language model is asked.
        road : RoadSettings or path, optional
            Limits and failures on the way to the model, or the TOML file that they stand in, which
            may change while the game runs: it is looked at twice a second as long as the world
            ticks. A file that is wrong then changes nothing; ``world.road.report().problem`` says
            why.
        output_guard : OutputGuard, optional
            Words and rules of your own: no character says what it refuses, model or not.
        voices : VoiceLibrary, optional
            Your own voices, by the names that personas give in ``patterns``.
        memories : MemoryRules, optional
            How memories fade, how many a character keeps, and who may know what.
        deadline_s : float
            When a whole line must stand, in seconds after `say`.
        calendar : GameCalendar, optional
            How long a day of the game is, and on which date it begins: what "yesterday" and "in
            April" mean to the characters. By default a day has 24 hours of game time. It belongs
            to the game and is not saved.
        progress : callable, optional
            Called with a stage, how much is done and how much there is.

        Raises
        ------
        InputError
            `seed` has more than 64 bits, or `keep_saves` is less than 1.
        ConfigError
            `prompts` or `road` cannot be used; names file and line.
        MissingExtraError
            There is a language model, and minijinja, which prompts are written in, is missing.
        SlotInUseError
            Another process or World has the slot open.
        CorruptDataError
            The save is damaged; nothing is changed.
        StorageError
            The folder cannot be read or written.
        """
        if seed is not None and not -(1 << 63) <= seed < 1 << 63:
            raise InputError(f"a seed has 64 bits; {seed} does not fit", seed=seed)
        settings = settings or Settings.from_environment()
        telemetry = Telemetry(enabled=settings.telemetry)
        calendar = calendar or GameCalendar()
        clock = clock or SystemClock()
        if isinstance(prompts, (str, Path)):
            prompts = PromptLibrary.load(prompts)
        runtime = Runtime()
        try:
            # The slot first: it is quick, and what most often goes wrong.
            slot = runtime.blocking.run(
                Slot.open, path, clock=clock, recover=recover, keep=keep_saves
            )
            runtime.at_end(slot.close)
            brains = load_brains(
                settings, telemetry, model=model, embedder=embedder, progress=progress
            )
            runtime.at_end(brains.close)
            view = WorldView()
            keeper = runtime.blocking.run(
                Keeper,
                slot,
                brains.embedder,
                view,
                telemetry,
                seed=seed or 0,
                rules=memories,
                calendar=calendar,
            )
            runtime.at_end(keeper.end)
            way = None
            if brains.model is not None:
                way = open_road(
                    brains.model,
                    settings=Path(road) if isinstance(road, str) else road,
                    clock=clock,
                    telemetry=telemetry,
                    journal=slot.journal,
                    world_version=lambda: view.version,
                )
                runtime.at_end(way.close)
                runtime.blocking.run(keeper.follow, way)
            return cls(
                runtime=runtime,
                keeper=keeper,
                brains=brains,
                road=way,
                clock=clock,
                telemetry=telemetry,
                view=view,
                seed=seed,
                deadline_s=deadline_s,
                calendar=calendar,
                prompts=prompts,
                output_guard=output_guard,
                voices=voices,
            )
        except BaseException:
            with contextlib.suppress(AstraweaveError):  # what went wrong first is what matters
                runtime.close()
            raise

    # The game's own calls.

    def npc(self, npc_id: str, persona: str | Path | Persona | None = None) -> Npc:
        """The character with this id; added when it is new.

        Parameters
        ----------
        npc_id : str
            Unique in the world.
        persona : str, Path or Persona, optional
            Who it is: a Persona, a TOML file, or the name of a built-in one (``"tam"``). Needed
            for a new character; for one from the save it replaces what was saved.

        Raises
        ------
        ConfigError
            The character is new and has no persona, or the persona file is wrong.
        """
        self._check()
        npc = self._npcs.get(npc_id)
        if npc is not None and persona is None:
            return npc
        if persona is None:
            raise ConfigError(
                f"this world has no character {npc_id!r} yet: give it a persona", npc=npc_id
            )
        check_id("a character", npc_id)
        who = persona if isinstance(persona, Persona) else _load_persona(persona)
        # Two characters may be made after one persona; what they say and know is their own.
        who = msgspec.structs.replace(who, id=npc_id)
        if npc is not None and npc.persona == who:
            return npc
        try:
            msgspec.msgpack.encode(who)  # here, where its maker can be told
        except ValueError as error:
            raise ConfigError(f"the persona of {npc_id!r} cannot be saved: {error}") from error
        self._timeline.happen(self._keeper.happen, CharacterSet(npc=npc_id, persona=who))
        return self._add(npc_id, who, turns=())

    def gather(self, npcs: Iterable[Npc | str], *, place: str = "") -> Conversation:
        """Let several characters talk together: what is said there, all of them hear.

        Parameters
        ----------
        npcs : iterable of Npc or str
            Who is there.
        place : str
            Id of where that is; the world's view may know it.

        Raises
        ------
        InputError
            Somebody is unknown, or there twice.
        """
        self._check()
        ids = [npc.id if isinstance(npc, Npc) else npc for npc in npcs]
        if len(set(ids)) < len(ids):
            raise InputError("a character can be there only once", npcs=tuple(ids))
        for npc_id in ids:
            if npc_id not in self._minds:
                raise InputError(f"this world has no character {npc_id!r}", npc=npc_id)
        cast = [self._mind(npc_id) for npc_id in ids]
        return Conversation(self, Gathering(cast, place, lambda: self._rng.seed))

    @property
    def npcs(self) -> Mapping[str, Npc]:
        """Every character of this world, by id."""
        return dict(self._npcs)

    def tick(self, budget_us: float = 500.0) -> TickReport:
        """Deliver what is ready; never waits. Call it once a frame.

        Parameters
        ----------
        budget_us : float
            Stop delivering after this many microseconds; the rest comes with the next tick.
        """
        start = monotonic_ns()
        self._check()
        if start >= self._look_at:
            self._look(start)
        delivered = self._mailbox.deliver(budget_us)
        self._timeline.step()
        return TickReport(
            delivered=delivered,
            waiting=len(self._mailbox),
            speaking=len(self._talk.speaking),
            elapsed_us=(monotonic_ns() - start) / 1e3,
        )

    def close(self) -> None:
        """End everything; unsaved work stays recoverable. Closing twice is allowed.

        Raises
        ------
        StorageError
            The last of the unsaved work could not be written; all the rest is closed.
        """
        if self._runtime.closed:
            return
        self._check()
        try:
            self._runtime.close()
        finally:
            self._mailbox.deliver()

    def prepare_constraints(self) -> None:
        """Get the model ready for constrained answers; for while a game loads that will ask any.

        Without it the first such request does that, on another thread but with the GIL held for a
        sixth of a second: a frame would stand still. Nothing is done where there is nothing to do.

        Raises
        ------
        MissingExtraError
            llguidance is not installed.
        """
        self._check()
        model: object = self._brains.model
        if isinstance(model, ConstrainingModel):
            model.prepare_constraints()

    @property
    def model_info(self) -> ModelInfo | None:
        """The language model; None when lines are composed."""
        return self._brains.model.info if self._brains.model is not None else None

    @property
    def road(self) -> Road | None:
        """The road to the language model, for questions of the game's own; None without a model.

        What is asked there is answered by its deadline, whoever has to (see `Road.ask`), and stands
        in one queue with the lines of all characters.
        """
        return self._road

    @property
    def scheduler(self) -> LlmScheduler | None:
        """The road's queue, for thoughts that have fallbacks of their own; None without a model."""
        return self._road.scheduler if self._road is not None else None

    # What characters and replies ask of their world.

    def listen(self, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Deliver on this event loop until the returned function is called."""
        self._check()
        return self._mailbox.listen(loop)

    def deliver_until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Deliver on this thread until `done`, or until the time is over."""
        self._check()
        return self._mailbox.deliver_until(done, timeout_s)

    def interrupt(self, reply: Reply, heard: str, cancel: Callable[[], object]) -> None:
        """Let only this much of a line have been said; replies call it."""
        self._check()
        self._talk.interrupt(reply, heard, cancel)

    def _say(
        self, npc: str, text: str, speaker: str, deadline_s: float | None, priority: Priority
    ) -> Reply:
        self._check()
        self._mind(npc)
        return self._talk.say(npc, text, speaker, deadline_s, priority)

    def _say_to_all(
        self,
        gathering: Gathering,
        text: str,
        speaker: str,
        to: str | Sequence[str] | None,
        deadline_s: float | None,
        priority: Priority,
    ) -> Round:
        self._check()
        return self._talk.say_to_all(gathering, text, speaker, to, deadline_s, priority)

    def _plan(self, npc: str, text: str, speaker: str) -> LinePlan:
        self._check()
        self._mind(npc)
        return self._talk.plan(npc, text, speaker)

    def _bark(self, npc: str, kind: str, *, force: bool) -> str:
        self._check()
        self._mind(npc)
        return self._talk.bark(npc, kind, force=force)

    # Inside.

    def _add(self, npc_id: str, persona: Persona, turns: Sequence[Turn]) -> Npc:
        mind = self._minds.get(npc_id)
        if mind is None:
            history = ConversationHistory(self._brains.model or RoughCounter())
            for turn in turns:
                history.append(turn)
            self._minds[npc_id] = Mind(npc_id, persona, history)
        else:
            mind.persona = persona
        if npc_id not in self.view:
            self.view.add(Entity(id=npc_id, name=persona.name, kind="person"))
        npc = self._npcs.setdefault(npc_id, Npc(self, npc_id, persona))
        npc.persona = persona
        mind = self._minds[npc_id]
        self._runtime.call(lambda: self._conversations.warm_up(mind))
        return npc

    def _fall_silent(self) -> None:
        """End every line that is being spoken, and take in what was said of them."""
        for reply in tuple(self._talk.speaking):
            reply.cancel()
        self._mailbox.deliver_until(lambda: not self._talk.speaking, _SILENCE_S)
        self._timeline.end()

    def _restore(self) -> None:
        """Take up what the keeper holds: at the beginning, and when an older save is loaded."""
        seed = self._block(self._keeper.seed)
        if seed is None:
            self._timeline.rewound()
            return
        self._rng.restore({"seed": seed, "streams": self._block(self._keeper.random)})
        view = self._block(self._keeper.view)
        self.view.restore(view.entities, view.facts, view.version)
        self._timeline.rewound()
        if hasattr(self.clock, "set"):
            self.clock.set(self._block(self._keeper.now))
        personas = self._block(self._keeper.personas)
        self._minds.clear()  # the game may hold its characters still; their minds are new
        self._npcs = {key: npc for key, npc in self._npcs.items() if key in personas}
        for npc_id, persona in personas.items():
            self._add(npc_id, persona, self._block(self._keeper.turns, npc_id))
            self._minds[npc_id].unsaid = self._block(self._keeper.unsaid, npc_id)

    def _look(self, now: int) -> None:
        """Have the road's settings looked at, where a slow disk holds up no frame."""
        assert self._road is not None, "nobody looks without a file"
        self._look_at = now + _LOOK_NS
        self._runtime.blocking.post(self._road.poll)


def _load_persona(source: str | Path) -> Persona:
    if isinstance(source, str) and not source.endswith(".toml"):
        return Persona.builtin(source)
    return Persona.load(Path(source))
