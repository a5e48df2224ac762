"""The Kubernetes API over HTTPS, on top of the registry."""
