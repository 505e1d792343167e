"""Weights: the registry, fetching, verifying and converting them, tokenizers, chat templates."""
