"""Tells in each Ingress's status where it can be reached."""

from __future__ import annotations

import logging

from leeward.cluster.interface.client import Client
from leeward.cluster.network.routes import INGRESS_CLASS
from leeward.kube.status import StatusError

logger = logging.getLogger(__name__)


def publish_status(client: Client, port: int) -> None:
    """Write ``status.loadBalancer`` of our Ingresses where it is missing or stale."""
    wanted = {
        "loadBalancer": {"ingress": [{"ip": "127.0.0.1", "ports": [{"port": port, "protocol": "TCP"}]}]}
    }
    for ingress in client.list("ingresses.networking.k8s.io"):
        if (ingress.get("spec") or {}).get("ingressClassName", INGRESS_CLASS) != INGRESS_CLASS:
            continue
        if ingress.get("status") == wanted:
            continue
        try:
            client.update_status("ingresses.networking.k8s.io", {**ingress, "status": wanted})
        except StatusError as error:  # a detail nobody waits for: Services must go on regardless
            name = ingress["metadata"]["name"]
            logger.warning("the status of Ingress %s cannot be written: %s", name, error)
