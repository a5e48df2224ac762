"""Keeps the replicas of workloads within the bounds of their HorizontalPodAutoscalers."""
