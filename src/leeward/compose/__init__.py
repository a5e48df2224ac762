"""Compose files in, a typed Project out, every value with its file and line. Knows no Kubernetes."""
