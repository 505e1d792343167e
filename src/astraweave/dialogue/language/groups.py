"""Small groups of words that rules speak of, kept beside the lexicon as data."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources

__all__ = ["group"]


@functools.cache
def _groups() -> dict[str, dict[str, str]]:
    text = resources.files(__package__ or "").joinpath("groups.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@functools.cache
def group(name: str) -> frozenset[str]:
    """Words of one group.

    Examples
    --------
    >>> "painted" in group("slots.motion"), "sail" in group("slots.motion")
    (False, True)
    """
    section, _, key = name.partition(".")
    return frozenset(_groups()[section][key].split())
