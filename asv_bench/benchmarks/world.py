"""What a world with both models costs: to open, to keep, to ship."""

from ._suites import _Figures


class OpenTime(_Figures):
    prefix = "world.open_ms"
    unit = "ms"


class OpenMemory(_Figures):
    prefix = "world.open_rss"
    unit = "MB"


class Bundle(_Figures):
    prefix = "world.bundle"
    unit = "MB"
