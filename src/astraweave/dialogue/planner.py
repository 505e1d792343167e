"""Plans for one character: what a line does, says and how it begins."""

from __future__ import annotations

from astraweave.dialogue.answer import Answerer
from astraweave.dialogue.compose import Composer
from astraweave.dialogue.moves import Choice, Scene, decide
from astraweave.dialogue.moves.reserve import disclosed
from astraweave.dialogue.moves.telling import heard_act
from astraweave.dialogue.plan import LinePlan, Plan
from astraweave.dialogue.situation import Situation
from astraweave.dialogue.tone import Tone
from astraweave.dialogue.wording import worded

__all__ = ["Planner"]


class Planner:
    """Makes plans for one character. Not thread-safe.

    Parameters
    ----------
    composer : Composer
        The character's voice.
    answerer : Answerer
        Finds answers.
    """

    def __init__(self, composer: Composer, answerer: Answerer) -> None:
        self._composer, self._answerer = composer, answerer

    def plan(self, situation: Situation) -> Plan:
        """Decide what the line does, and find composed words for it."""
        scene, choice = self._decided(situation)
        return worded(self._composer, scene, choice, _line_plan(scene, choice))

    def line_plan(self, situation: Situation) -> LinePlan:
        """Decide what the line does and says, and leave the words to somebody else."""
        return _line_plan(*self._decided(situation))

    def plain(self, plan: Plan, situation: Situation) -> Plan:
        """In place of one that must not be shown: nothing in it comes from anybody's words."""
        opener = self._composer.opener(situation.rng, situation.recent_lines())
        return Plan(
            plan.act,
            opener,
            line=LinePlan(
                act="opener",
                heard=plan.act.kind,
                addressee=situation.speaker,
                reasons=(*plan.reasons, "the game does not allow that to be said"),
            ),
        )

    def _decided(self, situation: Situation) -> tuple[Scene, Choice]:
        heard = heard_act(situation)
        open_part, withheld = disclosed(situation)
        scene = Scene(open_part, heard, self._answerer, withheld)
        return scene, decide(scene)


def _line_plan(scene: Scene, choice: Choice) -> LinePlan:
    facts = (*choice.facts, *(fact for more in choice.after for fact in more.facts))
    return LinePlan(
        act=choice.act,
        heard=scene.heard.kind,
        addressee=scene.situation.speaker,
        facts=facts,
        also=tuple(more.act for more in choice.after),
        fields={**choice.fields, **{k: v for more in choice.after for k, v in more.fields.items()}},
        tone=_tone(scene, choice),
        reasons=(*choice.reasons, *(r for more in choice.after for r in more.reasons)),
    )


def _tone(scene: Scene, choice: Choice) -> Tone:
    """How sure it is of what it says, how long ago it learned that, and from whom."""
    plain = Tone(mood=scene.mood, relationship=choice.towards or scene.relation)
    known = {r.memory.id: r.memory for r in scene.situation.memories}
    known |= {memory.id: memory for memory in scene.situation.lately}
    known |= {memory.id: memory for memory in scene.situation.overturned}
    memory = next((known[f.memory] for f in choice.facts if f.memory in known), None)
    if memory is None:
        return plain
    own = {"", scene.persona.id, scene.situation.speaker}
    names = scene.situation.spoken_names()
    through = [who for who in (*memory.provenance, memory.speaker) if who not in own]
    sure = _SURE_OF_LIKELY if choice.answer is not None and choice.answer.likely else 1.0
    return Tone(
        mood=plain.mood,
        relationship=plain.relationship,
        certainty=sure * _SURE_OF_HEARSAY ** len(through),
        age_s=scene.situation.calendar.plain(scene.situation.now - memory.game_time),
        source=names.get(through[-1], "") if through else "",
    )


_SURE_OF_LIKELY = 0.5
"""Of a memory that is likely what was asked for, and no more."""
_SURE_OF_HEARSAY = 0.7
"""Of what was told by one who was there; each mouth between takes as much again."""
