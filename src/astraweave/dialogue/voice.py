"""Voices as data: what a character says for each dialogue act, in which mood, in which words."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec

from astraweave.core.toml import TomlText, did_you_mean
from astraweave.dialogue.conditions import Condition
from astraweave.errors import ConfigError
from astraweave.persona import Persona

__all__ = ["ACTS", "COMMON_FIELDS", "Style", "Variant", "Voice", "VoiceLibrary"]

_MAX_FILE_BYTES = 1_000_000
FIELD = re.compile(r"\{(\w+)\}")

COMMON_FIELDS = frozenset(["name", "address", "me", "role", "place", "time", "gap", "hedge"])
"""Fields that any act may use: the listener's name, how the voice addresses them, the character's
own name and role, where and when, how long the two have not met ("three days"; empty after less
than two), and a hedge that is empty for what is certain."""

ACTS: dict[str, str] = {
    # what is known, and what is not
    "answer_short": "short retold", "answer_plain": "retold", "answer_self": "retold",
    "answer_other": "retold short teller", "confirmed": "retold", "confirmed_self": "retold",
    "denied": "retold", "about_more": "retold", "unknown": "topic", "unknown_self": "topic",
    "recap": "retold", "recap_nothing": "", "summary_of_talk": "retold other",
    "gossip": "retold teller", "surprise": "retold echo teller",
    # what is told
    "telling": "echo retold", "telling_mild": "echo retold", "telling_sad": "echo retold",
    "telling_glad": "echo retold", "telling_opinion": "", "telling_plain": "",
    # coming and going
    "greeting": "", "greeting_again": "", "greeting_recall": "retold", "greet_friend": "",
    "greet_rival": "", "greet_feared": "", "introduce": "", "farewell": "",
    # between two
    "thanks": "", "wellbeing": "feeling", "insult": "", "apology": "", "agreement": "",
    "smalltalk": "", "comfort": "", "congratulate": "", "tease": "", "praise": "",
    "complain": "", "boast": "",
    "feeling": "feeling", "because": "retold", "wrong": "retold", "untroubled": "",
    "threatened": "", "gratitude": "", "listening": "", "what_next": "",
    # what it thinks
    "stance": "", "opinion": "other", "no_opinion": "topic", "no_news": "",
    # wanting and refusing
    "request": "topic", "refuse": "topic", "taboo": "topic", "secret": "topic", "seek_help": "goal",
    "offer": "topic", "accept": "", "decline": "", "promise": "goal topic", "warn": "topic",
    "threaten": "",
    # turns
    "interrupted": "", "resume": "rest", "hand_over": "other", "agree_with": "other",
    "disagree_with": "other",
    # nobody was spoken to
    "bark_idle": "", "bark_notice": "", "bark_combat": "", "bark_hurt": "", "bark_weather": "",
    "bark_work": "",
    # pieces of lines
    "opener": "", "tail": "", "hedge": "teller", "long_ago": "",
}  # fmt: skip
"""Every dialogue act and the fields that its patterns may use besides the common ones."""


class Style(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Grammar switches of a voice.

    Attributes
    ----------
    contractions : str
        What becomes of contractions in what is said back: ``"keep"``, ``"use"`` ("you are" becomes
        "you're") or ``"expand"``.
    """

    contractions: Literal["keep", "use", "expand"] = "keep"


class Variant(msgspec.Struct, frozen=True):
    """One way to say something, and when."""

    text: str
    condition: Condition = Condition()

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that must be filled, in lower case."""
        return tuple(f for n in FIELD.findall(self.text) if (f := n.lower()) != "hedge")

    @property
    def hedges(self) -> bool:
        """Whether it can carry, or itself says, how sure the speaker is or how long ago it was."""
        return "{hedge}" in self.text.lower() or self.condition.concerns(
            "certainty", "age", "hearsay"
        )


class Voice(msgspec.Struct, frozen=True, kw_only=True):
    """How a character says things. Immutable; thread-safe.

    Attributes
    ----------
    name, language, description : str
        What it is called, its IETF tag, and what it is like in a sentence for writers.
    extends : str
        The voice that gives what this one lacks; empty: none.
    style : Style
        Grammar switches.
    words : dict of str to str
        Replaced in what is said back: ``{"you": "ye"}``.
    address : tuple of Variant
        How it addresses somebody: the field ``{address}``.
    acts : dict of str to tuple of Variant
        By dialogue act (see `ACTS`).
    source : str
        The file, for errors.
    """

    name: str
    language: str = "en"
    description: str = ""
    extends: str = ""
    style: Style = Style()
    words: dict[str, str] = {}
    address: tuple[Variant, ...] = ()
    acts: dict[str, tuple[Variant, ...]] = {}
    source: str = ""

    @classmethod
    def from_toml(cls, text: str, *, origin: str = "<voice>") -> Voice:
        """Read a voice.

        Raises
        ------
        ConfigError
            It is no TOML, has an unknown key, act or condition, or a value of the wrong type; the
            message begins with file and line.
        """
        return voice_from(TomlText(text, origin))


_KEYS = ("name", "language", "description", "extends", "style", "words", "address", "acts")


def voice_from(document: TomlText) -> Voice:
    """A voice from its parsed file (see `Voice.from_toml`)."""
    data = document.data
    document.check_keys(data, _KEYS)
    for key in ("name", "language", "description", "extends"):
        if not isinstance(data.get(key, ""), str):
            document.fail(f"{key!r} must be a text", key, key=key)
    if not data.get("name"):
        document.fail("'name' is missing: what the voice is called", key="name")
    for key in ("style", "words", "acts"):
        if not isinstance(data.get(key, {}), dict):
            document.fail(f"{key!r} must be a table", key, key=key)
    try:
        style = msgspec.convert(data.get("style", {}), Style)
        words = msgspec.convert(data.get("words", {}), dict[str, str])
    except msgspec.ValidationError as error:
        document.fail(f"[style] or [words]: {error}", "style" if "style" in data else "words")
    acts: dict[str, tuple[Variant, ...]] = {}
    for act, value in data.get("acts", {}).items():
        if act not in ACTS:
            document.fail(f"unknown act {act!r}{did_you_mean(act, ACTS)}", "acts", act, key=act)
        acts[act] = _variants(document, value, "acts", act)
    return Voice(
        name=data["name"],
        language=data.get("language", "en"),
        description=data.get("description", ""),
        extends=data.get("extends", ""),
        style=style,
        words=words,
        address=_variants(document, data.get("address", []), "address"),
        acts=acts,
        source=document.source,
    )


def _variants(document: TomlText, value: object, *path: str) -> tuple[Variant, ...]:
    """A list of lines, or a table of such lists by condition."""
    groups = value if isinstance(value, dict) else {"any": value}
    made: list[Variant] = []
    for when, lines in groups.items():
        where = (*path, when) if isinstance(value, dict) else path
        if not isinstance(lines, list) or not all(isinstance(t, str) and t.strip() for t in lines):
            document.fail("a list of lines was expected, none of them empty", *where)
        try:
            condition = Condition.parse(when)
        except ConfigError as error:
            document.fail(str(error), *where, **error.details)
        made += [Variant(line, condition) for line in lines]
    return tuple(made)


class VoiceLibrary:
    """Voices by name. Immutable; thread-safe.

    Parameters
    ----------
    voices : iterable of Voice
        Later ones take the place of earlier ones of the same name.

    Raises
    ------
    ConfigError
        A voice extends one that is not there, or itself.

    Examples
    --------
    >>> "gruff" in VoiceLibrary.builtin().names()
    True
    """

    def __init__(self, voices: Iterable[Voice]) -> None:
        self._voices = {voice.name: voice for voice in voices}
        self._whole: dict[str, Voice] = {
            name: self._resolved(voice) for name, voice in self._voices.items()
        }

    @classmethod
    def builtin(cls) -> VoiceLibrary:
        """The voices that come with astraweave."""
        return _builtin()

    @classmethod
    def load(cls, folder: str | Path) -> VoiceLibrary:
        """The built-in voices and those of a folder (``*.toml``), which go before them.

        Raises
        ------
        ConfigError
            A file cannot be read or used; the message begins with file and line.
        """
        files = sorted(Path(folder).glob("*.toml"))
        if not files:
            raise ConfigError(f"there are no voices (*.toml) in {folder}", path=str(folder))
        return cls((*_builtin()._voices.values(), *(read_voice(file) for file in files)))

    def with_voice(self, voice: Voice) -> VoiceLibrary:
        """The same library and one voice more."""
        return VoiceLibrary((*self._voices.values(), voice))

    def names(self) -> list[str]:
        """Names in order."""
        return sorted(self._voices)

    def own(self, name: str) -> Voice:
        """A voice as its file has it, without what it takes from the one it extends."""
        self.get(name)
        return self._voices[name]

    def get(self, name: str) -> Voice:
        """A voice, completed by those it extends.

        Raises
        ------
        ConfigError
            There is none of that name.
        """
        if name not in self._whole:
            raise ConfigError(
                f"there is no voice {name!r}{did_you_mean(name, self._voices)}",
                name=name,
                known=tuple(self.names()),
            )
        return self._whole[name]

    def for_persona(self, persona: Persona) -> Voice:
        """The voice that a persona names, in its language where there is one.

        `Persona.patterns` is a name, or the path of a voice's file. A persona that speaks German
        and asks for ``gruff`` gets ``gruff_de``, or else ``plain_de``; where nothing speaks its
        language it gets the voice that it named.

        Raises
        ------
        ConfigError
            There is no such voice, or its file cannot be used.
        """
        asked = persona.patterns
        if asked.endswith(".toml") or "/" in asked or "\\" in asked:
            voice = read_voice(Path(asked))
            return self.with_voice(voice).get(voice.name)
        tag = persona.language.split("-")[0].casefold()
        for name in (f"{asked}_{tag}", f"plain_{tag}"):
            speaks = asked in self._whole and self._whole[asked].language == tag
            if not speaks and name in self._whole:
                return self._whole[name]
        return self.get(asked)

    def _resolved(self, voice: Voice) -> Voice:
        """A voice and its ancestors as one; its own acts go before theirs."""
        line = [voice]
        while line[-1].extends:
            parent = self._voices.get(line[-1].extends)
            if parent is None:
                name = line[-1].extends
                hint = did_you_mean(name, self._voices)
                raise ConfigError(
                    f"{line[-1].source}: extends {name!r}, which is no voice{hint}", name=name
                )
            if parent in line:
                raise ConfigError(f"{voice.source}: {voice.name!r} extends itself", name=voice.name)
            line.append(parent)
        acts: dict[str, tuple[Variant, ...]] = {}
        for one in reversed(line):
            acts.update(one.acts)
        address = next((one.address for one in line if one.address), ())
        return msgspec.structs.replace(voice, acts=acts, address=address)


def read_voice(path: Path) -> Voice:
    """Read a voice's file.

    Raises
    ------
    ConfigError
        It cannot be read, is too large, not UTF-8, or not a voice.
    """
    return voice_from(read_document(path))


def read_document(path: Path) -> TomlText:
    """Read a TOML file that a person wrote (see `read_voice`)."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"the voice {path} cannot be read: {error.strerror or error}", path=str(path)
        ) from error
    if len(raw) > _MAX_FILE_BYTES:
        raise ConfigError(f"the voice {path} is larger than a megabyte", path=str(path))
    try:
        return TomlText(raw.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path}:{line}: not UTF-8; save the file as UTF-8", path=str(path), line=line
        ) from None


@functools.cache
def _builtin() -> VoiceLibrary:
    return VoiceLibrary(voice_from(d) for d in builtin_documents().values())


def builtin_documents() -> Mapping[str, TomlText]:
    """The shipped files by name, parsed."""
    folder = resources.files("astraweave.dialogue.voices")
    files = sorted((p for p in folder.iterdir() if p.name.endswith(".toml")), key=lambda p: p.name)
    return {p.name[:-5]: TomlText(p.read_text(encoding="utf-8"), f"voices/{p.name}") for p in files}
