"""A prompt of the library, ready to render."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from astraweave.core.toml import did_you_mean
from astraweave.errors import ConfigError, InputError
from astraweave.llm.protocol import Message
from astraweave.prompts._entries import Entry, MessageSpec, Variable
from astraweave.prompts.template import PromptTemplate
from astraweave.prompts.trust import TrustLevel, Untrusted, plain, untrusted

__all__ = ["Prompt"]

_REMEMBERED = 512
"""Texts kept in their cleaned form: a history is rendered again with every line."""


@dataclass(slots=True)
class _Inputs:
    """The values of one rendering."""

    data: dict[str, Any]
    """What templates get: nothing but plain data, untrusted texts quoted."""
    untrusted: dict[str, Untrusted]
    inserts: dict[str, list[Message]]

    def copy(self) -> _Inputs:
        return _Inputs(self.data.copy(), self.untrusted.copy(), self.inserts.copy())


class Prompt:
    """One entry of a `PromptLibrary`: declared variables in, messages out.

    Immutable; thread-safe. A library that reloads makes new ones.

    Attributes
    ----------
    name : str
        Its name in the library.
    variables : frozenset of str
        Names that it takes.
    required : frozenset of str
        Names that have no default.
    """

    def __init__(self, entry: Entry) -> None:
        self.name = entry.name
        self.variables = frozenset(entry.variables)
        self.required = frozenset(v.name for v in entry.variables.values() if v.required)
        self._entry = entry
        self._mark = lru_cache(maxsize=_REMEMBERED)(Untrusted)
        self._templates = {name: _compile(entry, name) for name in entry.sections}
        self._check_messages()
        self._defaults = self._prepare_defaults()

    def __repr__(self) -> str:
        return f"Prompt({self.name!r})"

    def render(self, **values: object) -> list[Message]:
        """The messages with these values.

        Sections that come out empty are left out, and so are messages without any section left.

        Raises
        ------
        ConfigError
            A value is missing, of the wrong type, or not declared.
        InputError
            A value is not data, or an untrusted message claims the role of the system.
        """
        unknown = values.keys() - self.variables
        if unknown:
            name = min(unknown)
            hint = did_you_mean(name, self.variables)
            raise ConfigError(
                f"the prompt {self.name!r} has no variable {name!r}{hint}",
                prompt=self.name,
                variable=name,
            )
        if len(self.required & values.keys()) < len(self.required):
            name = next(
                name for name in self._entry.variables if name in self.required - values.keys()
            )
            raise ConfigError(
                f"the prompt {self.name!r} needs a value for {name!r}",
                prompt=self.name,
                variable=name,
            )
        inputs = self._defaults.copy()
        for name, value in values.items():
            self._take(self._entry.variables[name], value, inputs)
        messages: list[Message] = []
        for spec in self._entry.messages:
            if spec.insert:
                messages += inputs.inserts[spec.insert]
            elif content := self._content(spec, inputs):
                messages.append(Message(spec.role, content))  # type: ignore[arg-type]
        return messages

    def _content(self, spec: MessageSpec, inputs: _Inputs) -> str:
        pieces = [self._templates[name].render_plain(inputs.data).strip() for name in spec.sections]
        content = "\n".join([piece for piece in pieces if piece])
        for value in inputs.untrusted.values():
            if content and content == value.quoted:
                return value.text  # the value is the whole message: nothing to break out of
        return content

    def _take(self, variable: Variable, value: object, inputs: _Inputs) -> None:
        """Check a value and make it ready for templates."""
        name = variable.name
        if not variable.accepts(value):
            raise ConfigError(
                f"the variable {name!r} of the prompt {self.name!r} must be of type "
                f"{variable.type!r}, not {type(value).__name__}",
                prompt=self.name,
                variable=name,
            )
        if variable.type == "messages":
            safe = variable.trust is TrustLevel.TRUSTED
            inputs.inserts[name] = list(value) if safe else _cleaned(value, name, self._mark)  # type: ignore[call-overload]
            return
        if variable.trust is TrustLevel.UNTRUSTED:
            value = untrusted(value, mark=self._mark)
        if type(value) is Untrusted:
            inputs.untrusted[name] = value
        else:
            inputs.untrusted.pop(name, None)
        inputs.data[name] = value if type(value) is str else plain(value)

    def _prepare_defaults(self) -> _Inputs:
        """What has not to be made again for every rendering; nothing changes it later."""
        inputs = _Inputs({}, {}, {})
        for variable in self._entry.variables.values():
            if not variable.required:
                self._take(variable, copy.deepcopy(variable.default), inputs)
        return inputs

    def _check_messages(self) -> None:
        entry = self._entry
        if entry.abstract:
            return
        if not entry.messages:
            entry.place.fail(
                f"the prompt {self.name!r} has no messages: add [[{self.name}.messages]], or say "
                "abstract = true"
            )
        for spec in entry.messages:
            if spec.insert:
                declared = [n for n, v in entry.variables.items() if v.type == "messages"]
                if spec.insert not in declared:
                    hint = did_you_mean(spec.insert, declared)
                    spec.place.fail(f"there is no variable {spec.insert!r} of type messages{hint}")
            for name in spec.sections:
                if name not in entry.sections:
                    hint = did_you_mean(name, entry.sections)
                    spec.place.fail(f"there is no section {name!r}{hint}", section=name)
        texts = {name for name, v in entry.variables.items() if v.type != "messages"}
        for template in self._templates.values():
            for name in sorted(template.variables - texts):
                line = template.line_of(name)
                hint = did_you_mean(name, texts)
                raise ConfigError(
                    f"{template.name}:{line}: the prompt {self.name!r} declares no variable "
                    f"{name!r}{hint}",
                    source=template.name,
                    line=line,
                    variable=name,
                )


def _compile(entry: Entry, section: str) -> PromptTemplate:
    text, place = entry.sections[section]
    first_line = place.document.value_line(*place.path)
    return PromptTemplate(text, name=place.document.source, first_line=first_line)


def _cleaned(messages: object, name: str, mark: Callable[[str], Untrusted]) -> list[Message]:
    """Messages whose contents somebody else wrote: cleaned, one line each, never the system's."""
    cleaned = []
    for message in messages:  # type: ignore[attr-defined]
        if message.role == "system":
            raise InputError(
                f"the untrusted messages {name!r} hold one of the system's; declare the variable "
                "trusted, or give it another role",
                variable=name,
            )
        if text := mark(message.content).text:
            cleaned.append(Message(message.role, text))
    return cleaned
