"""How nodes join the cluster and say that they live: the Node, its status, its lease.

Source: pkg/kubelet/kubelet_node_status.go, pkg/kubelet/nodelease (Kubernetes 1.36).
"""

from __future__ import annotations

import logging
import platform

from leeward.base.clock import PassiveClock
from leeward.cluster.config import ClusterConfig, NodeShape
from leeward.cluster.interface.client import Client
from leeward.cluster.kubelet.nodestatus import node_object, node_status
from leeward.kube.objects import format_micro_time, is_condition_true
from leeward.kube.status import StatusError
from leeward.kube.wellknown import NODE_LEASE_NAMESPACE

logger = logging.getLogger(__name__)
LEASES = "leases.coordination.k8s.io"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Registration:
    """Writes what nodes say of themselves.

    Args:
        client: writes, as the kubelets.
        clock: the time.
        config: of the cluster.
        address: of the nodes.
        runtime: of the nodes, such as "process://0.1.0".
    """

    def __init__(
        self, client: Client, clock: PassiveClock, config: ClusterConfig, *, address: str, runtime: str
    ) -> None:
        self._client = client
        self._clock = clock
        self._config = config
        self._address = address
        self._runtime = runtime
        self._machine = _machine()

    def join(self, shape: NodeShape) -> None:
        """Register a node, or bring its labels up to date, and say that it is well."""
        old = self._client.find("nodes", "", shape.name)
        wanted = node_object(shape, self._config, self._machine)
        if old is None:
            self._client.create("nodes", wanted)
        else:
            labels = {**(old["metadata"].get("labels") or {}), **wanted["metadata"]["labels"]}
            self._client.update("nodes", {**old, "metadata": {**old["metadata"], "labels": labels}})
        self.report(shape)

    def report(self, shape: NodeShape) -> None:
        """Post the status of a node that is well."""
        client = self._client
        node = client.find("nodes", "", shape.name)
        if node is None:
            self.join(shape)
            return
        status = node_status(
            node,
            shape.group,
            address=self._address,
            runtime=self._runtime,
            machine=self._machine,
            now=self._clock.now(),
        )
        posted = client.update_status("nodes", {**node, "status": status})
        if not is_condition_true(node, "Ready"):
            text = f"Node {shape.name} status is now: NodeReady"
            client.record(posted, event_type="Normal", reason="NodeReady", message=text)

    def heartbeat(self, shape: NodeShape) -> None:
        """Renew the lease; post the status when somebody thinks that this node is lost."""
        try:
            self._renew(shape.name)
            node = self._client.find("nodes", "", shape.name)
            if node is None or not is_condition_true(node, "Ready"):
                self.report(shape)
        except StatusError as error:
            logger.warning("%s: lease not renewed: %s", shape.name, error)

    def _renew(self, name: str) -> None:
        spec = {
            "holderIdentity": name,
            "leaseDurationSeconds": self._config.timing.lease_duration_seconds,
            "renewTime": format_micro_time(self._clock.now()),
        }
        lease = self._client.find(LEASES, NODE_LEASE_NAMESPACE, name)
        if lease is None:
            meta = {"name": name, "namespace": NODE_LEASE_NAMESPACE}
            self._client.create(LEASES, {"metadata": meta, "spec": spec})
        else:
            self._client.update(LEASES, {**lease, "spec": spec})


def _machine() -> dict[str, str]:
    """Return what a node says of the machine that it is on."""
    architecture = platform.machine()
    return {
        "architecture": _ARCHITECTURES.get(architecture, architecture),
        "kernelVersion": platform.release(),
        "osImage": platform.system(),
        "operatingSystem": platform.system().lower(),
    }
