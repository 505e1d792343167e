"""`astraweave voices`: check voices, and look at what they say."""

from __future__ import annotations

import argparse
import json
from importlib import resources
from pathlib import Path

import msgspec

from astraweave.cli.console import Console
from astraweave.core.rng import RandomStreams
from astraweave.core.toml import did_you_mean
from astraweave.dialogue.compose import Composer
from astraweave.dialogue.tone import Tone
from astraweave.dialogue.voice import ACTS, VoiceLibrary
from astraweave.dialogue.voice_lint import lint_voices
from astraweave.errors import ConfigError
from astraweave.persona import Persona

__all__ = ["run"]

_SAMPLE = {
    "en": {
        "retold": "your sister Mira hid a silver ring under the old mill",
        "short": "under the old mill", "echo": "a silver ring under the old mill", "teller": "Bren",
        "name": "Ash", "other": "Orla", "topic": "the old mine", "rest": "and so we never went.",
        "goal": "I want to finish the iron gate before winter", "place": "the mill",
    },
    "de": {
        "retold": "deine Schwester Mira hat ihren Ring verloren", "short": "unter der alten Mühle",
        "echo": "deine Schwester Mira hat ihren Ring verloren", "teller": "Bren", "name": "Ash",
        "other": "Orla", "topic": "die alte Mine", "rest": "Und so gingen wir nie zurück.",
        "goal": "ich möchte das Tor vor dem Winter fertig haben", "place": "die Mühle",
    },
}  # fmt: skip
_LINES_EACH = 3
"""So many lines of each act stand in the overview."""


def run(arguments: argparse.Namespace) -> int:
    """Run one action."""
    console = Console(quiet=arguments.json)
    return _lint(console, arguments) if arguments.action == "lint" else _show(console, arguments)


def _lint(console: Console, arguments: argparse.Namespace) -> int:
    shipped = _shipped()
    texts: dict[str, str] = {}
    for which in arguments.which or sorted(shipped):
        if which in shipped:
            texts[f"voices/{which}.toml"] = shipped[which]
        elif Path(which).is_dir():
            texts |= {str(file): _text(file) for file in sorted(Path(which).glob("*.toml"))}
        else:
            texts[which] = _text(Path(which), known=list(shipped))
    problems = lint_voices(texts)
    errors = sum(p.severity == "error" for p in problems)
    if arguments.json:
        print(json.dumps(msgspec.to_builtins(problems), indent=2, ensure_ascii=False))
    else:
        for problem in problems:
            console.say(str(problem))
        console.say(f"{len(texts)} voices: {errors} errors, {len(problems) - errors} notes")
    return int(errors > 0)


def _show(console: Console, arguments: argparse.Namespace) -> int:
    persona = Persona(id="ada", name="Ada", role="the baker of Harrow", patterns=arguments.which)
    composer = Composer(persona)
    voice = composer.voice
    if arguments.act and arguments.act not in voice.acts:
        raise ConfigError(f"there is no act {arguments.act!r}{did_you_mean(arguments.act, ACTS)}")
    sample = _SAMPLE.get(voice.language, {})
    rng = RandomStreams(arguments.seed)["voices"]
    rows: list[tuple[str, str]] = []
    if arguments.act:
        rows = [(v.condition.text or "any", v.text) for v in voice.acts[arguments.act]]
    else:
        for act in (a for a in ACTS if a in voice.acts):
            said: list[str] = []
            fields = {name: sample[name] for name in ACTS[act].split() if name in sample}
            for _ in range(_LINES_EACH):
                said.append(composer.pick(act, fields, rng, said, tone=Tone()))
            rows += [(act, line) for line in said]
    header = ("when" if arguments.act else "act", "line")
    if arguments.json:
        print(json.dumps([dict(zip(header, row, strict=True)) for row in rows], ensure_ascii=False))
    else:
        console.table(f"{voice.name}: {voice.description}", header, rows)
    return 0


def _shipped() -> dict[str, str]:
    folder = resources.files("astraweave.dialogue.voices")
    return {
        name: (folder / f"{name}.toml").read_text(encoding="utf-8")
        for name in VoiceLibrary.builtin().names()
    }


def _text(path: Path, known: list[str] | None = None) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        hint = did_you_mean(str(path), known) if known else ""
        raise ConfigError(f"there is no voice {str(path)!r}{hint}", path=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the voice {path} cannot be read: {error}", path=str(path)) from error
