"""Prompts: the persona prompt beside jinja2 and minijinja."""

from ._suites import _Calls


class Prompts(_Calls):
    prefix = "prompts."
