"""A small reader of plain English: enough to see who did what to whom, where and how many."""
