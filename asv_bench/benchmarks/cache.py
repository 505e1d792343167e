"""The prompt cache beside lru-dict and cachetools."""

from ._suites import _Calls, _Figures

_MEASURE_THEMSELVES = ("cache.threads_8", "cache.zipf_scan")


class Cache(_Calls):
    prefix = "cache."


class CacheFigures(_Figures):
    prefix = "cache."


Cache.params[0] = [name for name in Cache.cases if name not in _MEASURE_THEMSELVES]
CacheFigures.params[0] = list(_MEASURE_THEMSELVES)
