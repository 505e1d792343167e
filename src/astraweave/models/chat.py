"""A model's own chat template, with contents that can never become control tokens.

The template is rendered with a mark in place of each message's content. The text around the marks
is the template's and is encoded with special tokens; the contents are encoded without, one by one.
So whatever a player types, ``<|im_end|>`` included, stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from astraweave.errors import ConfigError, InputError, MissingExtraError

if TYPE_CHECKING:
    from astraweave.models.store import ModelFiles

__all__ = ["CHATML", "ChatTemplate", "TemplateMessage", "TemplateTokenizer"]

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Used where a model has no template of its own."""

_ROLES = ("system", "user", "assistant", "tool")
_KEPT_PIECES = 256
_FUEL = 5_000_000
"""Steps that one rendering may take: a template comes with the weights, and could loop for ever."""


class TemplateMessage(Protocol):
    """A message, as far as a template needs it."""

    @property
    def role(self) -> str:
        """``"system"``, ``"user"``, ``"assistant"`` or ``"tool"``."""
        ...

    @property
    def content(self) -> str:
        """Text; control tokens in it mean nothing."""
        ...


class TemplateTokenizer(Protocol):
    """A tokenizer, as far as a template needs it."""

    def encode(self, text: str, *, special: bool = False) -> Sequence[int]:
        """Token ids; special tokens are recognised only when `special` is true."""
        ...


class ChatTemplate:
    """Turns messages into the tokens that a model was trained on. Thread-safe.

    Parameters
    ----------
    source : str
        The template, in the Jinja dialect that models ship with.
    tokenizer : TemplateTokenizer
        The model's own.
    bos_token, eos_token : str
        What the template may call by these names.

    Raises
    ------
    ConfigError
        The template cannot be read; says where.
    MissingExtraError
        minijinja is not installed.
    """

    def __init__(
        self,
        source: str,
        tokenizer: TemplateTokenizer,
        *,
        bos_token: str = "",
        eos_token: str = "",
    ) -> None:
        try:
            import minijinja
        except ImportError:
            raise MissingExtraError("chat templates", "cpu") from None
        self._failure = minijinja.TemplateError
        environment = minijinja.Environment()
        environment.trim_blocks = environment.lstrip_blocks = True
        environment.fuel = _FUEL
        environment.add_global("raise_exception", _refuse)
        try:
            environment.add_template("chat", source)
        except minijinja.TemplateError as error:
            raise ConfigError(f"the chat template cannot be read: {_reason(error)}") from error
        self.source = source
        self._environment = environment
        self._tokenizer = tokenizer
        self._names = {"bos_token": bos_token, "eos_token": eos_token}
        self._mark = "content"
        while self._mark in source:
            self._mark += "_"
        self._marks = re.compile(rf"\[\[{self._mark}:(\d+)\]\]")
        self._pieces: dict[str, tuple[int, ...]] = {}

    @classmethod
    def load(cls, files: ModelFiles, tokenizer: TemplateTokenizer) -> ChatTemplate:
        """The template of a converted model; ChatML where it has none.

        Raises
        ------
        ConfigError
            The template cannot be read; names the file.
        """
        path: Path | None = files.chat_template
        source = CHATML if path is None else path.read_text(encoding="utf-8")
        config = files.read_config()
        names = {key: config.get(key) or "" for key in ("bos_token", "eos_token")}
        try:
            return cls(source, tokenizer, **names)
        except MissingExtraError:
            raise
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}", path=str(path)) from error

    def render(
        self,
        messages: Iterable[TemplateMessage],
        *,
        prefix: str = "",
        add_generation_prompt: bool = True,
    ) -> list[int]:
        """The whole prompt in tokens.

        Parameters
        ----------
        messages : iterable of TemplateMessage
            The chat so far.
        prefix : str
            How the answer begins; ordinary text behind the opening of the answer.
        add_generation_prompt : bool
            Open the model's answer.

        Raises
        ------
        InputError
            A role that templates do not know, or a prefix without the opening of an answer.
        ConfigError
            The template fails on these messages, or wants a feature that is not supported.
        """
        if prefix and not add_generation_prompt:
            raise InputError("a prefix needs the opening of an answer: add_generation_prompt=True")
        chat = list(messages)
        text = self._render(chat, add_generation_prompt)
        tokens: list[int] = []
        for number, piece in enumerate(self._marks.split(text)):
            if number % 2:  # split() gives text and marks by turns
                tokens += self._tokenizer.encode(chat[int(piece)].content)
            elif piece:
                tokens += self._template_text(piece)
        if prefix:
            tokens += self._tokenizer.encode(prefix)
        return tokens

    def _render(self, chat: Sequence[TemplateMessage], add_generation_prompt: bool) -> str:
        marked = []
        for number, message in enumerate(chat):
            if message.role not in _ROLES:
                raise InputError(
                    f"no template knows the role {message.role!r}; roles are {', '.join(_ROLES)}",
                    role=message.role,
                )
            marked.append({"role": message.role, "content": f"[[{self._mark}:{number}]]"})
        try:
            return self._environment.render_template(
                "chat", messages=marked, add_generation_prompt=add_generation_prompt, **self._names
            )
        except (self._failure, _RefusedError) as error:
            raise ConfigError(
                f"the chat template fails: {_reason(error)}", roles=[m.role for m in chat]
            ) from error

    def _template_text(self, piece: str) -> tuple[int, ...]:
        """Tokens of the template's own text, which comes again and again."""
        tokens = self._pieces.get(piece)
        if tokens is None:
            tokens = tuple(self._tokenizer.encode(piece, special=True))
            if len(self._pieces) < _KEPT_PIECES:
                self._pieces[piece] = tokens
        return tokens


class _RefusedError(Exception):
    """The template says that it cannot take these messages."""


def _refuse(message: str) -> Any:
    raise _RefusedError(message)


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0]
