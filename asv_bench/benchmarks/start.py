"""What the import itself costs, in fresh processes."""

from ._suites import _Figures


class ImportTime(_Figures):
    prefix = "start.import_ms"
    unit = "ms"


class ImportMemory(_Figures):
    prefix = "start.import_rss"
    unit = "MB"
