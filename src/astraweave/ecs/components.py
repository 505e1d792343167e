"""Components: plain data for any entity system. The World owns the state; these are views of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from astraweave.context import Turn
from astraweave.dialogue import LinePlan
from astraweave.ecs.protocols import SpokenLine, SpokenRound
from astraweave.llm import GenerationRequest
from astraweave.persona import Mood, Relationship
from astraweave.serving import Ticket

__all__ = ["CConversationHistory", "CDialogueState", "CMemoryStore", "CPersonaLlm", "CThought"]

_AT_REST, _NEUTRAL = Mood(), Relationship()


@dataclass(slots=True)
class CPersonaLlm:
    """Marks an entity as a character that talks, and shows how it feels.

    Attributes
    ----------
    npc : str
        Its id in the world.
    towards : str
        Id of the one whom `relationship` and `stance` are about.
    mood : Mood
        As of now; this and what follows is written by `DialogueSystem`.
    feeling : str
        What the mood is called: ``"angry"``.
    relationship : Relationship
        How it stands to `towards`.
    stance : str
        What that is called: ``"friend"``, ``"stranger"``, ``"rival"``...
    """

    npc: str
    towards: str = "player"
    mood: Mood = _AT_REST
    feeling: str = ""
    relationship: Relationship = _NEUTRAL
    stance: str = ""


@dataclass(slots=True)
class CConversationHistory:
    """The latest turns of its conversations, oldest first; written by `DialogueSystem`."""

    turns: Sequence[Turn] = ()


@dataclass(slots=True)
class CMemoryStore:
    """What it remembers; written by `DialogueSystem`.

    Attributes
    ----------
    count : int
        How many memories it has.
    capacity : int
        How many it may have before the weakest give way; 0: as many as there are.
    strongest : tuple of int
        Ids of those that stand out most, the first above all (see ``npc.memory``).
    """

    count: int = 0
    capacity: int = 0
    strongest: tuple[int, ...] = ()


@dataclass(slots=True)
class CDialogueState:
    """What it is saying; written by `DialogueSystem`, but for `reply` and `group`.

    Attributes
    ----------
    reply : Reply or None
        Put the result of ``npc.say(...)`` here.
    group : Round or None
        Put the result of ``conversation.say(...)`` here, for each who is there: the system finds
        out which of the replies is whose.
    new_text : str
        Text that came since the last run of the system.
    text : str
        The line so far.
    speaking : bool
        Whether more may come.
    act : str
        What it does by saying it ("answer", "greet_friend"); empty until the first text.
    plan : LinePlan or None
        The whole plan: facts, tone, reasons.
    speaks_to : str
        Id of whom it speaks to; empty while it says nothing.
    interrupted : bool
        Whether somebody cut in.
    company : tuple of str
        Ids of the others who have answered in the same group so far, in order.
    """

    reply: SpokenLine | None = None
    group: SpokenRound | None = None
    new_text: str = ""
    text: str = ""
    speaking: bool = False
    act: str = ""
    plan: LinePlan | None = None
    speaks_to: str = ""
    interrupted: bool = False
    company: tuple[str, ...] = ()


@dataclass(slots=True)
class CThought:
    """What it asks a language model, and the answer; `ThoughtSystem` reads and writes it.

    Attributes
    ----------
    request : GenerationRequest or None
        Put a question here. The system takes it, and with it drops an answer that is on its way.
        Its `owner` is who thinks, its `priority` how urgent that is.
    deadline_s : float or None
        Seconds from the run that takes the request, after which there will be an end.
    valid_while : callable or None
        Whether the answer is still wanted (see `LlmScheduler.submit`).
    new_text : str
        Text that came since the last run of the system.
    text : str
        The answer so far.
    thinking : bool
        Whether more may come.
    late, stale : bool
        It was cut off at its deadline; the world had moved past it.
    error : BaseException or None
        What went wrong, once it has ended.
    ticket : Ticket or None
        The request's place in the queue: ``ticket.cancel()`` ends it.
    heard : int
        How many of the ticket's chunks `text` holds.
    """

    request: GenerationRequest | None = None
    deadline_s: float | None = None
    valid_while: Callable[[], bool] | None = None
    new_text: str = ""
    text: str = ""
    thinking: bool = False
    late: bool = False
    stale: bool = False
    error: BaseException | None = None
    ticket: Ticket | None = None
    heard: int = 0
