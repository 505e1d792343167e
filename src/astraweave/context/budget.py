"""How a context window is shared out."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from astraweave.errors import CapacityError, ConfigError

__all__ = ["Share", "TokenBudget"]


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One claim on the window.

    Attributes
    ----------
    weight : float
        How much of what is left, beside the other shares, it gets.
    minimum : int
        Tokens that it gets in any case (less only when it asks for less).
    maximum : int or None
        Tokens that it never gets more than; None: no limit.
    """

    weight: float = 1.0
    minimum: int = 0
    maximum: int | None = None


_DIALOGUE: Mapping[str, Share] = {
    "persona": Share(weight=1.0, minimum=64, maximum=768),
    "memories": Share(weight=1.0, minimum=32, maximum=512),
    "history": Share(weight=4.0, minimum=64),
    "answer": Share(weight=0.0, minimum=64, maximum=64),
}


class TokenBudget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Splits a context window between named shares. Immutable; thread-safe.

    Each share first gets its minimum; what is left is dealt out by weight; what a share does not
    want, or may not have, flows to the others.

    Attributes
    ----------
    max_tokens : int
        The whole window.
    shares : Mapping of str to Share
        By name.

    Raises
    ------
    ConfigError
        A weight or a bound makes no sense.
    CapacityError
        The minimums alone are more than the window.

    Examples
    --------
    >>> budget = TokenBudget(max_tokens=100, shares={
    ...     "history": Share(weight=3), "memories": Share(maximum=40), "answer": Share(minimum=20)})
    >>> budget.split()
    {'history': 48, 'memories': 16, 'answer': 36}
    >>> budget.split({"memories": 6, "answer": 20})
    {'history': 74, 'memories': 6, 'answer': 20}
    """

    max_tokens: int
    shares: Mapping[str, Share] = msgspec.field(default_factory=lambda: dict(_DIALOGUE))

    def __post_init__(self) -> None:
        for name, share in self.shares.items():
            if not math.isfinite(share.weight):
                raise ConfigError(
                    f"the weight of the share {name!r} must be a number, not {share.weight}",
                    share=name,
                )
            if share.weight < 0 or share.minimum < 0:
                raise ConfigError(
                    f"the share {name!r} has a negative weight or minimum", share=name
                )
            if share.maximum is not None and share.maximum < share.minimum:
                raise ConfigError(
                    f"the share {name!r} has a maximum of {share.maximum}, below its minimum of "
                    f"{share.minimum}",
                    share=name,
                )
        needed = sum(share.minimum for share in self.shares.values())
        if needed > self.max_tokens:
            raise CapacityError(
                f"the minimums of the shares need {needed} tokens, the window has "
                f"{self.max_tokens}",
                needed=needed,
                max_tokens=self.max_tokens,
            )

    def split(self, wanted: Mapping[str, int] | None = None) -> dict[str, int]:
        """Tokens of each share, together never more than the window.

        Parameters
        ----------
        wanted : Mapping of str to int, optional
            What shares could use at most, where that is known already; the rest flows on.

        Raises
        ------
        ConfigError
            There is no share of a wanted name.
        """
        wanted = wanted or {}
        if unknown := wanted.keys() - self.shares.keys():
            raise ConfigError(f"there is no share {min(unknown)!r}", share=min(unknown))
        ceiling: dict[str, int] = {}
        for name, share in self.shares.items():
            most = self.max_tokens if share.maximum is None else share.maximum
            ceiling[name] = min(most, max(0, wanted.get(name, most)))
        given = {name: min(share.minimum, ceiling[name]) for name, share in self.shares.items()}
        left = self.max_tokens - sum(given.values())
        while left > 0:
            open_ = {
                name: share.weight
                for name, share in self.shares.items()
                if share.weight > 0 and given[name] < ceiling[name]
            }
            if not open_:
                break
            total, dealt = sum(open_.values()), 0
            for name, weight in open_.items():
                # At least one token a round, so that rounding never stops the flow.
                part = min(max(1, int(left * weight / total)), ceiling[name] - given[name])
                part = min(part, left - dealt)
                given[name] += part
                dealt += part
            left -= dealt
        return given
