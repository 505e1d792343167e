"""Composed lines by flavour, one TOML file each."""

from __future__ import annotations

__all__: list[str] = []
