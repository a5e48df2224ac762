"""Deletes what has ended, when its time to live is over."""
