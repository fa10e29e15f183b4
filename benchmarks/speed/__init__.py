"""The goals of speed: one file for what belongs together, each goal a function of a place."""
