"""The Lennmark, a town a file; its form is told at the head of ``country.toml``."""
