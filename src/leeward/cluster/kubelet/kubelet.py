"""One node: registers itself, says that it lives, and runs a worker for each of its Pods.

Source: pkg/kubelet/kubelet.go (syncLoop), pkg/kubelet/nodelease (Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import logging
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

from leeward.base.clock import Timer
from leeward.cluster.config import ClusterConfig, NodeShape
from leeward.cluster.interface.runtime import ContainerExit
from leeward.cluster.kubelet.nodestatus import node_object, node_status
from leeward.cluster.kubelet.podworker import Host, PodWorker
from leeward.kube.objects import Obj, format_micro_time, is_condition_true
from leeward.kube.status import StatusError
from leeward.kube.wellknown import NODE_LEASE_NAMESPACE

logger = logging.getLogger(__name__)
LEASES = "leases.coordination.k8s.io"


class Kubelet:
    """Runs one node.

    Args:
        host: what its Pods share.
        shape: where it is, and its capacities.
        config: of the cluster.
    """

    def __init__(self, host: Host, shape: NodeShape, config: ClusterConfig) -> None:
        self.node = host.node
        self._host = host
        self._shape = shape
        self._config = config
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, Timer] = {}
        self.powered = False

    def start(self) -> None:
        """Join the cluster and take up the Pods that are here."""
        self.powered = True
        self._register()
        self._report_node()
        self._heartbeat()
        for pod in self._host.client.pods_on(self.node):
            self.pod_changed(pod)

    async def stop(self) -> None:
        """End all containers; the API is not told, and Pods go on when the cluster comes back."""
        workers, tasks = list(self._workers.values()), list(self._tasks.values())
        self.power_off()
        await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in await asyncio.gather(*(worker.halt() for worker in workers), return_exceptions=True):
            if isinstance(outcome, Exception):
                logger.warning("%s: a container was not stopped in order: %s", self.node, outcome)

    def power_off(self) -> None:
        """Fall silent at once."""
        self.powered = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for worker in self._workers.values():
            worker.abandon()
        for task in self._tasks.values():
            task.cancel()
        self._workers.clear()
        self._tasks.clear()

    # Node ------------------------------------------------------------------------------------------

    def _register(self) -> None:
        client = self._host.client
        wanted = node_object(self._shape, self._config, machine())
        old = client.find("nodes", "", self.node)
        if old is None:
            client.create("nodes", wanted)
        else:
            labels = {**(old["metadata"].get("labels") or {}), **wanted["metadata"]["labels"]}
            client.update("nodes", {**old, "metadata": {**old["metadata"], "labels": labels}})

    def _report_node(self) -> None:
        """Post the node's status, and again after a while."""
        client, clock = self._host.client, self._host.clock
        node = client.find("nodes", "", self.node)
        if node is None:
            self._register()
            node = client.get("nodes", "", self.node)
        runtime = f"{self._host.runtime.name}://{self._host.runtime.version}"
        status = node_status(
            node,
            self._shape.group,
            address=self._host.host_ip,
            runtime=runtime,
            machine=machine(),
            now=clock.now(),
        )
        posted = client.update_status("nodes", {**node, "status": status})
        if not is_condition_true(node, "Ready"):
            client.record(
                posted,
                event_type="Normal",
                reason="NodeReady",
                message=f"Node {self.node} status is now: NodeReady",
            )
        self._later("status", self._config.timing.node_status_report_seconds, self._report_node)

    def _heartbeat(self) -> None:
        """Renew the lease; post the status when somebody thinks that this node is lost."""
        client, clock, timing = self._host.client, self._host.clock, self._config.timing
        spec = {
            "holderIdentity": self.node,
            "leaseDurationSeconds": timing.lease_duration_seconds,
            "renewTime": format_micro_time(clock.now()),
        }
        try:
            lease = client.find(LEASES, NODE_LEASE_NAMESPACE, self.node)
            if lease is None:
                client.create(
                    LEASES, {"metadata": {"name": self.node, "namespace": NODE_LEASE_NAMESPACE}, "spec": spec}
                )
            else:
                client.update(LEASES, {**lease, "spec": spec})
            node = client.find("nodes", "", self.node)
            if node is None or not is_condition_true(node, "Ready"):
                self._report_node()
        except StatusError as error:
            logger.warning("%s: lease not renewed: %s", self.node, error)
        self._later("lease", timing.lease_renew_seconds, self._heartbeat)

    def _later(self, name: str, seconds: float, work: Callable[[], None]) -> None:
        """Do `work` in a while, once, if the machine still has power."""

        def fire() -> None:
            if self.powered:
                work()

        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = self._host.clock.call_later(seconds, fire)

    # Pods ------------------------------------------------------------------------------------------

    def pod_changed(self, pod: Obj) -> None:
        """Take up a Pod of this node, or tell its worker."""
        if not self.powered:
            return
        uid = pod["metadata"]["uid"]
        worker = self._workers.get(uid)
        if worker is not None:
            if worker.pod["metadata"]["resourceVersion"] != pod["metadata"]["resourceVersion"]:
                worker.update(pod)
            return
        worker = self._workers[uid] = PodWorker(self._host, pod)
        self._tasks[uid] = asyncio.ensure_future(self._run(worker))

    async def _run(self, worker: PodWorker) -> None:
        try:
            await worker.run()
        except Exception:
            logger.exception("%s: the worker of Pod %s failed", self.node, worker.pod["metadata"]["name"])
        finally:
            if self._workers.get(worker.uid) is worker:
                del self._workers[worker.uid]
                self._tasks.pop(worker.uid, None)

    def pod_gone(self, pod: Obj) -> None:
        """The API has forgotten a Pod: end whatever is left of it, at once."""
        worker = self._workers.get(pod["metadata"]["uid"])
        if worker is not None:
            meta = {**pod["metadata"], "deletionGracePeriodSeconds": 0}
            meta.setdefault("deletionTimestamp", meta.get("creationTimestamp"))
            worker.update({**pod, "metadata": meta})
        self._remove_logs(pod)

    def _remove_logs(self, pod: Obj) -> None:
        meta = pod["metadata"]
        path = self._host.logs_dir / f"{meta['namespace']}_{meta['name']}_{meta['uid']}"
        self._host.clock.call_later(1.0, lambda: shutil.rmtree(path, ignore_errors=True))

    def container_exited(self, exit_: ContainerExit) -> None:
        """Tell the worker whose container it was."""
        for worker in self._workers.values():
            worker.exited(exit_)

    def sources_changed(self, namespace: str) -> None:
        """A ConfigMap, Secret or claim of `namespace` changed."""
        for worker in self._workers.values():
            if worker.pod["metadata"]["namespace"] == namespace:
                worker.refresh()

    @property
    def logs_dir(self) -> Path:
        """Where the output of containers is kept."""
        return self._host.logs_dir


def machine() -> dict[str, str]:
    """Return what a node says of the machine that it is on."""
    names = {"x86_64": "amd64", "aarch64": "arm64"}
    architecture = platform.machine()
    return {
        "architecture": names.get(architecture, architecture),
        "kernelVersion": platform.release(),
        "osImage": platform.system(),
        "operatingSystem": platform.system().lower(),
    }
