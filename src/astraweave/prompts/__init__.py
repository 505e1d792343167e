"""Templates, the TOML prompt library, and what a player's words may do inside them."""

from __future__ import annotations

from astraweave.prompts.library import PromptLibrary, Reload
from astraweave.prompts.prompt import Prompt
from astraweave.prompts.template import PromptTemplate
from astraweave.prompts.trust import TrustLevel, Untrusted, untrusted

__all__ = [
    "Prompt",
    "PromptLibrary",
    "PromptTemplate",
    "Reload",
    "TrustLevel",
    "Untrusted",
    "untrusted",
]
