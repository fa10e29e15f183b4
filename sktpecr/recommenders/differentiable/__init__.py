"""Torch modules as recommenders."""
