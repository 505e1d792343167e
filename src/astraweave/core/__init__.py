"""The vocabulary that every room shares; no file, socket or model is touched here."""
