"""Runs containers as host processes, in namespaces of their own where the machine allows it."""
