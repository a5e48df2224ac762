"""leeward: Compose files on a multi-zone Kubernetes cluster, embedded or real."""

__version__ = "0.1.0"
