"""Defaults and rules of the built-in kinds, one module per family."""
