"""What composing needs to know about a language, one TOML file each (see `astraweave.dialogue.grammar`)."""  # noqa: E501

from __future__ import annotations

__all__: list[str] = []
