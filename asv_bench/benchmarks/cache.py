"""The prompt cache beside lru-dict and cachetools."""

from ._suites import Cases


class Cache(Cases):
    prefix = "cache."
