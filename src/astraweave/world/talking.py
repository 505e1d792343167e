"""The game's side of talk: utterances in, replies out. All of it runs on the game's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from astraweave.core.protocols import Clock
from astraweave.core.text import sanitize
from astraweave.dialogue import BARKS, Barker, LinePlan, LineReport
from astraweave.dialogue.tone import Tone
from astraweave.dialogue.voice import VoiceLibrary
from astraweave.errors import Cancelled, InputError
from astraweave.llm import PRIORITIES, Priority
from astraweave.observability import Telemetry
from astraweave.persona import Persona, mood_at
from astraweave.world.cast import Mind, Utterance
from astraweave.world.conversation import Conversations
from astraweave.world.gathering import Gathering
from astraweave.world.mailbox import Mailbox
from astraweave.world.minds import Minds
from astraweave.world.reply import Reply, ReplyOwner
from astraweave.world.runtime import Runtime
from astraweave.world.table import Round

__all__ = ["Talk"]


class Talk:
    """Begins lines and ends them. One a world.

    Parameters
    ----------
    owner : World
        Whom replies belong to.
    deadline_s : float
        Of a line, where nothing else is said.
    """

    def __init__(
        self,
        owner: ReplyOwner,
        *,
        runtime: Runtime,
        conversations: Conversations,
        cast: Mapping[str, Mind],
        minds: Minds,
        mailbox: Mailbox,
        clock: Clock,
        telemetry: Telemetry,
        seed: Callable[[], int],
        deadline_s: float,
        voices: VoiceLibrary | None = None,
    ) -> None:
        self.speaking: set[Reply] = set()
        self._owner = owner
        self._runtime = runtime
        self._conversations = conversations
        self._cast = cast
        self._minds = minds
        self._mailbox = mailbox
        self._clock = clock
        self._telemetry = telemetry
        self._seed = seed
        self._deadline_s = deadline_s
        self._voices = voices
        self._barkers: dict[str, tuple[Persona, Barker]] = {}

    def say(
        self, npc: str, text: str, speaker: str, deadline_s: float | None, priority: Priority
    ) -> Reply:
        """Say something to a character; who says more while it speaks has cut in."""
        said = self.utterance(text, speaker, deadline_s, priority)
        for before in list(self.speaking):
            if before.npc == npc and before.speaker == speaker and before.heard:
                before.interrupt()
        reply = Reply(self._owner, npc, said.text.text, speaker=speaker)

        def ended(task: asyncio.Task[LineReport]) -> None:  # on the runtime's thread
            elapsed_ms = (self._clock.monotonic() - said.asked_at) * 1e3
            report, error = self._outcome(npc, task)
            self._mailbox.post(lambda: self.end(reply, report, error, elapsed_ms), priority)

        answer = self._conversations.answer(self._cast[npc], said, reply)
        reply._begin(self._runtime.spawn(answer, ended))
        self.speaking.add(reply)
        return reply

    def say_to_all(
        self,
        gathering: Gathering,
        text: str,
        speaker: str,
        to: str | Sequence[str] | None,
        deadline_s: float | None,
        priority: Priority,
    ) -> Round:
        """Say something among several."""
        said = self.utterance(text, speaker, deadline_s, priority)
        talk = Round(self._owner, gathering, said, speaker)

        def ended(task: asyncio.Task[None]) -> None:  # on the runtime's thread
            error = None if task.cancelled() else task.exception()
            self._mailbox.post(lambda: talk._end(error), priority)

        work = gathering.talk(self._conversations, said, to, talk, self)
        talk._begin(self._runtime.spawn(work, ended))
        return talk

    def plan(self, npc: str, text: str, speaker: str) -> LinePlan:
        """What a character would do and say; waits, so not in a frame."""
        said = self.utterance(text, speaker, None, "high")
        work = self._conversations.plan(self._cast[npc], said)
        return asyncio.run_coroutine_threadsafe(work, self._runtime.loop).result()

    def bark(self, npc: str, kind: str, *, force: bool) -> str:
        """A short line that nobody asked for; empty while the character talks, or too soon."""
        if kind not in BARKS:
            raise InputError(f"{kind!r} is no bark; there are: {', '.join(BARKS)}", kind=kind)
        if any(reply.npc == npc for reply in self.speaking):
            return ""
        persona = self._cast[npc].persona
        kept = self._barkers.get(npc)
        if kept is None or kept[0] is not persona:
            kept = self._barkers[npc] = (persona, Barker(persona, self._seed(), self._voices))
        now = self._clock.now()
        state = self._minds.state(persona, now)
        tone = Tone(mood=mood_at(persona, state, max(now, state.at)))
        line = kept[1].bark(kind, now=now, tone=tone, force=force)
        if line:
            self._telemetry.count(f"barks.{kind}")
        return line

    def interrupt(self, reply: Reply, heard: str, cancel: Callable[[], object]) -> None:
        """Let only this much of a line have been said."""
        self.speaking.discard(reply)
        mind, conversations = self._cast[reply.npc], self._conversations
        self._runtime.call(lambda: conversations.cut(mind, reply, heard, cancel))
        self._telemetry.count("lines.interrupted")

    def utterance(
        self, text: str, speaker: str, deadline_s: float | None, priority: Priority
    ) -> Utterance:
        """What was said, cleaned.

        Raises
        ------
        InputError
            Nothing sayable is in it, `speaker` is no id, or there is no such priority.
        """
        if not speaker.strip() or not speaker.isprintable():
            raise InputError(
                f"the id of a speaker must be printable text, not {speaker!r}", id=speaker
            )
        if priority not in PRIORITIES:
            raise InputError(
                f"{priority!r} is no priority; there are: {', '.join(PRIORITIES)}",
                priority=priority,
            )
        return Utterance(
            text=sanitize(text),
            speaker=speaker,
            asked_at=self._clock.monotonic(),
            deadline_s=self._deadline_s if deadline_s is None else deadline_s,
            priority=priority,
        )

    def _outcome(
        self, npc: str, task: asyncio.Task[LineReport]
    ) -> tuple[LineReport | None, Exception | None]:
        try:
            return task.result(), None
        except asyncio.CancelledError:
            self._telemetry.count("lines.cancelled")
            return None, Cancelled(f"{npc} fell silent", npc=npc)
        except Exception as error:  # noqa: BLE001 - the game reads it as reply.error
            self._telemetry.count("lines.failed")
            return None, error

    def end(
        self, reply: Reply, report: LineReport | None, error: Exception | None, elapsed_ms: float
    ) -> None:
        """A line has ended."""
        self.speaking.discard(reply)
        reply._end(report, error, elapsed_ms)
