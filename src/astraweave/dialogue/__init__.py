"""What characters say: from an utterance and what is remembered to a line, checked clause by clause."""  # noqa: E501

from __future__ import annotations

from astraweave.dialogue.acts import Act, act_of, is_telling
from astraweave.dialogue.answer import Answer, Answerer
from astraweave.dialogue.barks import BARKS, Barker
from astraweave.dialogue.check import Judge, Knowledge, Moment, Verdict, check_clause, moment_of
from astraweave.dialogue.clauses import ClauseSplitter
from astraweave.dialogue.compose import Composer
from astraweave.dialogue.generator import Clause, DialogueGenerator, Line, LineReport, Tier
from astraweave.dialogue.grammar import Grammar
from astraweave.dialogue.group import (
    EVERYONE,
    Answered,
    Standing,
    addressed,
    speaking_order,
    without_calls,
)
from astraweave.dialogue.plan import LinePlan, Plan, PlannedFact
from astraweave.dialogue.planner import Planner
from astraweave.dialogue.recall import memory_text, retrieval_query
from astraweave.dialogue.retell import retell, retell_event
from astraweave.dialogue.sentiment import SentimentClassifier
from astraweave.dialogue.similarity import Similarity
from astraweave.dialogue.situation import Situation
from astraweave.dialogue.tone import Tone
from astraweave.dialogue.voice import Voice, VoiceLibrary
from astraweave.dialogue.voice_lint import lint_voice

__all__ = [
    "BARKS",
    "EVERYONE",
    "Act",
    "Answer",
    "Answered",
    "Answerer",
    "Barker",
    "Clause",
    "ClauseSplitter",
    "Composer",
    "DialogueGenerator",
    "Grammar",
    "Judge",
    "Knowledge",
    "Line",
    "LinePlan",
    "LineReport",
    "Moment",
    "Plan",
    "PlannedFact",
    "Planner",
    "SentimentClassifier",
    "Similarity",
    "Situation",
    "Standing",
    "Tier",
    "Tone",
    "Verdict",
    "Voice",
    "VoiceLibrary",
    "act_of",
    "addressed",
    "check_clause",
    "is_telling",
    "lint_voice",
    "memory_text",
    "moment_of",
    "retell",
    "retell_event",
    "retrieval_query",
    "speaking_order",
    "without_calls",
]
