"""What holds something that has to be given back, and gives it back at the end of a `with`."""

from __future__ import annotations

from abc import abstractmethod
from types import TracebackType
from typing import Self

__all__ = ["Closing"]


class Closing:
    """A base for classes with a `close`, which the end of a `with` calls whatever happened in it.

    Examples
    --------
    >>> class Door(Closing):
    ...     def close(self) -> None:
    ...         print("shut")
    >>> with Door():
    ...     print("open")
    open
    shut
    """

    __slots__ = ()

    @abstractmethod
    def close(self) -> None:
        """Give back what is held. Closing twice is allowed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
