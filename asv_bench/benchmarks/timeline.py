"""What a world's past costs: saving a line, loading ten thousand memories, one event."""

from ._suites import Cases


class Timeline(Cases):
    prefix = "timeline."
