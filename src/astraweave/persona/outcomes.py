"""What sorts of things happen to a character, and what each does: a catalogue that a studio extends."""  # noqa: E501

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal, get_args

import msgspec

from astraweave.core.toml import TomlText, did_you_mean, nearest
from astraweave.errors import ConfigError, InputError
from astraweave.persona.state import Mood, Outcome, Relationship

__all__ = ["OUTCOMES", "OutcomeRule", "Outcomes", "Tag"]

Tag = Literal["duty", "favour", "news"]

_AXES = ("trust", "affinity", "respect", "fear")
_KEYS = ("phrase", "mood", *_AXES, "tags")
_MAX_FILE_BYTES = 1_000_000


class OutcomeRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one kind of outcome does to somebody of the most ordinary temperament.

    Attributes
    ----------
    kind : str
        Its name in the catalogue.
    phrase : str
        The outcome as a clause in the third person: ``"{by} helped {me}"``.
    mood : Mood
        By how much the mood moves at weight 1, from a neutral start.
    relationship : Relationship
        Likewise how the character stands to who did it.
    tags : tuple of str
        ``"duty"`` weighs more with the conscientious, ``"news"`` with the open-minded,
        ``"favour"`` mends more between those who forgive easily.
    """

    kind: str
    phrase: str = ""
    mood: Mood = Mood()
    relationship: Relationship = Relationship()
    tags: tuple[Tag, ...] = ()

    def told(self, outcome: Outcome, me: str, names: Mapping[str, str] = {}) -> str:
        """The outcome as a clause without a full stop: its own text, or the phrase filled.

        Parameters
        ----------
        outcome : Outcome
            Of this kind.
        me : str
            The name of whom it happened to.
        names : mapping of str to str
            Spoken names by id; an id without one is spoken as it is.
        """
        if outcome.text:
            return outcome.text.strip().rstrip(".")
        by = names.get(outcome.by, outcome.by) or "somebody"
        return self.phrase.replace("{by}", by).replace("{me}", me) or self.kind.replace("_", " ")


class Outcomes(Mapping[str, OutcomeRule]):
    r"""A catalogue of outcomes by kind. Immutable; thread-safe.

    Examples
    --------
    >>> OUTCOMES["gift"].relationship.affinity
    0.16
    >>> more = Outcomes.from_toml('[blessed]\nmood = [0.2, 0.0, 0.1]\ntrust = 0.1')
    >>> "blessed" in more, "gift" in more
    (True, True)
    """

    def __init__(self, rules: Mapping[str, OutcomeRule]) -> None:
        self._rules = dict(rules)

    @classmethod
    def load(cls, path: str | Path, *, base: Mapping[str, OutcomeRule] | None = None) -> Outcomes:
        """The built-in catalogue (or `base`) with the outcomes of a TOML file over it.

        Raises
        ------
        ConfigError
            The file cannot be read or something in it is wrong; names file and line, and
            ``error.details`` has ``source``, ``line`` and, for a typo, ``near``.
        """
        path = Path(path)
        try:
            raw = path.read_bytes()
            text = raw.decode("utf-8-sig")
        except OSError as error:
            raise ConfigError(
                f"the outcomes {path} cannot be read: {error.strerror or error}", source=str(path)
            ) from error
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise ConfigError(
                f"{path}:{line}: not UTF-8; save the file as UTF-8", source=str(path), line=line
            ) from None
        if len(raw) > _MAX_FILE_BYTES:
            raise ConfigError(f"the outcomes {path} are larger than a megabyte", source=str(path))
        return cls.from_toml(text, origin=str(path), base=base)

    @classmethod
    def from_toml(
        cls, text: str, *, origin: str = "<outcomes>", base: Mapping[str, OutcomeRule] | None = None
    ) -> Outcomes:
        """The same from TOML text; `origin` names it in errors (see `load`)."""
        rules = dict(OUTCOMES if base is None else base)
        document = TomlText(text, origin)
        for kind, table in document.data.items():
            rules[kind] = _rule(document, kind, table)
        return cls(rules)

    def rule(self, kind: str) -> OutcomeRule:
        """The rule of a kind.

        Raises
        ------
        InputError
            The catalogue has no such kind; names the nearest.
        """
        try:
            return self._rules[kind]
        except KeyError:
            raise InputError(
                f"there is no outcome {kind!r}{did_you_mean(kind, self._rules)}",
                kind=kind,
                near=nearest(kind, self._rules),
            ) from None

    def __getitem__(self, kind: str) -> OutcomeRule:
        return self._rules[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def __repr__(self) -> str:
        return f"Outcomes({', '.join(sorted(self._rules))})"


def _rule(document: TomlText, kind: str, table: object) -> OutcomeRule:
    if not isinstance(table, dict):
        document.fail(f"{kind!r} must be a table: [{kind}]", kind, key=kind)
    document.check_keys(table, _KEYS, kind)
    phrase = table.get("phrase", "")
    if not isinstance(phrase, str):
        document.fail("'phrase' must be a text", kind, "phrase", key="phrase")
    mood = table.get("mood", [0.0, 0.0, 0.0])
    if not isinstance(mood, list) or len(mood) != 3 or not all(map(_is_share, mood)):
        document.fail(
            "'mood' must be three numbers from -1 to 1: valence, arousal, dominance",
            kind,
            "mood",
            key="mood",
        )
    axes = {axis: table.get(axis, 0.0) for axis in _AXES}
    for axis, value in axes.items():
        if not _is_share(value):
            document.fail(f"{axis!r} must be a number from -1 to 1", kind, axis, key=axis)
    return OutcomeRule(
        kind=kind,
        phrase=phrase,
        mood=Mood(valence=float(mood[0]), arousal=float(mood[1]), dominance=float(mood[2])),
        relationship=Relationship(**{axis: float(value) for axis, value in axes.items()}),
        tags=_tags(document, kind, table.get("tags", [])),
    )


def _tags(document: TomlText, kind: str, tags: Any) -> tuple[Tag, ...]:
    known = get_args(Tag)
    if not isinstance(tags, list):
        document.fail("'tags' must be a list", kind, "tags", key="tags")
    for tag in tags:
        if tag not in known:
            document.fail(
                f"unknown tag {tag!r}{did_you_mean(str(tag), known)}", kind, "tags", key="tags"
            )
    return tuple(tags)


def _is_share(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and -1.0 <= value <= 1.0


def _builtin() -> Outcomes:
    text = resources.files(__package__).joinpath("outcomes.toml").read_text(encoding="utf-8")
    return Outcomes.from_toml(text, origin="outcomes.toml", base={})


OUTCOMES: Final = _builtin()
"""The outcomes that come with astraweave (``persona/outcomes.toml``)."""
