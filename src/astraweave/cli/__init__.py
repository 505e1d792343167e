"""The command `astraweave`."""
