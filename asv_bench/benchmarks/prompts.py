"""Prompts: the persona prompt beside jinja2 and minijinja."""

from ._suites import Cases


class Prompts(Cases):
    prefix = "prompts."
