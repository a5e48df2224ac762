"""Keeps a number of identical Pods, as Kubernetes began with."""
