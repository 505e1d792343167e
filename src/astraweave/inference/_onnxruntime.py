"""The one import of onnxruntime, and what its exceptions mean here."""

from __future__ import annotations

from typing import Any

from astraweave.core.settings import keep_onnxruntime_quiet
from astraweave.errors import MissingExtraError

__all__ = ["first_line", "load_onnxruntime"]


def load_onnxruntime() -> Any:
    """The module onnxruntime, which reports nothing to anybody.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    keep_onnxruntime_quiet()
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("running models", "cpu") from error
    return onnxruntime


def first_line(error: BaseException) -> str:
    """What onnxruntime said, short enough for a message."""
    text = str(error).strip().splitlines()
    line = text[0] if text else type(error).__name__
    return line if len(line) <= 300 else line[:297] + "..."
