"""A character, as the game holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from astraweave.context import Turn
from astraweave.dialogue import LinePlan
from astraweave.llm import Priority
from astraweave.persona import Explanation, Outcome, Persona, PersonaState
from astraweave.rag import Memory, Retrieved
from astraweave.world.reply import Reply

__all__ = ["Npc"]


class _World(Protocol):
    """What a character asks of its world."""

    def _say(
        self, npc: str, text: str, speaker: str, deadline_s: float | None, priority: Priority
    ) -> Reply: ...
    def _plan(self, npc: str, text: str, speaker: str) -> LinePlan: ...
    def _bark(self, npc: str, kind: str, *, force: bool) -> str: ...
    def _feel(self, npc: str, outcome: Outcome) -> None: ...
    def _state_of(self, npc: str) -> PersonaState: ...
    def _why(self, npc: str, question: str, about: str) -> Explanation: ...
    def _tell(self, memory: Memory) -> None: ...
    def share(self, memory: Memory | Retrieved, to: Npc | str, *, by: Npc | str = "") -> None: ...
    def _recall(self, npc: str, query: str, k: int) -> list[Retrieved]: ...
    def _memory(self, npc: str, memory_id: int) -> Memory | None: ...
    def _turns(self, npc: str) -> Sequence[Turn]: ...
    def _memory_count(self, npc: str) -> int: ...
    def _memory_capacity(self) -> int: ...
    def _strongest(self, npc: str) -> tuple[int, ...]: ...
    def _strength(self, memory_id: int) -> float: ...


class Npc:
    """One character of a world; made by `World.npc`. Use it from the game's thread.

    Attributes
    ----------
    id : str
        Unique in the world.
    persona : Persona
        Who it is.
    """

    def __init__(self, world: _World, npc_id: str, persona: Persona) -> None:
        self.id = npc_id
        self.persona = persona
        self._world = world

    def __repr__(self) -> str:
        return f"<Npc {self.id!r}>"

    def say(
        self,
        text: str,
        speaker: str = "player",
        *,
        deadline_s: float | None = None,
        priority: Priority = "high",
    ) -> Reply:
        """Say something to this character; returns at once.

        Parameters
        ----------
        text : str
            What was said. Treated as hostile: cleaned, never able to give orders to the model.
        speaker : str
            Id of who speaks.
        deadline_s : float, optional
            When the whole line must stand, in seconds from now; the world's default otherwise.
        priority : str
            How urgent it is beside what others say and think: ``"critical"``, ``"high"``,
            ``"normal"``, ``"low"`` or ``"background"``. Small talk of passers-by can wait.

        Returns
        -------
        Reply
            It fills during `World.tick`, or while it is awaited.

        Raises
        ------
        InputError
            Nothing sayable is in `text`, `speaker` is no id, or there is no such priority.
        UsageError
            The world is closed, or this is not the game's thread.
        """
        return self._world._say(self.id, text, speaker, deadline_s, priority)

    def plan_line(self, text: str, speaker: str = "player") -> LinePlan:
        """What it would do and say to this, with facts and reasons, and without a word of how.

        For games with writers of their own; nothing is said, remembered or left to chance by it.
        Waits for the answer, so not in a frame. What a spoken line did stands in `Reply.plan`.

        Raises
        ------
        InputError
            Nothing sayable is in `text`, or `speaker` is no id.
        """
        return self._world._plan(self.id, text, speaker)

    def bark(self, kind: str, *, force: bool = False) -> str:
        """A short line that nobody asked for, at once; empty while it is not the time for one.

        It never cuts into a line that the character speaks, and is not remembered.

        Parameters
        ----------
        kind : str
            ``"idle"``, ``"notice"``, ``"combat"``, ``"hurt"``, ``"weather"`` or ``"work"``.
        force : bool
            Whether it may come sooner than the pause between two of its kind.

        Raises
        ------
        InputError
            There is no such kind.
        """
        return self._world._bark(self.id, kind, force=force)

    def experience(self, kind: str, *, by: str = "", text: str = "", weight: float = 1.0) -> None:
        """Let something happen to it that moves its mood, and how it stands to who did it.

        Parameters
        ----------
        kind : str
            What sort of thing: ``"helped"``, ``"betrayed"``... (`astraweave.persona.OUTCOMES`).
        by : str
            Id of who did it; empty: nobody in particular.
        text : str
            It as a sentence in the third person ("the player returned Tam's hammer"): what the
            character remembers of it, and says when somebody asks why it feels as it does.
        weight : float
            How much of it, 0 to 1.

        Raises
        ------
        InputError
            There is no such kind, or the weight is out of range.
        """
        self.feel(Outcome(kind=kind, by=by, text=text, weight=weight))

    def feel(self, outcome: Outcome) -> None:
        """Let an outcome move it, as `experience` does; it is dated with the game time of now.

        Raises
        ------
        InputError
            There is no such kind, or the weight is out of range.
        """
        self._world._feel(self.id, outcome)

    def why(self, question: str = "", about: str = "player") -> Explanation:
        """Why it feels as it does, and what moved it: ``tam.why("Why are you angry?")``.

        Parameters
        ----------
        question : str
            As somebody would ask; empty: why it feels whatever it feels now.
        about : str
            Id of who is meant by "me" in a question like "Why don't you trust me?".
        """
        return self._world._why(self.id, question, about)

    @property
    def state(self) -> PersonaState:
        """How it feels now, how it stands to others, and what moved it lately."""
        return self._world._state_of(self.id)

    def remember(
        self, text: str, *, importance: float = 0.5, tags: Sequence[str] = (), speaker: str = ""
    ) -> None:
        """Let it know something that happened or that it saw; returns at once.

        Raises
        ------
        InputError
            The text is empty, too long or broken, or `importance` is not from 0 to 1.
        """
        self._world._tell(
            Memory(
                owner=self.id, text=text, importance=importance, tags=tuple(tags), speaker=speaker
            )
        )

    def recall(self, query: str, k: int = 5) -> list[Retrieved]:
        """What it remembers about `query`, best first; waits for the answer, so not in a frame."""
        return self._world._recall(self.id, query, k)

    def memory(self, memory_id: int) -> Memory | None:
        """One of its memories by id (see `Reply.memories`); waits, so not in a frame."""
        return self._world._memory(self.id, memory_id)

    def strength(self, memory_id: int) -> float:
        """How strong a memory is now, 0 (gone) to 1 (fresh); waits, so not in a frame."""
        return self._world._strength(memory_id)

    def tell(self, other: Npc | str, memory: Memory | Retrieved) -> None:
        """Let another character, or a scope, know what it remembers; returns at once.

        Nobody says anything: it is for talk that the game has shown otherwise. See `World.share`.

        Raises
        ------
        InputError
            Nobody in the game may know it, or the other remembers it already.
        """
        self._world.share(memory, other, by=self.id)

    @property
    def history(self) -> Sequence[Turn]:
        """The latest turns of its conversations, oldest first."""
        return self._world._turns(self.id)

    @property
    def memory_count(self) -> int:
        """How many memories it has."""
        return self._world._memory_count(self.id)

    @property
    def memory_capacity(self) -> int:
        """How many memories it may have before the weakest give way."""
        return self._world._memory_capacity()

    @property
    def strongest_memories(self) -> tuple[int, ...]:
        """Ids of the memories that stand out most; empty until they are worked out, soon after."""
        return self._world._strongest(self.id)
