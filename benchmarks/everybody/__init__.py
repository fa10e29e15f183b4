"""The nightly job: everybody's list explained, what it takes, and what a kill leaves."""
