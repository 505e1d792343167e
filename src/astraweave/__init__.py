"""astraweave: an in-process AI runtime for games."""

from __future__ import annotations

__version__ = "0.1.0"
