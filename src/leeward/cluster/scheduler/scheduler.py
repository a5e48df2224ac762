"""The scheduler: events in, bindings out, one Pod at a time.

Everything is synchronous: watch events update the cache and the queue, a timer of zero seconds runs
a bounded batch of cycles, and a binding is visible to the next cycle when it has been written.

Source: ``pkg/scheduler/schedule_one.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from leeward.base.clock import Clock, Timer
from leeward.cluster.interface.client import Client, Unsubscribe
from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler import preemption, status
from leeward.cluster.scheduler.announcements import Announcements
from leeward.cluster.scheduler.boards import Boards
from leeward.cluster.scheduler.cache import FINISHED, Cache
from leeward.cluster.scheduler.configuration import DEFAULT_SCHEDULER, ProfileConfiguration, build_profile
from leeward.cluster.scheduler.diagnosis import fit_error, truncate
from leeward.cluster.scheduler.framework import Cycle
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.podinfo import PodInfo, describe
from leeward.cluster.scheduler.profile import Feasibility, Prepared, Profile, feasible_nodes_to_find
from leeward.cluster.scheduler.queue import Queue, QueuedPod
from leeward.kube.objects import Obj, is_terminating, labels_of
from leeward.kube.status import NotFoundError, StatusError

BATCH = 20  # Pods per tick: a few milliseconds
_TIMED_OUT = 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'
_VOLUME_RESOURCES = (
    "persistentvolumes",
    "persistentvolumeclaims",
    "storageclasses.storage.k8s.io",
    "csinodes.storage.k8s.io",
)
_SELECTING = {  # what selects Pods that are spread by default, by kind
    "services": "Service",
    "replicationcontrollers": "ReplicationController",
    "replicasets.apps": "ReplicaSet",
    "statefulsets.apps": "StatefulSet",
}
_WATCHED = ("pods", "nodes", "namespaces", *_VOLUME_RESOURCES, *_SELECTING)

_log = logging.getLogger(__name__)


class Scheduler:
    """Places Pods.

    Args:
        client: reads and writes objects.
        clock: times back-off and ticks.
        profiles: how it decides, for each ``schedulerName`` it serves; by default as upstream.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        profiles: Sequence[ProfileConfiguration] = (ProfileConfiguration(),),
    ) -> None:
        self._client = client
        self._clock = clock
        self.cache = Cache()
        self.profiles = {found.scheduler_name: build_profile(found) for found in profiles}
        self._boards = {name: Boards(profile, self.cache, client) for name, profile in self.profiles.items()}
        self._start_at = 0  # the node with which the next search for a Pod of its own kind begins
        self.queue = Queue(clock, self._hint, self._wake)
        self._binding: dict[str, tuple[QueuedPod, NodeInfo]] = {}  # waits for volumes, by Pod uid
        self._announcements = Announcements(client, clock)
        self._tick: Timer | None = None
        self._unsubscribe: Unsubscribe | None = None

    def start(self) -> None:
        """Take stock of what is there and follow what happens."""
        self._unsubscribe = self._client.watch(_WATCHED, self._on_event)
        for node in self._client.list("nodes"):
            self.cache.set_node(node)
        for pod in self._client.list("pods"):
            self._on_pod(Event("ADDED", "pods", pod, None, 0))

    def stop(self) -> None:
        """Stop following and deciding; harmless when stopped."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        self.queue.close()
        self._announcements.close()

    def _profile(self, pod: PodInfo) -> Profile:
        return self.profiles[_scheduler_of(pod.pod)]

    def _hint(self, pod: PodInfo, rejected_by: Collection[str], event: Event) -> bool:
        return self._profile(pod).wakes(pod, rejected_by, event)

    # -- events: only take note

    def _wake(self) -> None:
        if self._tick is None:
            self._tick = self._clock.call_later(0, self._run_batch)

    def _on_event(self, event: Event) -> None:
        if event.resource == "pods":
            if event.type == "DELETED":
                self._on_pod_gone(event)
            else:
                self._on_pod(event)
        elif event.resource == "nodes":
            self._on_node(event)
        elif event.resource == "namespaces":
            if event.previous is None or labels_of(event.object) != labels_of(event.previous):
                self._forget_boards("")
        elif event.resource in _SELECTING:
            self._on_selector(event)
        else:
            self.queue.moved(event)
            if self._binding:
                self._wake()

    def _on_node(self, event: Event) -> None:
        if event.type == "DELETED":
            self.cache.remove_node(event.object["metadata"]["name"])
        elif event.previous is None or _differs(event.object, event.previous):
            self.cache.set_node(event.object)
        else:
            return
        self.queue.moved(event)

    def _on_selector(self, event: Event) -> None:
        """Pods that it selects are spread otherwise now."""
        new, old = event.object, event.previous
        if event.type == "MODIFIED" and old and new["spec"].get("selector") == old["spec"].get("selector"):
            return
        kind = _SELECTING[event.resource]
        owner = None if kind == "Service" else (kind, new["metadata"]["name"])
        self._forget_boards(new["metadata"]["namespace"], owner)

    def _forget_boards(self, namespace: str, owner: tuple[str, str] | None = None) -> None:
        for boards in self._boards.values():
            boards.forget(namespace, owner)

    def _on_pod_gone(self, event: Event) -> None:
        info = describe(event.object)
        self._binding.pop(info.uid, None)
        self.queue.remove(info.uid)
        nominated = info.uid in self.cache.nominations()
        self.cache.nominate(info, None)
        if self.cache.forget(info.uid) or nominated:
            self.queue.moved(event._replace(type="DELETED"))

    def _on_pod(self, event: Event) -> None:
        pod = event.object
        node = pod["spec"].get("nodeName")
        phase = (pod.get("status") or {}).get("phase")
        if phase in FINISHED or (is_terminating(pod) and not node):
            self._on_pod_gone(event)
        elif node:
            self._on_placed(event, node)
        elif _scheduler_of(pod) in self.profiles:
            self._on_pending(pod, event.previous)

    def _on_placed(self, event: Event, node: str) -> None:
        pod, previous = event.object, event.previous
        if previous is not None and previous["spec"].get("nodeName") and not _matters(pod, previous):
            if _started(pod) != _started(previous) and self.cache.holds(pod["metadata"]["uid"]):
                self.cache.place(describe(pod), node)  # preemption asks since when it runs
            return
        info = describe(pod)
        self._binding.pop(info.uid, None)
        self.queue.remove(info.uid)
        self.cache.place(info, node)
        fresh = previous is None or not previous["spec"].get("nodeName")
        self.queue.moved(event._replace(type="ADDED" if fresh else "MODIFIED"))

    def _on_pending(self, pod: Obj, previous: Obj | None) -> None:
        info = describe(pod)
        nominated = (pod.get("status") or {}).get("nominatedNodeName")
        if info.uid in self._binding:
            nominated = None  # it counts on its node already
        if nominated or info.uid in self.cache.nominations():
            self.cache.nominate(info, nominated)
        queued = self.queue.get(info.uid)
        if self._profile(info).pre_enqueue(info):
            if queued is None or queued.state != "held":
                self.queue.hold(info)
                self._wake_for_status(info)
            return
        if queued is None or queued.state == "held":
            self.queue.remove(info.uid)
            self.queue.add(info)
            return
        queued.info = info
        if previous is not None and _matters(pod, previous) and queued.state == "parked":
            self.queue.retry(queued)

    def _wake_for_status(self, info: PodInfo) -> None:
        self._clock.call_later(0, lambda: self._report_held(info))

    def _report_held(self, info: PodInfo) -> None:
        rejection = self._profile(info).pre_enqueue(info)
        if rejection is not None and self._unsubscribe is not None:
            status.set_unscheduled(
                self._client, self._clock, info.key, "SchedulingGated", rejection.reasons[0]
            )

    # -- cycles

    def _run_batch(self) -> None:
        self._tick = None
        with self._client.batch():
            for uid in list(self._binding):
                self._guard(*self._binding[uid], finish=True)
            for _ in range(BATCH):
                queued = self.queue.pop()
                if queued is None:
                    break
                self._guard(queued, None, finish=False)
        if self.queue.has_ready():
            self._wake()

    def _guard(self, queued: QueuedPod, node: NodeInfo | None, *, finish: bool) -> None:
        try:
            if finish and node is not None:
                self._finish(queued, node)
            else:
                self._attempt(queued)
        except NotFoundError:
            self._give_up(queued)
            if self._client.find("pods", *queued.info.key) is None:
                self.queue.remove(queued.info.uid)
        except StatusError as error:
            _log.warning("scheduling %s: %s", queued.info.key, error)
            self._give_up(queued)
        except Exception:  # noqa: BLE001 - worker-loop edge: one bad Pod must not stop the others
            _log.exception("scheduling %s", queued.info.key)
            self._give_up(queued)

    def _give_up(self, queued: QueuedPod) -> None:
        """Undo what was assumed and try again later."""
        if self._binding.pop(queued.info.uid, None) is not None or queued.state == "flight":
            if self.cache.forget(queued.info.uid):
                self.queue.moved(Event("DELETED", "pods", queued.info.pod, None, 0))
            self.queue.retry(queued)

    def _attempt(self, queued: QueuedPod) -> None:
        pod, profile = queued.info, self._profile(queued.info)
        cycle = self.cache.cycle(pod, self._client)
        board = None if self._has_rivals(pod) else self._boards[profile.name].get(pod)
        if board is not None:
            node = board.pick(pod)
            if node is None:
                self._fail(queued, cycle, board.explain())
                return
        else:
            found = self._search(profile, cycle)
            if not found.feasible:
                self._fail(queued, cycle, found)
                return
            node = profile.choose(cycle, found.feasible)
        prepared = [plugin.pre_bind(cycle, node, self._client) for plugin in profile.pre_binders]
        if all(prepared):
            self._bind(queued, node)
        else:
            self.cache.place(pod, node.name)
            self._binding[pod.uid] = (queued, node)
            timeout = max(plugin.bind_timeout for plugin in profile.pre_binders)
            self._clock.call_later(timeout, lambda: self._expire(queued, queued.attempts))
            status.nominate(self._client, pod.key, node.name)  # it will be there
            self._wake()

    def _expire(self, queued: QueuedPod, attempt: int) -> None:
        """Give up waiting for the volumes of a binding."""
        waiting = self._binding.get(queued.info.uid)
        if waiting is None or waiting[0] is not queued or queued.attempts != attempt:
            return
        self._give_up(queued)
        self._say_failed(queued.info, _TIMED_OUT)
        key = queued.info.key
        status.set_unscheduled(
            self._client, self._clock, key, "SchedulerError", _TIMED_OUT, nominated_node=""
        )

    def _has_rivals(self, pod: PodInfo) -> bool:
        """Tell whether nominations matter to a Pod: its own, or those for which it must leave room."""
        return any(
            uid == pod.uid or other.priority >= pod.priority
            for uid, (_, other) in self.cache.nominations().items()
        )

    def _try_nominated(self, profile: Profile, cycle: Cycle, prepared: Prepared) -> Feasibility | None:
        """A Pod others made way for is tried there first."""
        nomination = self.cache.nominations().get(cycle.pod.uid)
        node = cycle.nodes.get(nomination[0]) if nomination else None
        if node is None:
            return None
        found = profile.find_feasible(cycle, prepared, self.cache.nominated_on, (node,))
        return found if found.feasible else None

    def _search(self, profile: Profile, cycle: Cycle) -> Feasibility:
        """Look for enough feasible nodes; every search starts where the last one ended."""
        prepared = profile.prepare(cycle)
        if found := self._try_nominated(profile, cycle, prepared):
            return found
        nodes = list(cycle.nodes.values())
        start = self._start_at % len(nodes) if nodes else 0
        found = profile.find_feasible(
            cycle,
            prepared,
            self.cache.nominated_on,
            nodes[start:] + nodes[:start],
            feasible_nodes_to_find(len(nodes), profile.percentage),
        )
        if nodes:
            self._start_at = (start + len(found.feasible) + len(found.rejections)) % len(nodes)
        return found

    def _finish(self, queued: QueuedPod, node: NodeInfo) -> None:
        """Write a binding whose volumes are ready."""
        pod = queued.info
        states = [plugin.is_prepared(pod, node, self._client) for plugin in self._profile(pod).pre_binders]
        if None in states or node.name not in self.cache.nodes:
            self._give_up(queued)
        elif all(states):
            self._bind(queued, node)

    def _bind(self, queued: QueuedPod, node: NodeInfo) -> None:
        key = queued.info.key
        self._client.bind(key.namespace, key.name, node.name)
        if not self.cache.holds(queued.info.uid):
            self.cache.place(queued.info, node.name)  # its event is still to come
        self._binding.pop(queued.info.uid, None)
        self.queue.remove(queued.info.uid)
        self._announcements.add(queued.info, node.name)

    def _say_failed(self, info: PodInfo, message: str) -> None:
        self._client.record(
            info.pod,
            event_type="Warning",
            reason="FailedScheduling",
            message=truncate(message),
            action="Scheduling",
        )

    def _fail(self, queued: QueuedPod, cycle: Cycle, found: Feasibility) -> None:
        info = queued.info
        plan = preemption.Plan(None, keeps_nomination=bool(found.rejection))
        if cycle.nodes and not found.rejection:
            budgets = self._client.list("poddisruptionbudgets.policy")
            plan = preemption.plan(self._profile(info), cycle, found, budgets, self.cache.nominated_on)
        message = fit_error(len(cycle.nodes), found, plan.message, made_room=plan.candidate is not None)
        self.queue.park(queued, found.plugins())
        self._say_failed(info, message)
        node = plan.candidate.node if plan.candidate else None if plan.keeps_nomination else ""
        status.set_unscheduled(
            self._client, self._clock, info.key, "Unschedulable", message, nominated_node=node
        )
        if plan.candidate is not None:
            self._preempt(info, plan.candidate)

    def _preempt(self, info: PodInfo, candidate: preemption.Candidate) -> None:
        for _uid, (node, other) in list(self.cache.nominations().items()):
            if node == candidate.node and other.priority < info.priority:
                status.nominate(self._client, other.key, "")
        for victim in candidate.victims:
            if victim.terminating:
                continue
            status.mark_preempted(self._client, self._clock, victim.key, _scheduler_of(info.pod))
            self._client.record(
                victim.pod,
                event_type="Normal",
                reason="Preempted",
                message=f"Preempted by pod {info.uid} on node {candidate.node}",
                action="Preempting",
                related=info.pod,
            )
            self._client.delete("pods", victim.namespace, victim.key.name)


def _scheduler_of(pod: Obj) -> str:
    name: str = pod["spec"].get("schedulerName") or DEFAULT_SCHEDULER
    return name


def _differs(node: Obj, previous: Obj) -> bool:
    """Tell whether a node changed in a way that matters to placing Pods (heartbeats do not)."""
    if node.get("spec") != previous.get("spec"):
        return True
    if node["metadata"].get("labels") != previous["metadata"].get("labels"):
        return True
    status_now, status_then = node.get("status") or {}, previous.get("status") or {}
    parts = ("allocatable", "capacity", "images")
    return any(status_now.get(part) != status_then.get(part) for part in parts)


def _started(pod: Obj) -> str:
    return (pod.get("status") or {}).get("startTime") or ""


def _matters(pod: Obj, previous: Obj) -> bool:
    """Tell whether a Pod changed in a way that matters to placing Pods (its status does not)."""
    meta, before = pod["metadata"], previous["metadata"]
    return bool(
        pod["spec"] != previous["spec"]
        or meta.get("labels") != before.get("labels")
        or meta.get("deletionTimestamp") != before.get("deletionTimestamp")
    )
