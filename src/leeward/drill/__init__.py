"""Rehearsed losses: scenarios, faults, load, observation, verdicts."""
