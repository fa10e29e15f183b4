"""Factors for boxes that have none, learned from their scores."""
