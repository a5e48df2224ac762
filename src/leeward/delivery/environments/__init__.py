"""Environments: what their clusters know of them, their variables and secrets, locks, and who may do what."""
