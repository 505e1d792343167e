"""The one judge of what a model drafts: mended first, then refused for everything that is wrong."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import msgspec

from astraweave.dialogue.check.claims import faults_of_claims
from astraweave.dialogue.check.fit import Fit, builtin_weights, faults_of_place
from astraweave.dialogue.check.form import faults_of_form, unfinished
from astraweave.dialogue.check.knowledge import Knowledge
from astraweave.dialogue.moves.reserve import touches_taboo
from astraweave.dialogue.plan import Plan
from astraweave.dialogue.repair import repaired
from astraweave.dialogue.situation import Situation, world_texts
from astraweave.embeddings.protocol import EmbeddingClient
from astraweave.guard import OutputGuard
from astraweave.persona import Persona

__all__ = ["Judge", "Moment", "Verdict", "check_clause", "moment_of"]

_GUARD = OutputGuard()


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a clause may be shown; when not, why.

    Attributes
    ----------
    passed : bool
        Whether it may.
    reasons : tuple of str
        Why not; what they mean stands in `Judge.judge`.
    text : str
        The clause, mended.
    repairs : tuple of str
        What was mended (see `astraweave.dialogue.repair`).
    """

    passed: bool
    reasons: tuple[str, ...] = ()
    text: str = ""
    repairs: tuple[str, ...] = ()


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What a line is judged against: who speaks, after what, knowing what.

    Attributes
    ----------
    persona : Persona
        Who speaks.
    utterance : str
        What was said to the character.
    act : str
        What that did (see `astraweave.dialogue.ActKind`).
    answer : str
        Where it was a question, the kind of the answer that the line gives: ``"known"``,
        ``"unknown"``...; empty otherwise.
    opening : str
        How the line began, before the model's part.
    knowledge : Knowledge
        What the character knows.
    recent : tuple of str
        The character's latest lines.
    """

    persona: Persona
    utterance: str
    act: str
    answer: str
    opening: str
    knowledge: Knowledge
    recent: tuple[str, ...] = ()

    def opened(self, opening: str) -> Moment:
        """The same moment for a line that begins so."""
        known = self.knowledge.with_text(opening)
        return msgspec.structs.replace(self, opening=opening, knowledge=known)


def moment_of(situation: Situation, plan: Plan) -> Moment:
    """The moment of a line that was planned so."""
    persona = situation.persona
    own = [*persona.facts, *persona.goals, f"I am {persona.name}, {persona.role}."]
    texts = [r.memory.text for r in situation.memories]
    texts += [t.text for t in situation.history]
    texts += [situation.utterance.text, plan.opening, *world_texts(situation)]
    names = [persona.name, *situation.spoken_names().values()]
    return Moment(
        persona=persona,
        utterance=situation.utterance.text,
        act=plan.act.kind,
        answer=plan.answer.kind if plan.answer is not None else "",
        opening=plan.opening,
        knowledge=Knowledge(texts, names, own),
        recent=tuple(situation.recent_lines()),
    )


class Judge:
    """Says whether what a model drafted may be shown. Immutable; thread-safe.

    Parameters
    ----------
    fit : Fit, optional
        Weighs what rules leave open. Without one, rules refuse whatever they doubt.
    guard : OutputGuard, optional
        Refuses what must not be shown whatever it claims; a studio's own words and rules.

    Examples
    --------
    >>> from astraweave.persona import Persona
    >>> moment = Moment(persona=Persona.builtin("tam"), utterance="Good day.", act="greeting",
    ...                 answer="", opening="Well now.", knowledge=Knowledge([]))
    >>> Judge().judge("Rome has nine hills.", moment, line="Well now.").passed
    False
    """

    def __init__(self, fit: Fit | None = None, *, guard: OutputGuard = _GUARD) -> None:
        self._fit, self._guard = fit, guard

    @classmethod
    def of(
        cls,
        model: str,
        embedder: EmbeddingClient | None = None,
        *,
        guard: OutputGuard = _GUARD,
    ) -> Judge:
        """The judge of what a model drafts.

        The built-in weights are for the default model; what another drafts, rules judge alone.

        Parameters
        ----------
        model : str
            Its id.
        embedder : EmbeddingClient, optional
            The world's; without one, words alone say whether a clause fits.
        guard : OutputGuard, optional
            A studio's own.
        """
        fit = Fit(embedder) if model and model == builtin_weights().model else None
        return cls(fit, guard=guard)

    def about(self, card: str) -> Judge:
        """The same judge for a model that was told `card`, which is not to be read out."""
        judge = copy.copy(self)
        judge._guard = self._guard.about(card)
        return judge

    def judge(
        self,
        piece: str,
        moment: Moment,
        *,
        line: str = "",
        drafted: str = "",
        last: bool = False,
        certainty: float | None = None,
    ) -> Verdict:
        """Mend a piece, and say whether it may be shown.

        Parameters
        ----------
        piece : str
            What the model wrote next.
        moment : Moment
            What it was drafted for.
        line : str
            All of the line that was shown so far.
        drafted : str
            The model's part of that.
        last : bool
            The model ended by itself behind this piece.
        certainty : float, optional
            Mean natural logarithm of the probability that the model gave to its tokens.

        Returns
        -------
        Verdict
            Reasons are those of `astraweave.guard.OutputGuard`, and: ``"empty"``, ``"markup"``,
            ``"language"``, ``"shouting"``, ``"role"``, ``"length"``, ``"repetition"``,
            ``"short"``, ``"cut"`` (form); ``"name"``, ``"number"``, ``"claim"`` (nothing known
            supports it); ``"contradiction"``, ``"tone"``, ``"unfit"`` (it does not belong there);
            ``"taboo"``.
        """
        text, repairs = repaired(
            piece, speaker=moment.persona.name, line=line, recent=moment.recent, last=last
        )
        sure, perhaps = self._faults(text, moment, line, drafted)
        if not sure:
            doubts = ["claim" if fault == "loose" else fault for fault in perhaps]
            if self._fit is None:
                sure = doubts
            elif self._fit.weigh(text, moment, line, perhaps, certainty) <= 0.0:
                sure = doubts or ["unfit"]
        kept = tuple(dict.fromkeys(sure))
        return Verdict(passed=not kept, reasons=kept, text=text.strip(), repairs=repairs)

    def _faults(
        self, text: str, moment: Moment, line: str, drafted: str
    ) -> tuple[list[str], list[str]]:
        """What is surely wrong with it, and what may be."""
        sure = list(self._guard.check(text, before=drafted).reasons)
        perhaps: list[str] = []
        if not sure:
            recent = [*moment.recent, moment.utterance]
            sure += faults_of_form(text, recent, line)
        if not sure:
            for fault in faults_of_claims(text, moment.knowledge):
                (perhaps if fault == "loose" else sure).append(fault)
        sure += unfinished(text)
        of_place, doubtful = faults_of_place(text, moment)
        if touches_taboo(text, moment.persona):
            sure.append("taboo")
        return sure + of_place, perhaps + doubtful


def check_clause(
    clause: str, knowledge: Knowledge, *, recent: Sequence[str] = (), line: str = ""
) -> Verdict:
    """Judge form and claims of one clause; the rest of what a line needs is `Judge`'s.

    Whether anything of it must not be shown whatever it claims (control text, other speakers'
    lines, the system's card) is `astraweave.guard.OutputGuard`'s to say.

    Parameters
    ----------
    clause : str
        What would be shown next.
    knowledge : Knowledge
        What it may rest on.
    recent : sequence of str
        The character's latest lines; nothing of them is said again.
    line : str
        What was already shown of this line.

    Examples
    --------
    >>> known = Knowledge(["My sister Mira hid a ring under the mill."])
    >>> check_clause("The fire is hot today.", known).passed
    True
    >>> check_clause("Mira hid it in the well.", known).reasons
    ('claim',)
    """
    reasons = list(faults_of_form(clause, recent, line))
    if not reasons:
        found = faults_of_claims(clause, knowledge)
        reasons += ["claim" if fault == "loose" else fault for fault in found]
    return Verdict(passed=not reasons, reasons=tuple(dict.fromkeys(reasons)), text=clause)
