"""What fills the gap of a question, found in a fact."""

from __future__ import annotations

from astraweave.dialogue.facts import Fact
from astraweave.dialogue.language.questions import Question
from astraweave.dialogue.slots.attributes import (
    find_age,
    find_colour,
    find_job,
    find_material,
    find_name,
)
from astraweave.dialogue.slots.base import Judge, Slot
from astraweave.dialogue.slots.circumstances import (
    find_amount,
    find_manner,
    find_measure,
    find_number,
    find_place,
    find_reason,
    find_time,
)
from astraweave.dialogue.slots.participants import (
    find_behind,
    find_complement,
    find_object,
    find_owner,
    find_recipient,
    find_subject,
)

__all__ = ["Slot", "find_slot"]


def find_slot(question: Question, fact: Fact, judge: Judge) -> Slot | None:
    """What fills the question's gap in this fact; None when nothing does."""
    finder = _FINDERS[question.gap]
    return finder(question, fact, judge)


_FINDERS = {
    "subject": find_subject, "object": find_object, "recipient": find_recipient, "behind": find_behind, "place": find_place, "time": find_time,  # noqa: E501
    "number": find_number, "amount": find_amount, "measure": find_measure, "reason": find_reason, "owner": find_owner, "complement": find_complement,  # noqa: E501
    "name": find_name, "age": find_age, "colour": find_colour, "material": find_material, "job": find_job, "manner": find_manner,  # noqa: E501
    "kind": find_object,
}  # fmt: skip
