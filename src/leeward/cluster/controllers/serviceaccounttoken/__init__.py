"""Fills in Secrets that hold a token of a service account."""
