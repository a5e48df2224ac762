"""A Project for one environment in, Kubernetes objects and a fidelity report out. Pure."""
