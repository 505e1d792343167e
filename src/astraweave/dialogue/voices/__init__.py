"""How characters say things, one TOML file a voice (see `astraweave.dialogue.voice`)."""

from __future__ import annotations

__all__: list[str] = []
