"""What callers bring: ids, tables, item tags, feedback, checked once at the door."""
