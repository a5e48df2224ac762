"""The Pod garbage collector: Pods that no kubelet will finish are removed by force.

These are Pods of nodes that no longer exist (after a quarantine), terminating Pods that never had a
node, and terminating Pods of nodes that are certainly dead: tainted out-of-service, or, in the
embedded cluster, without power, which stands for a cloud that has deleted the instance.

Source: ``pkg/controller/podgc/gc_controller.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.conditions import with_condition
from leeward.kube.objects import (
    Obj,
    ObjectKey,
    annotations_of,
    is_condition_true,
    is_terminating,
    key_of,
)
from leeward.kube.status import NotFoundError
from leeward.kube.wellknown import NODE_POWER

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
_FINISHED = ("Succeeded", "Failed")


def is_dead(node: Obj) -> bool:
    """Tell whether nothing can run on `node` any more, for certain."""
    if annotations_of(node).get(NODE_POWER) == "off":
        return True
    taints = (node.get("spec") or {}).get("taints") or ()
    return not is_condition_true(node, "Ready") and any(taint["key"] == OUT_OF_SERVICE for taint in taints)


class PodGCController:
    """Removes what is left of Pods.

    Keys are nodes (no namespace) or Pods without a node.
    """

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._quarantine = context.timing.node_monitor_grace_seconds  # upstream: 40 s
        self._missing: dict[str, float] = {}  # node -> monotonic seconds since when

    @property
    def resources(self) -> Collection[str]:
        return ("nodes", "pods")

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.resource == "nodes":
            if event.type != "DELETED" and not is_dead(event.object):
                return ()
            return [key_of(event.object)]
        pod, before = event.object, event.previous
        node = pod["spec"].get("nodeName")
        if event.type == "DELETED" or (before and is_terminating(before)):
            return ()
        if node:
            fresh = before is None or not before["spec"].get("nodeName")
            return [ObjectKey("", node)] if fresh or is_terminating(pod) else ()
        return [key_of(pod)] if is_terminating(pod) else ()

    def sync(self, key: ObjectKey) -> float | None:
        """Look at one node, or at one Pod without a node."""
        if key.namespace:
            pod = self._client.find("pods", *key)
            if pod is not None and is_terminating(pod) and not pod["spec"].get("nodeName"):
                self._remove(pod, None)
            return None
        node = self._client.find("nodes", "", key.name)
        if node is None:
            return self._collect_orphans(key.name)
        self._missing.pop(key.name, None)
        if is_dead(node):
            for pod in self._client.pods_on(key.name):
                if is_terminating(pod):
                    self._remove(pod, None)
        return None

    def _collect_orphans(self, node: str) -> float | None:
        pods = self._client.pods_on(node)
        if not pods:
            self._missing.pop(node, None)
            return None
        now = self._clock.monotonic()
        left = self._missing.setdefault(node, now) + self._quarantine - now
        if left > 0:
            return left
        for pod in pods:
            self._remove(pod, "PodGC: node no longer exists")
        self._missing.pop(node, None)
        return None

    def _remove(self, pod: Obj, disruption: str | None) -> None:
        status = pod.get("status") or {}
        if status.get("phase") not in _FINISHED:
            failed = {**pod, "status": {**status, "phase": "Failed"}}
            if disruption:
                condition = {
                    "type": "DisruptionTarget",
                    "status": "True",
                    "reason": "DeletionByPodGC",
                    "message": disruption,
                }
                failed = with_condition(failed, condition, self._clock.now())
            self._client.update_status("pods", failed)
        try:
            self._client.delete("pods", *key_of(pod), uid=pod["metadata"]["uid"], grace_period_seconds=0)
        except NotFoundError:
            return


DESCRIPTOR = ControllerDescriptor(name="pod-garbage-collector-controller", build=PodGCController)
