"""The node lifecycle controller: one key per node, woken when its lease would run out.

A healthy node costs one look per grace period: lease renewals themselves wake nobody.

Source: ``pkg/controller/nodelifecycle`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.controllers.nodelifecycle import plan
from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, ObjectKey, key_of
from leeward.kube.wellknown import NODE_LEASE_NAMESPACE

_LEASES = "leases.coordination.k8s.io"


class NodeLifecycleController:
    """Watches over nodes."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._timing = context.timing
        self._first_seen: dict[str, datetime] = {}  # by node uid
        self._names: dict[str, Obj] = {}  # the last state of every node judged
        self._ready: dict[str, tuple[str, bool]] = {}  # node name -> (zone, ready)
        self._lost_since: dict[str, float] = {}  # node name -> monotonic seconds
        self._next_eviction: dict[str, float] = {}  # zone -> monotonic seconds

    @property
    def resources(self) -> Collection[str]:
        return ("nodes",)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        key = key_of(event.object)
        before = self._ready.get(key.name)
        if event.type == "DELETED":
            self._ready.pop(key.name, None)
            return (key, *self._lost())
        ready = plan.ready_status(event.object) == "True"
        self._ready[key.name] = (plan.zone_of(event.object), ready)
        if before == self._ready[key.name]:
            return (key,)
        return dict.fromkeys((key, *self._lost()))

    def _lost(self) -> list[ObjectKey]:
        return [ObjectKey("", name) for name, (_, ready) in self._ready.items() if not ready]

    def sync(self, key: ObjectKey) -> float | None:
        """Judge one node; returns when to look again."""
        node = self._client.find("nodes", "", key.name)
        if node is None:
            self._forget(key.name)
            return None
        self._names[key.name] = node
        now = self._clock.now()
        if node["metadata"]["uid"] not in self._first_seen:
            self._first_seen[node["metadata"]["uid"]] = now
            self._event(node, "RegisteredNode", f"Registered Node {key.name} in Controller")
        lease = self._client.find(_LEASES, NODE_LEASE_NAMESPACE, key.name)
        heard = plan.last_sign_of_life(node, lease, self._first_seen[node["metadata"]["uid"]])
        left = (heard + timedelta(seconds=self._timing.node_monitor_grace_seconds) - now).total_seconds()
        was_ready = plan.ready_status(node) == "True"
        if left <= 0:
            marked = plan.mark_unknown(node, now)
            if marked != node:
                node = self._client.update_status("nodes", marked)
        if plan.ready_status(node) != "True":
            self._take_pods_out(node, now, announce=was_ready)
        wait = self._taint(node, now)
        return min(delay for delay in (wait, left if left > 0 else None, 60.0) if delay is not None)

    def _forget(self, name: str) -> None:
        node = self._names.pop(name, None)
        self._lost_since.pop(name, None)
        if node is not None:
            self._first_seen.pop(node["metadata"]["uid"], None)
            self._event(node, "RemovingNode", f"Removing Node {name} from Controller")

    def _event(self, node: Obj, reason: str, message: str) -> None:
        name = node["metadata"]["name"]
        self._client.record(node, event_type="Normal", reason=reason, message=f"Node {name} event: {message}")

    def _take_pods_out(self, node: Obj, now: datetime, *, announce: bool) -> None:
        name = node["metadata"]["name"]
        if announce:
            message = f"Node {name} status is now: NodeNotReady"
            self._client.record(node, event_type="Normal", reason="NodeNotReady", message=message)
        for pod in self._client.pods_on(name):
            marked = plan.mark_pod_not_ready(pod, now)
            if marked is not None:
                self._client.update_status("pods", marked)
                self._client.record(
                    pod, event_type="Warning", reason="NodeNotReady", message="Node is not ready"
                )

    def _taint(self, node: Obj, now: datetime) -> float | None:
        """Write taints and labels; returns seconds until an eviction that has to wait its turn."""
        no_execute, wait = self._may_evict(node)
        wanted = plan.with_taints(plan.with_labels(node), plan.wanted_no_schedule(node), no_execute, now)
        if wanted is not node:
            self._client.update("nodes", wanted)
        return wait

    def _may_evict(self, node: Obj) -> tuple[str | None, float | None]:
        """Return the NoExecute taint that may be there now, and the wait for one that may not yet."""
        wanted = plan.wanted_no_execute(node)
        zones: dict[str, list[bool]] = {}
        self._ready[node["metadata"]["name"]] = (
            plan.zone_of(node),
            plan.ready_status(node) == "True",
        )
        name, now = node["metadata"]["name"], self._clock.monotonic()
        if wanted is None:
            self._lost_since.pop(name, None)
            return None, None
        for zone, ready in self._ready.values():
            zones.setdefault(zone, []).append(ready)
        if plan.all_disrupted(zones):
            return None, None
        if any(plan.has_taint(node, key, "NoExecute") for key in plan.EVICTING_TAINTS):
            return wanted, None
        zone = plan.zone_of(node)
        # Nodes lost together are noticed one by one: judge their zone when all have been.
        settle = self._lost_since.setdefault(name, now) + self._timing.node_monitor_period_seconds - now
        if settle > 0:
            return None, settle
        rate = plan.eviction_rate(zone, zones, self._timing.node_eviction_rate)
        if rate <= 0:
            return None, None  # any node's change of readiness wakes this key
        wait = self._next_eviction.get(zone, now) - now
        if wait > 0:
            return None, wait
        self._next_eviction[zone] = now + 1 / rate
        return wanted, None


DESCRIPTOR = ControllerDescriptor(
    name="node-lifecycle-controller", build=NodeLifecycleController, component="node-controller"
)
