"""From what was said, remembered and intended to a line that is true to all three."""
