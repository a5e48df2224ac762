"""Keeps a number of identical Pods."""
