"""Empties and removes terminating namespaces."""
