"""Rendering a persona prompt."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, cycle
from typing import Any

from astraweave.bench.case import Case, Pair, case
from astraweave.prompts import PromptLibrary, PromptTemplate

__all__ = ["CASES"]

PERSONA = """\
You are {{ name }}, {{ age }} years old, {{ role }} of {{ town }}.
{%- if title %} People call you {{ title }}.{% endif %}

Traits: {{ traits | join(", ") }}. Voice: {{ voice }}. Mood: {{ mood }}.
Weather: {{ weather }}; it is {{ hour }} o'clock on day {{ day }}.
{%- for fact in facts %}
- {{ fact }}
{%- endfor %}
{%- if goals %}
You want:
{%- for goal in goals %}
{{ loop.index }}. {{ goal }}
{%- endfor %}
{%- endif %}
You are at {{ place }} with {{ present | join(", ") }}. You hold {{ item }}. {{ gold }} gold.
{%- if trust > 0.5 %} You trust {{ player }}.
{%- elif trust > 0 %} You are wary of {{ player }}.
{%- else %} You dislike {{ player }}.{% endif %}
Faction: {{ faction }}. Enemy: {{ enemy }}. Health {{ health }}. Language: {{ language }}.
{%- for memory in memories %}
* {{ memory }}
{%- endfor %}
"""

VALUES: dict[str, Any] = {
    "name": "Tam",
    "age": 54,
    "role": "smith",
    "town": "Oakford",
    "title": "Old Iron",
    "traits": ["gruff", "kind", "proud"],
    "voice": "short sentences",
    "mood": "calm",
    "weather": "rain",
    "hour": 9,
    "day": 12,
    "facts": ["The forge was his father's.", "He lost a hammer.", "His daughter is Mira."],
    "goals": ["finish the gate", "find the hammer"],
    "place": "the forge",
    "present": ["Mira", "the player"],
    "item": "a rasp",
    "gold": 12,
    "trust": 0.7,
    "player": "Ash",
    "faction": "guild",
    "enemy": "Brandt",
    "health": 90,
    "language": "common",
    "memories": [
        "Ash borrowed the hammer.",
        "It rained on the feast.",
        "The gate broke.",
        "Mira sang.",
        "The king passed.",
    ],
}


Render = Callable[[dict[str, Any]], str]


def _ours() -> Render:
    template = PromptTemplate(PERSONA)
    return lambda values: template.render(**values)


def _jinja2() -> Render | None:
    try:
        import jinja2
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError:
        return None
    environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    template = environment.from_string(PERSONA)
    return lambda values: template.render(**values)


def _minijinja() -> Render:
    import minijinja

    environment = minijinja.Environment(templates={"t": PERSONA}, undefined_behavior="strict")
    return lambda values: environment.render_template("t", **values)


def _fresh() -> list[dict[str, Any]]:
    """Other characters: no text, no number and no list of one is another's."""

    def changed(value: Any, number: int) -> Any:
        if isinstance(value, list):
            return [changed(item, number) for item in value]
        return value + number if isinstance(value, int | float) else f"{value} {number}"

    return [
        {name: changed(value, number) for name, value in VALUES.items()} for number in range(500)
    ]


def _pair(peer: Render | None, values: list[dict[str, Any]]) -> Pair:
    ours, mine, theirs = _ours(), cycle(values), cycle(values)
    if peer is None:
        return Pair(ours=lambda: ours(next(mine)))
    same = sum(ours(each) == peer(each) for each in values) / len(values)
    return Pair(
        ours=lambda: ours(next(mine)),
        peer=lambda: peer(next(theirs)),
        quality={"same_text": same},
    )


@case("prompts.render", unit="us", peer_name="jinja2 sandbox")
def render_beside_jinja2() -> Pair:
    """A persona prompt of 24 values with loops and conditions, again and again."""
    return _pair(_jinja2(), [VALUES])


@case("prompts.render_minijinja", unit="us", peer_name="minijinja")
def render_beside_minijinja() -> Pair:
    """The same beside the engine that renders what we do not."""
    return _pair(_minijinja(), [VALUES])


@case("prompts.fresh_jinja2", unit="us", peer_name="jinja2 sandbox")
def render_fresh_beside_jinja2() -> Pair:
    """The persona prompt with other values each time."""
    return _pair(_jinja2(), _fresh())


@case("prompts.fresh_minijinja", unit="us", peer_name="minijinja")
def render_fresh_beside_minijinja() -> Pair:
    """The persona prompt with other values each time."""
    return _pair(_minijinja(), _fresh())


@case("prompts.dialogue", unit="us")
def render_dialogue() -> Pair:
    """The built-in dialogue prompt with five memories and a new line, its cleaning included."""
    prompt = PromptLibrary.load()["dialogue"]
    names = ("name", "role", "traits", "voice", "facts", "goals", "memories")
    values = {name: VALUES[name] for name in names}
    days = count()  # a line that was never cleaned before
    return Pair(ours=lambda: prompt.render(**values, line=f"My hammer, for {next(days)} days?"))


CASES: tuple[Case, ...] = (
    render_beside_jinja2,
    render_beside_minijinja,
    render_fresh_beside_jinja2,
    render_fresh_beside_minijinja,
    render_dialogue,
)
