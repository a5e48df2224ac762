"""Keeps claims until no Pod uses them."""
