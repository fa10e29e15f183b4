"""Why an item is recommended to a user, by tags."""
