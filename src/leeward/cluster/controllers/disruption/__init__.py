"""Keeps the status of PodDisruptionBudgets, which evictions obey."""
