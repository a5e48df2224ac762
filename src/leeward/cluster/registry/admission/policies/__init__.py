"""Admission policies, mutating and validating, and the expressions that they and webhooks have."""
