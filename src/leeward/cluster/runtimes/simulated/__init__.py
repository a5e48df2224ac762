"""Containers that only have states: for many nodes, for rehearsals, for tests."""
