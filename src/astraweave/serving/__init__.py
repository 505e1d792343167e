"""The road between game and model: every call of a model goes through the scheduler here."""
