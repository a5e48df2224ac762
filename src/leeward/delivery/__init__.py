"""Brings rendered objects to a cluster, any cluster, and knows when they are healthy."""
