"""Token counts in the default model vocabulary, beside tokenizers."""

from ._suites import _Calls


class Tokens(_Calls):
    prefix = "tokens."
