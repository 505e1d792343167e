"""The World: where all rooms come together, what a game holds, ticks, saves and loads."""
