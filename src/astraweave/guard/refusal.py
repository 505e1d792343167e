"""Why a call is refused, in words that a player, a designer and a model can use."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from astraweave.errors import GuardViolation

__all__ = ["Outcome", "Refusal", "RefusalCode", "Refused"]

RefusalCode = Literal[
    "malformed", "unknown_action", "unknown_argument", "missing_argument", "wrong_type",
    "out_of_range", "unknown_entity", "wrong_entity", "unknown_actor", "not_permitted",
    "untrusted", "precondition", "cooldown", "budget", "failed",
]  # fmt: skip


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a call was not carried out.

    Attributes
    ----------
    code : str
        For programs: ``"precondition"``, ``"cooldown"``, ``"unknown_entity"`` ...
    sentence : str
        What was wrong.
    remedy : str
        What would make the call legal; empty: nothing would.
    argument : str
        The argument that is to blame; empty: the call as a whole.
    rule : str
        Name of the precondition, cooldown or budget that refused.
    """

    code: RefusalCode
    sentence: str
    remedy: str = ""
    argument: str = ""
    rule: str = ""

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}".rstrip()


class Refused(Exception):
    """Carries a refusal up to the guard; never leaves this room."""

    def __init__(
        self, code: RefusalCode, sentence: str, remedy: str = "", *, argument: str = "",
        rule: str = "",
    ) -> None:  # fmt: skip
        super().__init__(sentence)
        self.refusal = Refusal(
            code=code, sentence=sentence, remedy=remedy, argument=argument, rule=rule
        )


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a call.

    Attributes
    ----------
    allowed : bool
        Every rule was kept and, when it was executed, it ended without an exception.
    action : str
        The action's name, as far as it could be read.
    arguments : dict
        Checked arguments as the action gets them; empty when it was refused before.
    refusal : Refusal or None
        Why not.
    result : object
        What the action returned.
    error : BaseException or None
        What the action raised.
    """

    allowed: bool
    action: str = ""
    arguments: dict[str, Any] = {}
    refusal: Refusal | None = None
    result: Any = None
    error: BaseException | None = None

    def require(self) -> Outcome:
        """Itself when it was allowed.

        Raises
        ------
        GuardViolation
            It was not; the refusal is in its details.
        """
        if self.refusal is not None:
            raise GuardViolation(
                f"{self.action or 'the call'}: {self.refusal}",
                action=self.action,
                refusal=self.refusal,
            ) from self.error
        return self
