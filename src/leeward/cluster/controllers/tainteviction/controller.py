"""The taint eviction controller: one key per Pod on a node with NoExecute taints.

Source: ``pkg/controller/tainteviction`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.controllers.tainteviction.plan import deadline, no_execute_taints
from leeward.cluster.interface.client import Event
from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj, ObjectKey, is_condition_true, is_terminating, key_of


class TaintEvictionController:
    """Deletes Pods whose time on a tainted node is over."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._pending: dict[ObjectKey, tuple[str, datetime]] = {}  # Pod -> (uid, taints first seen)

    @property
    def resources(self) -> Collection[str]:
        return ("nodes", "pods")

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.resource == "pods":
            return self._keys_for_pod(event)
        before = no_execute_taints(event.previous) if event.previous else []
        if event.type == "DELETED" or no_execute_taints(event.object) == before:
            return ()
        return [key_of(pod) for pod in self._client.pods_on(event.object["metadata"]["name"])]

    def _keys_for_pod(self, event: Event) -> Iterable[ObjectKey]:
        pod, before = event.object, event.previous
        if event.type == "DELETED":
            self._pending.pop(key_of(pod), None)
            return ()
        same = before is not None and all(
            pod["spec"].get(name) == before["spec"].get(name) for name in ("nodeName", "tolerations")
        )
        if same or not pod["spec"].get("nodeName"):
            return ()
        key = key_of(pod)
        node = self._client.find("nodes", "", pod["spec"]["nodeName"])
        tainted = node is not None and no_execute_taints(node)
        return [key] if tainted or key in self._pending else ()

    def sync(self, key: ObjectKey) -> float | None:
        """Delete the Pod when it must go; returns the seconds until it must."""
        pod = self._client.find("pods", *key)
        if pod is None or (is_terminating(pod) and is_condition_true(pod, "DisruptionTarget")):
            self._pending.pop(key, None)
            return None
        node = self._client.find("nodes", "", pod["spec"].get("nodeName") or "")
        taints = no_execute_taints(node) if node else []
        if not taints:
            self._cancel(key, pod)
            return None
        now = self._clock.now()
        uid, seen = self._pending.get(key, ("", now))
        seen = seen if uid == pod["metadata"]["uid"] else now
        due = deadline(pod, taints, seen)
        if due is None:
            self._cancel(key, pod)
            return None
        if due > now:
            self._pending[key] = (pod["metadata"]["uid"], seen)
            return (due - now).total_seconds()
        self._pending.pop(key, None)
        self._evict(key, pod)
        return None

    def _cancel(self, key: ObjectKey, pod: Obj) -> None:
        if self._pending.pop(key, None) is not None:
            self._record(pod, f"Cancelling deletion of Pod {key}")

    def _record(self, pod: Obj, message: str) -> None:
        self._client.record(pod, event_type="Normal", reason="TaintManagerEviction", message=message)

    def _evict(self, key: ObjectKey, pod: Obj) -> None:
        self._record(pod, f"Marking for deletion Pod {key}")
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
        }
        self._client.update_status("pods", with_condition(pod, condition, self._clock.now()))
        self._client.delete("pods", *key, uid=pod["metadata"]["uid"])


DESCRIPTOR = ControllerDescriptor(name="taint-eviction-controller", build=TaintEvictionController)
