"""Who a character is."""
