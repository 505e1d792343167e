"""What is evaluated on; nothing of it is used by a game."""
