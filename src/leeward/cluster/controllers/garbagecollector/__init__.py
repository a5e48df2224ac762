"""Deletes what its owners left behind, as deletions ask for: background, foreground or orphan."""
