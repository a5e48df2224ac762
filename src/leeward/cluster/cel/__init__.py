"""The Common Expression Language as Kubernetes has it."""
