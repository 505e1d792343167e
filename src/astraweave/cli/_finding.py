"""One line of the doctor's report."""

from __future__ import annotations

import msgspec

__all__ = ["Finding"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the doctor's report.

    Attributes
    ----------
    name : str
        What was looked at.
    value : str
        What was found.
    ok : bool
        Whether it is as it should be; what is only slower than it could be is.
    advice : str
        What to do; empty where nothing needs doing.
    """

    name: str
    value: str
    ok: bool = True
    advice: str = ""
