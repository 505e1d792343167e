"""Conversation histories, token budgets, and the window of a conversation that fits."""
