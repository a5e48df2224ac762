"""A release enters an environment: planned, judged at the gates, rolled out, verified, or undone."""
