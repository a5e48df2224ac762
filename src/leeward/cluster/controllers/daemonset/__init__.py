"""Keeps one Pod on every eligible node."""
