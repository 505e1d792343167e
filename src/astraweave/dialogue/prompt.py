"""The chat that the language model goes on with: rendered by the prompt library, made to fit.

What changes least stands first, and the conversation only ever grows at its end, so that a model
which keeps its work has little to read for a new line. When the conversation outgrows its share,
about half of it goes at once: then one line costs more, instead of every line. What has gone is
summed up in a few of its own sentences in front of the rest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from astraweave.context import (
    ConversationHistory,
    ExtractiveSummariser,
    Share,
    TokenBudget,
    Turn,
    fit,
    window,
)
from astraweave.context.turn import as_messages
from astraweave.dialogue.situation import Situation
from astraweave.errors import ConfigError
from astraweave.llm.protocol import LanguageModel, Message
from astraweave.prompts import Prompt, PromptLibrary, Untrusted
from astraweave.rag import RagPipeline, Retrieved

__all__ = ["SHARES", "DialoguePrompt", "card_of"]

SHARES: Mapping[str, Share] = {
    "card": Share(weight=6.0),
    "history": Share(weight=4.0, maximum=400),
    "memories": Share(weight=1.0, maximum=48),
    "answer": Share(weight=1.0, maximum=24),
}
"""How the window is shared out. Small, because whatever is new in a prompt has to be read before
the first word: some 1.3 ms a token where the default model has one thread."""

_KEPT_SHARE = 0.4
"""Of the conversation's share, what stays when it overflows."""
_VERBATIM = 10
"""Turns that stay as they were said, where the conversation's share allows it."""
_SUMMARY_TOKENS = 40
_MAX_EXAMPLES = 4
_MAX_TURN_CHARS = 240
_REMEMBERED = 512
"""Turns kept in their cleaned form: a conversation is rendered again with every line."""
_NAME = "dialogue"
_REQUIRED = frozenset({"name", "line"})


class DialoguePrompt:
    """Makes prompts for lines. One for a `DialogueGenerator`; not thread-safe.

    Where a character's conversation begins in the prompt is kept from line to line.

    Parameters
    ----------
    model : LanguageModel
        Counts tokens, and says how many there is room for.
    prompts : PromptLibrary, optional
        Its ``dialogue`` is what is rendered; by default the built-in one. It is given what of
        ``name``, ``role``, ``traits``, ``voice``, ``facts``, ``goals``, ``examples``,
        ``mood``, ``stance`` (the game's own), ``history``, ``memories``, ``listener``,
        ``speaker`` and ``line`` (players') it declares.

    Raises
    ------
    MissingExtraError
        minijinja is not installed: what a model is asked is a template.
    ConfigError
        The library has no ``dialogue``, or that needs a value which is not given.
    """

    def __init__(self, model: LanguageModel, prompts: PromptLibrary | None = None) -> None:
        self._model = model
        self._library = PromptLibrary.load() if prompts is None else prompts
        unknown = self._library[_NAME].required - _REQUIRED
        if unknown:
            raise ConfigError(
                f"the prompt {_NAME!r} needs {min(unknown)!r}, which no line has; give it a "
                "default",
                prompt=_NAME,
                variable=min(unknown),
            )
        self._share = TokenBudget(max_tokens=model.info.context_tokens, shares=SHARES).split()
        self._starts: dict[str, Turn] = {}
        self._summaries: dict[str, tuple[Turn, str]] = {}
        self._short = lru_cache(maxsize=_REMEMBERED)(_short)

    @property
    def answer_tokens(self) -> int:
        """Room for what the model says."""
        return max(1, self._share["answer"])

    def messages(
        self, situation: Situation, *, opening: str = "", memories: Sequence[int] = ()
    ) -> tuple[Message, ...]:
        """Card, examples, the conversation, what is remembered, and what was said just now.

        Parameters
        ----------
        situation : Situation
            What the line is spoken in.
        opening : str
            How the answer begins; room is kept for it.
        memories : sequence of int
            Ids of the memories that the line rests on; what of them is not in the conversation
            stands in the prompt, as far as their share goes.

        Raises
        ------
        CapacityError
            Card and line alone do not fit into the model's window.
        """
        prompt = self._library[_NAME]
        turns, gone = self._conversation(situation)
        earlier = self._summary(situation.persona.id, turns, gone)
        values = self._values(prompt, situation, turns, memories)

        def build(kept: Sequence[Turn]) -> tuple[Message, ...]:
            return _joined(
                prompt.render(**values, **_given(prompt, history=_alternating([*earlier, *kept])))
            )

        room = self._model.info.context_tokens - self.answer_tokens - self._model.count(opening)
        fitted = fit(turns, build, self._model.count_messages, room)
        messages, kept = fitted.messages, fitted.turns
        if fitted.dropped:  # far enough down, or every line from now on would drop some
            kept = kept[len(kept) // 2 :]
            messages = build(kept)
        if kept:
            self._starts[situation.persona.id] = kept[0]
        return messages

    def _conversation(self, situation: Situation) -> tuple[ConversationHistory, list[Turn]]:
        """The turns from where the last prompt began, or the newest ones, within their share.

        Beside them those in front, which are not said again.
        """
        history = ConversationHistory(self._model)
        for turn in situation.history:
            text = self._short(turn.text)
            if turn.role == "system" or not text:
                continue
            if text != turn.text:
                turn = msgspec.structs.replace(turn, text=text, tokens=0)
            history.append(turn)
        start = self._starts.get(situation.persona.id)
        known = start is None or start in history
        kept: Sequence[Turn] = history[history.index(start) if start and known else 0 :]
        share = self._share["history"]
        if not known or sum(turn.tokens for turn in kept) > share:
            kept = window(history, int(share * _KEPT_SHARE)).turns
            kept = kept[-_VERBATIM:]
        found = ConversationHistory(self._model)
        for turn in kept:
            found.append(turn)
        return found, list(history)[: len(history) - len(kept)]

    def _summary(self, npc: str, turns: Sequence[Turn], gone: Sequence[Turn]) -> list[Turn]:
        """What was said before the conversation's part of the prompt, as one turn; made once.

        It stays as it is until that part begins elsewhere, so that the model need not read anew.
        """
        if not gone or not turns:
            return []
        made = self._summaries.get(npc)
        if made is None or made[0] != turns[0]:
            text = ExtractiveSummariser().summarise(gone, _SUMMARY_TOKENS, self._model)
            made = self._summaries[npc] = (turns[0], text)
        return [Turn(role="user", speaker="", text=made[1])] if made[1] else []

    def _values(
        self,
        prompt: Prompt,
        situation: Situation,
        turns: Sequence[Turn],
        memories: Sequence[int],
    ) -> dict[str, object]:
        persona = situation.persona
        examples: list[Message] = []
        for example in persona.examples[:_MAX_EXAMPLES]:
            examples += [Message("user", example.player), Message("assistant", example.character)]
        others = any(t.role == "user" and t.speaker != situation.speaker for t in turns)
        return _given(
            prompt,
            name=persona.name,
            role=persona.role,
            traits=list(persona.traits),
            voice=persona.voice,
            facts=list(persona.facts),
            goals=list(persona.goals),
            examples=examples,
            memories=self._remembered(situation, turns, memories),
            mood=situation.feeling(),
            stance=(stance := situation.stance()),
            listener=(situation.speaker_name or situation.speaker) if stance else "",
            speaker=(situation.speaker_name or situation.speaker) if others else "",
            line=self._short(situation.utterance.text),
        )

    def _remembered(
        self, situation: Situation, turns: Sequence[Turn], memories: Sequence[int]
    ) -> list[str]:
        said = {turn.text for turn in turns}
        wanted = {memory: place for place, memory in enumerate(memories)}
        found: list[Retrieved] = [
            r
            for r in situation.memories
            if r.memory.id in wanted and self._short(r.memory.text) not in {"", *said}
        ]
        found.sort(key=lambda r: wanted[r.memory.id])
        fitting = RagPipeline.inject(
            found, self._share["memories"], self._model, render=lambda m: f'- "{m.text}"'
        )
        return [r.memory.text for r in fitting]


def card_of(messages: Sequence[Message]) -> str:
    """What the system's messages tell the model; it is not to be read out."""
    return "\n".join(m.content for m in messages if m.role == "system")


def _given(prompt: Prompt, **values: object) -> dict[str, object]:
    """Those values that the prompt declares."""
    return {name: value for name, value in values.items() if name in prompt.variables}


def _alternating(turns: Sequence[Turn]) -> list[Message]:
    """Turns as a chat that begins with the other side and ends with the character.

    Who speaks twice in a row says it in one message: some models' templates insist on it.
    """
    chat: list[Message] = []
    for message in as_messages(turns):
        if chat and chat[-1].role == message.role:
            chat[-1] = Message(message.role, f"{chat[-1].content} {message.content}")
        elif chat or message.role == "user":
            chat.append(message)
    return chat[:-1] if chat and chat[-1].role == "user" else chat


def _joined(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Neighbours of the same role in one message."""
    found: list[Message] = []
    for message in messages:
        if found and found[-1].role == message.role:
            found[-1] = Message(message.role, f"{found[-1].content}\n{message.content}")
        else:
            found.append(message)
    return tuple(found)


def _short(text: str) -> str:
    """A turn as it may stand in a prompt; empty when nothing of it may."""
    text = Untrusted(text).text
    if len(text) <= _MAX_TURN_CHARS:
        return text
    return re.sub(r"\s+\S*$", "", text[:_MAX_TURN_CHARS]) + "..."
