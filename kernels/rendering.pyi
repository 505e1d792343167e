from typing import Any, final

__all__ = ["Step", "are_plain", "render"]

@final
class Step:
    """One step of a program; immutable.

    Parameters
    ----------
    kind : str
        ``"text"``: write `text`. ``"value"``: write a value. ``"index"``: write the number of the
        turn of a loop, from 1. ``"join"``: write the items of a list with `separator` between them.
        ``"when"``: run `body` where a value is true or, with a `comparison`, compares so to
        `number` (where not, with `negated`); else `otherwise`. ``"each"``: run `body` for each item
        of a list; for an empty one `otherwise`.
    text : str
        What to write, or the name of the value.
    depth : int
        Loops are numbered from the outermost, 0, to 7. Of ``"each"`` its own number, of ``"index"``
        the loop that is meant; of others the loop whose item is the value, -1 where `text` names
        it.
    comparison : str
        ``"<"``, ``"<="``, ``">"``, ``">="``, ``"=="``, ``"!="``, or nothing.

    Raises
    ------
    ValueError
        There is no such step.
    """

    def __init__(
        self,
        kind: str,
        text: str = "",
        *,
        depth: int = -1,
        separator: str = "",
        comparison: str = "",
        number: float = 0.0,
        negated: bool = False,
        body: tuple[Step, ...] = (),
        otherwise: tuple[Step, ...] = (),
    ) -> None: ...

def render(program: tuple[Step, ...], values: dict[str, Any]) -> str | None:
    """The text, or None where the template engine has to decide.

    Never raises for what a value is; runs no code of values.
    """

def are_plain(values: dict[str, Any]) -> bool:
    """Whether all values are text, numbers, flags, None, or lists of those, of the exact types."""
