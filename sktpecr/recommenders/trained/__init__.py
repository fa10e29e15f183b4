"""The paper's three recommenders, to train here."""
