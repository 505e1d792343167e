"""Steps of the native decoder beside the whole graph."""

from ._suites import Cases


class Decoder(Cases):
    prefix = "decoder."
