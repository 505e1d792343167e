"""Persona: its prompt, what an outcome does to it, and why it feels as it does."""

from ._suites import Cases


class Personas(Cases):
    prefix = "persona."
