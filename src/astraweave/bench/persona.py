"""Who a character is, for a model; and what something that happens does to it."""

from __future__ import annotations

from itertools import cycle

from astraweave.bench.case import Case, Pair, case
from astraweave.persona import OUTCOMES, Outcome, Persona, PersonaState, explain

__all__ = ["CASES"]

_TOWN = {"player": "Ash", "nell": "Nell", "hild": "Hild"}


def _lived(persona: Persona) -> PersonaState:
    """A state with as many causes as are ever kept."""
    state = persona.initial_state()
    for number, kind in enumerate(sorted(OUTCOMES) * 2):
        by = ("player", "nell", "hild")[number % 3]
        text = f"something happened to {persona.name} on day {number}" if number % 2 else ""
        happened = Outcome(kind=kind, by=by, text=text, game_time=600.0 * number)
        state = persona.evolve_from_outcome(state, happened)
    return state


@case("persona.prompt", unit="us")
def prompt() -> Pair:
    """The prompt of each of the town's people in turn, mood and reasons included."""
    lives = [(p, _lived(p)) for p in map(Persona.builtin, Persona.builtin_names())]
    turns = cycle((p, s, s.at + 60.0 * hour) for hour in range(40) for p, s in lives)

    def one() -> str:
        persona, state, now = next(turns)
        return persona.generate_prompt(state, speaker="player", now=now, names=_TOWN)

    shown = [
        "You feel" in p.generate_prompt(s, speaker="player", now=s.at + 60.0, names=_TOWN)
        for p, s in lives
    ]
    return Pair(ours=one, quality={"with_mood": sum(shown) / len(shown)})


@case("persona.evolve", unit="us")
def evolve() -> Pair:
    """An outcome applied to somebody who has as many causes as are ever kept."""
    persona = Persona.builtin("tam")
    state = _lived(persona)
    kinds = cycle(sorted(OUTCOMES))

    def one() -> PersonaState:
        happened = Outcome(kind=next(kinds), by="player", game_time=state.at + 60.0)
        return persona.evolve_from_outcome(state, happened)

    return Pair(ours=one)


@case("persona.why", unit="us")
def why() -> Pair:
    """The answer to "why are you angry?" out of as many causes as are ever kept."""
    persona = Persona.builtin("tam")
    state = _lived(persona)
    return Pair(ours=lambda: explain(persona, state, "Why are you angry?", names=_TOWN))


CASES: tuple[Case, ...] = (prompt, evolve, why)
