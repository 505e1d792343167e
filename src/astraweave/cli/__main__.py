"""``python -m astraweave.cli``."""

from __future__ import annotations

import sys

from astraweave.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
