"""Differences between sets of objects, in Compose's words. Pure."""
