"""Rendering a persona prompt, and choosing the window of a conversation."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from astraweave.bench.case import Case, Pair, case
from astraweave.context import ConversationHistory, as_messages, fit, window
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


class _Characters:
    """Counts four characters as a token; the counter itself is not what is measured here."""

    def count(self, text: str) -> int:
        return len(text) // 4 + 1


def _history(turns: int) -> ConversationHistory:
    history = ConversationHistory(_Characters())
    for number in range(turns):
        role, speaker = ("user", "ash") if number % 2 == 0 else ("assistant", "tam")
        text = "The gate of the old mill is broken again. " * (number % 5 + 1)
        history.say(role, speaker, text, game_time=float(number), pinned=number in {0, 7})  # type: ignore[arg-type]
    return history


def _plain_render() -> Callable[[], object]:
    template = PromptTemplate(PERSONA)
    return lambda: template.render(**VALUES)


@case("prompts.render", unit="us", peer_name="jinja2 sandbox")
def render_beside_jinja2() -> Pair:
    """A persona prompt of 24 values with loops and conditions."""
    ours = _plain_render()
    try:
        import jinja2
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError:
        return Pair(ours=ours)
    environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    peer = environment.from_string(PERSONA)
    same = float(ours() == peer.render(**VALUES))
    return Pair(ours=ours, peer=lambda: peer.render(**VALUES), quality={"same_text": same})


@case("prompts.render_minijinja", unit="us", peer_name="minijinja")
def render_beside_minijinja() -> Pair:
    """The same beside the engine that we stand on: what checking the values costs."""
    ours = _plain_render()
    import minijinja

    environment = minijinja.Environment(templates={"t": PERSONA}, undefined_behavior="strict")
    return Pair(ours=ours, peer=lambda: environment.render_template("t", **VALUES))


@case("prompts.dialogue", unit="us")
def render_dialogue() -> Pair:
    """The built-in dialogue prompt with five memories and a new line, its cleaning included."""
    prompt = PromptLibrary.load()["dialogue"]
    names = ("name", "role", "traits", "voice", "facts", "goals", "memories")
    values = {name: VALUES[name] for name in names}
    days = count()  # a line that was never cleaned before
    return Pair(ours=lambda: prompt.render(**values, line=f"My hammer, for {next(days)} days?"))


@case("context.window", unit="us")
def prune() -> Pair:
    """The newest of 100 turns that fit into 1,500 tokens, two of them pinned."""
    history = _history(100)
    return Pair(ours=lambda: window(history, 1500))


@case("context.fit", unit="us")
def fit_rendered() -> Pair:
    """The same by counting the rendered whole; the counter's own time included."""
    history, counter = _history(100), _Characters()
    return Pair(
        ours=lambda: fit(
            history,
            as_messages,
            lambda messages: sum(counter.count(message.content) + 4 for message in messages),
            1500,
        )
    )


@case("context.append", unit="us")
def append() -> Pair:
    """One more turn."""
    history = _history(0)
    return Pair(ours=lambda: history.say("user", "ash", "Do you still have my hammer?"))


CASES: tuple[Case, ...] = (
    render_beside_jinja2,
    render_beside_minijinja,
    render_dialogue,
    prune,
    fit_rendered,
    append,
)
