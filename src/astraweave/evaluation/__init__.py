"""How good the answers are: data sets, and what they are scored by."""
