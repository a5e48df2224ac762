"""One node: registers itself, says that it lives, and runs a worker for each of its Pods.

Source: pkg/kubelet/kubelet.go (syncLoop; Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from leeward.base.clock import Timer
from leeward.cluster.config import ClusterConfig, NodeShape
from leeward.cluster.interface.runtime import ContainerExit
from leeward.cluster.kubelet.podworker import Host, PodWorker
from leeward.cluster.kubelet.registration import Registration
from leeward.kube.objects import Obj

logger = logging.getLogger(__name__)


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
        runtime = f"{host.runtime.name}://{host.runtime.version}"
        self._registration = Registration(
            host.client, host.clock, config, address=host.host_ip, runtime=runtime
        )
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, Timer] = {}
        self.powered = False

    def start(self) -> None:
        """Join the cluster and take up the Pods that are here."""
        self.powered = True
        self._registration.join(self._shape)
        self._later("status", self._config.timing.node_status_report_seconds, self._report)
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

    def _report(self) -> None:
        """Post the node's status now and then, whatever happens."""
        self._registration.report(self._shape)
        self._later("status", self._config.timing.node_status_report_seconds, self._report)

    def _heartbeat(self) -> None:
        self._registration.heartbeat(self._shape)
        self._later("lease", self._config.timing.lease_renew_seconds, self._heartbeat)

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
