"""Templates, the TOML prompt library, and what a player's words may do inside them."""
