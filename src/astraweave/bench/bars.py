"""What a measured figure is held against."""

from __future__ import annotations

import msgspec

__all__ = ["Bar"]


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A figure and its limit.

    Attributes
    ----------
    name : str
        What was measured.
    value : float or None
        The figure; None where this run could not measure it.
    limit : float
        The most that it may be; the least where `floor` is set.
    unit : str
        Of both.
    floor : bool
        More is better.

    Examples
    --------
    >>> Bar(name="save", value=80.0, limit=500.0, unit="ms").met
    True
    >>> Bar(name="found", value=0.8, limit=0.9, unit="", floor=True).met
    False
    """

    name: str
    value: float | None
    limit: float
    unit: str
    floor: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the limit holds; None: not measured."""
        if self.value is None:
            return None
        return self.value >= self.limit if self.floor else self.value <= self.limit
