"""Keeps Pods with names, order and volumes of their own."""
