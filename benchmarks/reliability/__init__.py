"""What was tried on the package, and what came of it."""
