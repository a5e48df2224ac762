"""Rolls ReplicaSets over from one Pod template to the next."""
