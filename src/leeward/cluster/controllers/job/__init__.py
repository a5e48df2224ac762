"""Runs Pods until enough of them have succeeded."""
