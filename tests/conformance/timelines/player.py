"""Plays the steps of a case on a world and returns its timeline.

Source: the README of the recorded timelines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from leeward.kube.objects import Obj, find_condition, labels_of
from leeward.kube.resources import BUILT_IN
from leeward.kube.selectors import matches_labels
from leeward.kube.status import StatusError
from tests.conformance.timelines.kubectl import Shell, run_kubectl
from tests.conformance.timelines.projection import Names, shape_of
from tests.conformance.timelines.recorder import Recorder, Timeline
from tests.conformance.timelines.world import NAMESPACE, REGION, World, make_node

REQUEST_SECONDS = 0.02  # how long a request takes, about
POLL_SECONDS = 0.1
_GRACE_SECONDS, _LEASE_SECONDS = 52.5, 10.0
_RESOURCES = {row.kind: row for row in reversed(BUILT_IN)}


def play(case: Mapping[str, Any]) -> Timeline:
    """Return what happens here when the steps of a case are played."""
    world = World(case.get("nodes"), _second(case), _heartbeat(case))
    shape = shape_of(case)
    nodes = [each["metadata"]["name"] for each in world.client.list("nodes")]
    zones = [f"{REGION}{letter}" for letter in "abc"]
    names = Names(*(((), ()) if shape.of_nodes else (nodes, zones)))
    recorder = Recorder(world, shape, names)
    world.open_namespace()
    recorder.start()
    return Player(world, recorder, names).play(case["steps"])


def _second(case: Mapping[str, Any]) -> float:
    """Return at which second of a minute a case began: its first Job by schedule came with a full minute."""
    due = [
        rows[0]["t"] for key, rows in case["series"].items() if key.endswith("-<T+0>") and key[:4] == "Job/"
    ]
    return (60.0 - due[0]) % 60.0 + 0.02 if due else 0.0


def _heartbeat(case: Mapping[str, Any]) -> float:
    """Return when leases are renewed: a node is called lost at the end of its grace period."""
    lost = [
        row["t"]
        for key, rows in case["series"].items()
        for row in rows
        if key.startswith("Node/") and any(each["status"] == "Unknown" for each in row.get("ready") or ())
    ]
    stopped = [row["t"] for row in case["results"] if "stopNodes" in case["steps"][row["step"]]]
    last = min(min(lost) - _GRACE_SECONDS, *(each - 1.0 for each in stopped)) if lost else 0.0
    return float(last % _LEASE_SECONDS)


class Player:
    """Plays steps one after another."""

    def __init__(self, world: World, recorder: Recorder, names: Names) -> None:
        self._world = world
        self._client = world.client
        self._recorder = recorder
        self._names = names
        self._timeline = Timeline()

    def play(self, steps: list[Obj]) -> Timeline:
        for number, step in enumerate(steps):
            ((kind, given),) = step.items()
            result: Obj = {"step": number, "t": self._recorder.seconds}
            operation: Callable[[Any], Obj | None] = getattr(self, f"_do_{kind}")
            try:
                result |= operation(given) or {}
            except StatusError as error:
                result |= _told(error)
            self._timeline.results.append(self._names.hide(result))
            last = number == len(steps) - 1
            if kind in ("checkpoint", "settle") or last:
                objects = self._recorder.look()
                self._timeline.checkpoints.append({"after_step": number, "objects": objects})
        self._timeline.series = self._recorder.series()
        self._timeline.events = self._recorder.events()
        self._timeline.pod_totals = self._recorder.totals()
        return self._timeline

    def _request(self) -> None:
        self._world.clock.advance(REQUEST_SECONDS)

    def _name(self, given: Mapping[str, Any]) -> str:
        """Return the name of the object that a step means."""
        if "select" not in given:
            return str(given.get("name") or NAMESPACE)
        wanted = dict(part.split("=", 1) for part in given["select"].split(","))
        fitting = [
            pod
            for pod in self._recorder.live("Pod")
            if matches_labels(wanted, labels_of(pod)) and not self._is_known_to_end(pod)
        ]
        if "node" in given:
            fitting = [pod for pod in fitting if pod["spec"].get("nodeName") == given["node"]]
        return str(fitting[given.get("index", 0)]["metadata"]["name"])

    def _is_known_to_end(self, pod: Obj) -> bool:
        """Tell whether who recorded knew that a Pod was deleted: not when the step before did it."""
        asked = self._recorder.deleted.get(pod["metadata"]["uid"])
        return asked is not None and self._recorder.seconds - asked > 2 * REQUEST_SECONDS

    def _place(self, given: Mapping[str, Any]) -> tuple[str, str, str]:
        """Return resource, namespace and name of what a step means."""
        row = _RESOURCES[given.get("kind", "Pod")]
        return row.name, NAMESPACE if row.namespaced else "", self._name(given)

    # Requests ---------------------------------------------------------------------------------------

    def _do_create(self, obj: Obj) -> None:
        row = _RESOURCES[obj["kind"]]
        meta = {**obj["metadata"], **({"namespace": NAMESPACE} if row.namespaced else {})}
        if meta.get("ownerReferences"):
            meta["ownerReferences"] = [self._completed(each) for each in meta["ownerReferences"]]
        self._client.create(row.name, {**obj, "metadata": meta})  # the next is made before controllers act

    def _completed(self, reference: Obj) -> Obj:
        if reference.get("uid"):
            return reference
        owner = self._client.get(_RESOURCES[reference["kind"]].name, NAMESPACE, reference["name"])
        return {**reference, "uid": owner["metadata"]["uid"]}

    def _do_patch(self, given: Obj) -> None:
        kind = given.get("type", "merge")
        sub = given.get("sub") or ""
        try:
            self._client.patch(*self._place(given), given["body"], patch_type=kind, subresource=sub)
        finally:
            self._request()

    def _do_delete(self, given: Obj) -> None:
        try:
            self._client.delete(
                *self._place(given),
                propagation=given.get("propagation"),
                grace_period_seconds=given.get("grace"),
            )
        finally:
            self._request()

    def _do_evict(self, given: Obj) -> None:
        try:
            self._client.evict(NAMESPACE, self._name(given))
        finally:
            self._request()

    def _do_kubectl(self, arguments: list[str]) -> Obj:
        shell = Shell(self._client, self._world.clock.advance)
        output = run_kubectl(shell, [NAMESPACE if each == "$NS" else each for each in arguments])
        self._request()
        return {"rc": 0, "stderr": "", **output}

    # Waiting ----------------------------------------------------------------------------------------

    def _do_sleep(self, seconds: float) -> None:
        self._world.clock.advance(seconds)

    def _do_settle(self, given: Obj) -> Obj | None:
        clock, begin = self._world.clock, self._world.clock.monotonic()
        while clock.monotonic() - max(begin, self._recorder.changed) < given["quiet"]:
            if clock.monotonic() - begin >= given["timeout"]:
                return {"timeout": True}
            clock.advance(POLL_SECONDS)
        return None

    def _do_wait(self, given: Obj) -> Obj | None:
        begin = self._world.clock.monotonic()
        while not self._is_so(given):
            if self._world.clock.monotonic() - begin >= given["timeout"]:
                return {"timeout": True}
            self._world.clock.advance(POLL_SECONDS)
        return None

    def _is_so(self, given: Obj) -> bool:
        found = self._client.find(*self._place(given))
        if given.get("gone"):
            return found is None
        if found is None:
            return False
        if "condition" in given:
            return (find_condition(found, given["condition"]) or {}).get("status") == "True"
        if "reason" in given:
            return any(
                each.get("reason") == given["reason"] for each in found["status"].get("conditions") or ()
            )
        value: Any = found
        for part in given["path"].strip(".").split("."):
            value = (value or {}).get(part)
        return bool(value == given["equals"])

    def _do_checkpoint(self, title: str) -> None:
        """It is taken after every such step."""

    # Nodes, Pods, metrics ---------------------------------------------------------------------------

    def _do_addNode(self, given: Obj) -> None:  # noqa: N802 - as the steps are called
        self._world.kubelets.add(make_node(**given))
        self._world.clock.advance(10 * REQUEST_SECONDS)

    def _do_removeNode(self, name: str) -> None:  # noqa: N802
        self._world.kubelets.remove(name)
        self._request()

    def _do_stopNodes(self, names: list[str]) -> None:  # noqa: N802
        self._world.kubelets.stop_nodes(names)

    def _do_resumeNodes(self, names: list[str]) -> None:  # noqa: N802
        self._world.kubelets.resume_nodes(names)

    def _do_nodeReady(self, given: Obj) -> None:  # noqa: N802
        self._world.kubelets.set_node_ready(given["name"], given["status"])
        self._request()

    def _do_ready(self, given: Obj) -> None:
        pod = self._client.get("pods", NAMESPACE, self._name(given))
        self._world.kubelets.set_pod_ready(pod, ready=given["value"])
        self._request()

    def _do_usage(self, given: Obj) -> None:
        self._world.meter.millis, self._world.meter.mode = given["cpu"], given["mode"]


def _told(error: StatusError) -> Obj:
    found = {"code": error.code, "message": error.message, "reason": error.reason or None}
    causes = (error.details or {}).get("causes")
    return {**found, "causes": causes} if causes else found
