"""Keeps the Endpoints of Services with a selector, for clients that do not know slices."""
