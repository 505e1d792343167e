"""Token counts in the default model vocabulary, beside tokenizers."""

from ._suites import Cases


class Tokens(Cases):
    prefix = "tokens."
