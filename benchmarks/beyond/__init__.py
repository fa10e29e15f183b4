"""Experiments that the paper does not have, run by python -m benchmarks.paper --beyond."""
