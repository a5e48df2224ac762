"""A recorded case on the real registry and the real scheduler, in virtual time, bound as the recording says.

Who runs on nodes is played here: Pods that must go are gone at once, unless the case holds them.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.interface.store import Event
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.client import RegistryClient
from leeward.cluster.registry.registry import Registry
from leeward.cluster.scheduler.podinfo import describe
from leeward.cluster.scheduler.scheduler import Scheduler
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj, find_condition, format_time
from leeward.kube.resources import BUILT_IN

NAMESPACE = "case"
GO: Obj = {"op": "letVictimsGo"}  # what ends a case that holds them
_SETTLE_SECONDS = 4.0  # in which the recording waited for the effects of an operation
_BACKOFF_SECONDS = 1.0
_RESOURCES = {(row.api_version, row.kind): row for row in BUILT_IN}


class Diverted:
    """The scheduler's client: a binding goes where the recording has it, if that was as good."""

    def __init__(self, replay: Replay, client: RegistryClient) -> None:
        self._replay = replay
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def bind(self, namespace: str, pod: str, node: str) -> None:
        self._client.bind(namespace, pod, self._replay.decided(pod, node))


class Replay:
    """One case.

    Attributes:
        found: per Pod that was bound, what the scheduler found: ``feasible``, ``scores`` and ``choice``.
    """

    def __init__(self, case: Obj) -> None:
        self.case = json.loads(json.dumps(case).replace("<ns>", NAMESPACE))
        self.clock = VirtualClock()
        options = AdmissionOptions(disabled=("ServiceAccount",))
        registry = Registry(MemoryStore(), clock=self.clock, ids=SeededIds(1), options=options)
        bootstrap(registry, api_address="127.0.0.1", api_port=6443)
        self.client = registry.client("system:admin")
        self.client.create("namespaces", {"metadata": {"name": NAMESPACE}})
        self.found: dict[str, Obj] = {}
        self.victims: dict[str, Obj] = {}  # Pods that must go, as they were when told
        self._recorded: dict[str, str] = {}  # Pod -> node
        for node in self.case["nodes"]:
            self.add_node(node)
        self._uids = {obj["metadata"]["name"]: self._add(obj) for obj in self.case["objects"]}
        self._pods: list[str] = []
        for pod in self.case["existing"]:
            self._add_running(pod)
        self.scheduler = Scheduler(Diverted(self, self.client), self.clock)
        self.client.watch(["pods"], self._on_pod)
        self.scheduler.start()
        self.clock.advance(0)

    def _on_pod(self, event: Event) -> None:
        if event.type == "MODIFIED" and event.object["metadata"].get("deletionTimestamp"):
            self.victims.setdefault(event.object["metadata"]["name"], event.object)

    def add_node(self, node: Obj) -> None:
        """Make a node that is Ready."""
        made = self.client.create("nodes", {"metadata": node["metadata"], "spec": node.get("spec") or {}})
        # Nobody initializes nodes here: the taint that new ones get goes at once.
        made = self.client.update("nodes", {**made, "spec": node.get("spec") or {}})
        conditions = [{"type": "Ready", "status": "True"}]
        self.client.update_status("nodes", {**made, "status": {**node["status"], "conditions": conditions}})

    def _add(self, obj: Obj) -> str:
        row = _RESOURCES[obj["apiVersion"], obj["kind"]]
        meta = dict(obj["metadata"])
        if row.namespaced:
            meta.setdefault("namespace", NAMESPACE)
        made = self.client.create(row.name, {**obj, "metadata": meta})
        if obj.get("status"):
            made = self.client.update_status(row.name, {**made, "status": obj["status"]})
        uid: str = made["metadata"]["uid"]
        return uid

    def _pod(self, pod: Obj) -> Obj:
        meta = {"namespace": NAMESPACE, **pod["metadata"]}
        if owners := meta.get("ownerReferences"):
            meta["ownerReferences"] = [{**each, "uid": self._uids[each["name"]]} for each in owners]
        self._pods.append(meta["name"])
        return self.client.create("pods", {"metadata": meta, "spec": pod["spec"]})

    def _add_running(self, pod: Obj) -> None:
        made = self._pod(pod)
        started = self.clock.now() - timedelta(seconds=pod.get("startedSecondsAgo", 60))
        told = {"phase": pod.get("phase", "Running"), "startTime": format_time(started)}
        status = {**made["status"], **told}
        self.client.update_status("pods", {**made, "status": status})

    def decided(self, pod: str, choice: str) -> str:
        """Note what was decided; returns where the Pod is to go."""
        info = describe(self.client.get("pods", NAMESPACE, pod))
        cache, profile = self.scheduler.cache, self.scheduler.profiles["default-scheduler"]
        cache.forget(info.uid)
        cycle = cache.cycle(info, self.client)
        found = profile.find_feasible(cycle, profile.prepare(cycle), cache.nominated_on)
        table = profile.score(cycle, found.feasible)
        feasible = sorted(node.name for node in found.feasible)
        self.found[pod] = {"feasible": feasible, "scores": table, "choice": choice}
        cache.place(info, choice)
        return self._recorded.get(pod, choice)

    def state(self, pod: str) -> Obj:
        """Return a Pod as it is."""
        return self.client.get("pods", NAMESPACE, pod)

    def offer(self, pod: Obj, expected: Obj) -> Obj:
        """Create a Pod and let it be decided; returns its state then."""
        name = pod["metadata"]["name"]
        after = expected.get("after_victims_gone") or {}
        self._recorded |= expected.get("then_bound") or {}
        if node := expected.get("node") or after.get("node"):
            self._recorded[name] = node
        self._pod(pod)
        self.clock.advance(0)
        return self.state(name)

    def remove_victims(self) -> None:
        """Let Pods that must go be gone, and what waits for them happen."""
        for name in self.victims:
            if self.client.find("pods", NAMESPACE, name):
                self.client.delete("pods", NAMESPACE, name, grace_period_seconds=0)
        self.clock.advance(_SETTLE_SECONDS)

    def wait_for_backoff(self) -> None:
        """Let Pods be tried again that have just failed."""
        self.clock.advance(_BACKOFF_SECONDS)

    def do(self, operation: Obj, expected: Obj) -> None:
        """Carry out an operation and let things settle."""
        for name, found in expected["pods"].items():
            if found.get("node"):
                self._recorded[name] = found["node"]
        kind = operation.get("type", "merge")
        match operation["op"]:
            case "addNode":
                self.add_node(operation["node"])
            case "patchNode":
                self.client.patch("nodes", "", operation["node"], operation["patch"], patch_type=kind)
            case "patchPod":
                self.client.patch("pods", NAMESPACE, operation["pod"], operation["patch"], patch_type=kind)
            case "deletePod":
                self.client.delete("pods", NAMESPACE, operation["pod"], grace_period_seconds=0)
            case "letVictimsGo":
                self.remove_victims()
            case other:
                raise ValueError(f"a case has an operation of a kind unknown here: {other}")
        self.clock.advance(_SETTLE_SECONDS)

    def pods_per_node(self) -> dict[str, int]:
        """Count the Pods that are placed."""
        counts: dict[str, int] = {}
        for pod in self.client.list("pods"):
            node = pod["spec"].get("nodeName")
            if node and pod["metadata"]["namespace"] == NAMESPACE:
                counts[node] = counts.get(node, 0) + 1
        return counts


def outcome(pod: Obj) -> Obj:
    """Return what became of a Pod, as the recording has it."""
    if node := pod["spec"].get("nodeName"):
        return {"result": "bound", "node": node}
    condition = find_condition(pod, "PodScheduled")
    if condition is None:
        return {"result": "none"}
    told = {"result": "unschedulable", "reason": condition["reason"], "message": condition["message"]}
    nominated = pod["status"].get("nominatedNodeName")
    return {**told, "nominatedNode": nominated} if nominated else told
