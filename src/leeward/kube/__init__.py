"""The Kubernetes vocabulary both halves share; it has no behaviour at a distance."""
