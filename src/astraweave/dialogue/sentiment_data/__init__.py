"""Lines with labels, written for this project, and the weights that were fitted to them."""

from __future__ import annotations

__all__: list[str] = []
