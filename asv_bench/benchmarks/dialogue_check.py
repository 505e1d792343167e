"""The output check: what one clause of a draft costs."""

from ._suites import Cases


class Checks(Cases):
    prefix = "dialogue.check"
