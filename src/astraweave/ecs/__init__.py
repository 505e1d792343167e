"""Components for games built on entities; ids and views, while the World owns the state."""
