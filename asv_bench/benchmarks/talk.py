"""Talk without a model: barks on the frame, decisions, composed lines."""

from ._suites import Cases


class Talk(Cases):
    prefix = "talk."
