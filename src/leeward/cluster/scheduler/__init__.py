"""Chooses a node for every Pod: filters, scores, binds."""
