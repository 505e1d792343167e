"""The command `astraweave`."""

from __future__ import annotations

from astraweave.cli.main import main

__all__ = ["main"]
