"""A client for an embedded cluster."""

from __future__ import annotations

from leeward.cluster.statedir import StateDir
from leeward.kube.client import KubeClient
from leeward.kube.kubeconfig import load_access


def connect(state: StateDir) -> KubeClient:
    """Return a client with the administrator's credentials; use it as an async context manager."""
    return KubeClient(load_access(state.kubeconfig))
