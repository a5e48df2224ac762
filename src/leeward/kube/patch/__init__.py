"""The three kinds of patch a Kubernetes API takes; none changes its input."""
