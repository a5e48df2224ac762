"""The embedded Kubernetes cluster: one process, several zones, built in build.py."""
