"""The Pod garbage collector: Pods that no kubelet will finish are removed by force.

These are Pods of nodes that no longer exist (after a quarantine), terminating Pods that never had a
node, terminating Pods of nodes that are certainly dead: tainted out-of-service, or, in the
embedded cluster, without power, which stands for a cloud that has deleted the instance, and the oldest of
too many that have ended.

Source: ``pkg/controller/podgc/gc_controller.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.conditions import with_condition
from leeward.kube.nodes import is_without_power
from leeward.kube.objects import (
    Obj,
    ObjectKey,
    is_condition_true,
    is_terminating,
    key_of,
)
from leeward.kube.pods import is_finished
from leeward.kube.status import NotFoundError

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
MOST_ENDED = 12500  # Pods; upstream's --terminated-pod-gc-threshold
_ENDED = ObjectKey("-", "ended")


def _by_age(pod: Obj) -> tuple[bool, str, str]:
    evicted = (pod.get("status") or {}).get("reason") == "Evicted"
    meta = pod["metadata"]
    return not evicted, meta.get("creationTimestamp") or "", meta["name"]


def is_dead(node: Obj) -> bool:
    """Tell whether nothing can run on `node` any more, for certain."""
    if is_without_power(node):
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
        self._ended: dict[ObjectKey, None] = {}  # Pods
        self._missing: dict[str, float] = {}  # node -> monotonic seconds since when

    @property
    def resources(self) -> Collection[str]:
        return ("nodes", "pods")

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.resource == "nodes":
            if event.type != "DELETED" and not is_dead(event.object):
                return ()
            return [key_of(event.object)]
        return self._keys_for_pod(event)

    def _keys_for_pod(self, event: Event) -> Iterable[ObjectKey]:
        pod, before = event.object, event.previous
        if event.type == "DELETED":
            self._ended.pop(key_of(pod), None)
            return ()
        keys: list[ObjectKey] = []
        if is_terminating(pod):
            self._ended.pop(key_of(pod), None)
        elif is_finished(pod):
            self._ended[key_of(pod)] = None
            keys += [_ENDED] if len(self._ended) > MOST_ENDED else []
        if before is not None and is_terminating(before):
            return keys
        name = pod["spec"].get("nodeName")
        if not name:
            return [*keys, key_of(pod)] if is_terminating(pod) else keys
        if is_terminating(pod) or before is None or not before["spec"].get("nodeName"):
            node = self._client.find("nodes", "", name)
            if node is None or (is_terminating(pod) and is_dead(node)):
                keys.append(ObjectKey("", name))
        return keys

    def sync(self, key: ObjectKey) -> float | None:
        """Look at one node, at one Pod without a node, or at all that have ended."""
        if key == _ENDED:
            self._remove_oldest()
            return None
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

    def _remove_oldest(self) -> None:
        """Remove as many Pods that have ended as are too many: evicted ones first, then the oldest."""
        surplus = len(self._ended) - MOST_ENDED
        found = [pod for key in self._ended if (pod := self._client.find("pods", *key)) is not None]
        for pod in sorted(found, key=_by_age)[: max(surplus, 0)]:
            self._remove(pod, None)

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
        if not is_finished(pod):
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
