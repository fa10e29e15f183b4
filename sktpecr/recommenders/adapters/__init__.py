"""Other libraries' models, made into recommenders; a new library gets a file of its own here."""
