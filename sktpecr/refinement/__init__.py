"""From feedback to the next list."""
