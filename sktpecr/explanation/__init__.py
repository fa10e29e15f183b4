"""Why an item is recommended, and what is worth asking."""
