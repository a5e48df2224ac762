"""The node lifecycle controller.

A node's own key follows its conditions: labels and NoSchedule taints, at once. Everything else is decided by
the monitor, whose passes come a monitor period apart, as upstream's do, but only when there is something to
see in them: a node changed, or may have fallen silent. Nodes that are lost get their NoExecute taint one
after another, as fast as their zone's state allows.

Invariant: while every node of every zone is lost, none is evicted: the fault is more likely ours than theirs.

Source: ``pkg/controller/nodelifecycle/node_lifecycle_controller.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from datetime import datetime

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.controllers.nodelifecycle import plan
from leeward.cluster.controllers.nodelifecycle.health import Deadlines
from leeward.cluster.controllers.nodelifecycle.plan import ZoneState
from leeward.cluster.controllers.nodelifecycle.taintqueue import TaintQueue
from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, ObjectKey
from leeward.kube.wellknown import NODE_LEASE_NAMESPACE

_LEASES = "leases.coordination.k8s.io"
EVICTION_PERIOD = 0.1  # seconds between looks at who is next
_AT_ONCE = 32  # nodes looked at before others have their turn
_SLACK = 1e-6  # of floating-point times
_MONITOR = ObjectKey("-", "monitor")  # no node has a namespace


class NodeLifecycleController:
    """Watches over nodes."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._timing = context.timing
        self._begin = context.clock.monotonic()
        self._planned: int | None = 0  # number of the next pass; None while there is nothing to see
        self._changed: dict[str, None] = {}  # nodes to look at in the next pass
        self._due: dict[str, None] = {}  # nodes still to look at in this pass
        self._known: dict[str, Obj] = {}  # by name, as last looked at
        self._first_seen: dict[str, datetime] = {}  # by uid
        self._deadlines = Deadlines()
        self._readiness: dict[str, tuple[str, bool]] = {}  # node → (zone, ready), of those that count
        self._judged: dict[str, tuple[str, bool]] = {}  # the same, when zones were judged
        self._states: dict[str, ZoneState] = {}
        self._queues: dict[str, TaintQueue] = {}  # by zone

    @property
    def resources(self) -> Collection[str]:
        return ("nodes",)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        name = event.object["metadata"]["name"]
        before = event.previous if event.type == "MODIFIED" and name in self._known else None
        if before is not None and plan.view_of(event.object) == plan.view_of(before):
            return ()
        self._changed[name] = None
        return (ObjectKey("", name), _MONITOR)

    def sync(self, key: ObjectKey) -> float | None:
        """Follow one node's conditions, or watch over all of them; returns when to do so again."""
        if key == _MONITOR:
            return self._monitor()
        node = self._client.find("nodes", "", key.name)
        if node is not None:
            wanted = plan.wanted_no_schedule(node)
            self._update(node, plan.with_no_schedule(plan.with_labels(node), wanted, self._clock.now()))
        return None

    def _update(self, node: Obj, new: Obj) -> Obj:
        return node if new is node else self._client.update("nodes", new)

    # -- the monitor

    def _monitor(self) -> float | None:
        """Evict, and make a pass if it is time; returns the seconds until there is something to do."""
        now, period = self._clock.monotonic() - self._begin, self._timing.node_monitor_period_seconds
        if not self._due:
            self._evict()
            self._plan(now)
            if self._planned is not None and self._planned * period <= now + _SLACK:
                self._planned = None
                silent = [n for n in self._deadlines.take(now + _SLACK) if not self._was_heard(n, now)]
                self._due = {**dict.fromkeys(silent), **self._changed}
                self._changed.clear()
        if self._due:
            self._pass(now)
            if self._due:
                return 0.0
        self._plan(now)
        waits = [] if self._planned is None else [max(self._planned * period - now, 0.0)]
        turns = (queue.wait(self._clock.monotonic()) for queue in self._queues.values())
        waits.extend(max(wait, EVICTION_PERIOD) for wait in turns if wait is not None)
        return min(waits, default=None)

    def _was_heard(self, name: str, now: float) -> bool:
        """Tell whether a node was heard of lately: then it is not looked at, but later."""
        node = self._client.find("nodes", "", name)
        known = self._known.get(name)
        if node is None or known is None or node["metadata"]["uid"] != known["metadata"]["uid"]:
            return False
        left = self._seconds_left(node, self._clock.now())
        if left > _SLACK:
            self._deadlines.set(name, now + left)
        return left > _SLACK

    def _plan(self, now: float) -> None:
        """Plan the next pass."""
        period, first = self._timing.node_monitor_period_seconds, self._deadlines.first()
        plans = [] if self._planned is None else [self._planned]
        if self._changed:
            plans.append(math.floor(now / period + _SLACK) + 1)
        if first is not None:
            plans.append(math.ceil(first / period - _SLACK))
        self._planned = min(plans, default=None)

    def _pass(self, now: float) -> None:
        """Look at some of the nodes that are due; one that failed stays so. Zones are judged at the end."""
        for name in list(self._due)[:_AT_ONCE]:
            node = self._client.find("nodes", "", name)
            old = self._known.get(name)
            if old is not None and (node is None or node["metadata"]["uid"] != old["metadata"]["uid"]):
                self._forget(old)
            if node is not None:
                self._known[name] = self._look_at(node, now)
            del self._due[name]
            self._changed.pop(name, None)  # by what was just written
        if not self._due and self._readiness != self._judged:
            self._judged = dict(self._readiness)
            self._judge_zones()

    def _forget(self, node: Obj) -> None:
        name = node["metadata"]["name"]
        del self._known[name]
        self._first_seen.pop(node["metadata"]["uid"], None)
        self._deadlines.forget(name)
        self._readiness.pop(name, None)
        self._queue_of(node).remove(name)
        self._event(node, "RemovingNode", f"Removing Node {name} from Controller")

    def _event(self, node: Obj, reason: str, message: str) -> None:
        name = node["metadata"]["name"]
        self._client.record(node, event_type="Normal", reason=reason, message=f"Node {name} event: {message}")

    def _look_at(self, node: Obj, now: float) -> Obj:
        """Judge one node; returns it as it is then."""
        name, uid, moment = node["metadata"]["name"], node["metadata"]["uid"], self._clock.now()
        if uid not in self._first_seen:
            self._first_seen[uid] = moment
            self._event(node, "RegisteredNode", f"Registered Node {name} in Controller")
        was_ready = plan.ready_status(node) == "True"
        left = self._seconds_left(node, moment)
        if left <= _SLACK:
            marked = plan.mark_unknown(node, moment)
            node = node if marked == node else self._client.update_status("nodes", marked)
        else:
            self._deadlines.set(name, now + left)
        ready = plan.ready_status(node) == "True"
        if plan.is_counted(node):
            self._readiness[name] = (plan.zone_of(node), ready)
        else:
            self._readiness.pop(name, None)
        node = self._ask_for_eviction(node, moment)
        if was_ready and not ready:
            self._take_pods_out(node, moment)
        return node

    def _seconds_left(self, node: Obj, moment: datetime) -> float:
        """Return how long the node may be silent yet; what it sent counts from the pass that saw it."""
        lease = self._client.find(_LEASES, NODE_LEASE_NAMESPACE, node["metadata"]["name"])
        heard = plan.last_sign_of_life(node, lease, self._first_seen[node["metadata"]["uid"]])
        ago = (moment - heard).total_seconds()
        period, elapsed = self._timing.node_monitor_period_seconds, self._clock.monotonic() - self._begin
        seen = math.ceil((elapsed - ago) / period - _SLACK) * period
        never = plan.ready_status(node) == ""
        grace = self._timing.node_startup_grace_seconds if never else self._timing.node_monitor_grace_seconds
        return seen + grace - elapsed

    def _ask_for_eviction(self, node: Obj, moment: datetime) -> Obj:
        """Let a lost node wait for its taint, or take it from one that is well."""
        wanted, have = plan.wanted_no_execute(node), plan.evicting_taints(node)
        name, queue = node["metadata"]["name"], self._queue_of(node)
        if wanted is not None and not have:
            queue.add(name)
            return node
        queue.remove(name)
        return self._update(node, plan.with_no_execute(node, wanted, moment))

    def _take_pods_out(self, node: Obj, now: datetime) -> None:
        """Say that the Pods of a silent node are not ready; a kubelet that is there does so itself."""
        name = node["metadata"]["name"]
        message = f"Node {name} status is now: NodeNotReady"
        self._client.record(node, event_type="Normal", reason="NodeNotReady", message=message)
        for pod in self._client.pods_on(name):
            marked = plan.mark_pod_not_ready(pod, now)
            if marked is not None:
                self._client.update_status("pods", marked)
                self._client.record(
                    pod, event_type="Warning", reason="NodeNotReady", message="Node is not ready"
                )

    # -- zones

    def _queue_of(self, node: Obj) -> TaintQueue:
        zone = plan.zone_of(node)
        if zone not in self._queues:
            self._queues[zone] = TaintQueue(self._timing.node_eviction_rate, self._clock.monotonic())
        return self._queues[zone]

    def _judge_zones(self) -> None:
        """Set how fast each zone is evicted; when all of them are lost, nothing is."""
        zones: dict[str, list[bool]] = {}
        for zone, ready in self._readiness.values():
            zones.setdefault(zone, []).append(ready)
        states = {zone: plan.zone_state(ready) for zone, ready in zones.items()}
        was_lost, is_lost = (_all_lost(found) for found in (self._states, states))
        self._states = states
        if is_lost and not was_lost:
            for node in self._client.list("nodes"):
                self._queue_of(node).remove(node["metadata"]["name"])
                self._update(node, plan.with_no_execute(node, None, self._clock.now()))
        elif was_lost and not is_lost:
            self._changed.update(dict.fromkeys(self._known))
        normal, now = self._timing.node_eviction_rate, self._clock.monotonic()
        for zone, queue in self._queues.items():
            size = len(zones.get(zone, ()))
            state = states.get(zone, ZoneState.NORMAL)
            queue.set_rate(0.0 if is_lost else plan.eviction_rate(state, size, normal), now)

    def _evict(self) -> None:
        """Taint the nodes whose turn it is."""
        now = self._clock.monotonic()
        for queue in self._queues.values():
            for name in list(queue.take(now)):
                node = self._client.find("nodes", "", name)
                wanted = plan.wanted_no_execute(node) if node else None
                if node is not None and wanted is not None:
                    self._update(node, plan.with_no_execute(node, wanted, self._clock.now()))


def _all_lost(states: dict[str, ZoneState]) -> bool:
    return bool(states) and all(state is ZoneState.FULL for state in states.values())


DESCRIPTOR = ControllerDescriptor(
    name="node-lifecycle-controller", build=NodeLifecycleController, component="node-controller"
)
