"""Releases: what is in one, how it is made, kept and opened again."""
