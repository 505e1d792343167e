"""Whether a clause may be shown: whether it is well formed, supported and in its place.

A language model that is small enough to ship with a game invents. Its clauses pass only when they
claim nothing, or nothing that memory, persona, history and world do not support. It is strict on
purpose: a good clause that is thrown away costs a little colour, a false one costs the player's
trust.
"""

from __future__ import annotations

from astraweave.dialogue.check.judge import Judge, Moment, Verdict, check_clause, moment_of
from astraweave.dialogue.check.knowledge import Knowledge

__all__ = ["Judge", "Knowledge", "Moment", "Verdict", "check_clause", "moment_of"]
