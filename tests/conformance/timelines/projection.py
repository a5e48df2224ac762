"""Objects reduced to the fields that the timelines have, and names to numbers.

What a generated name ends in becomes ``<1>``, ``<2>``, … in the order of appearance, that of a CronJob's Job
``<T+k>``, k minutes after its first one; times, ids and addresses are left out.

Source: the README of the recorded timelines.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from leeward.kube.objects import Obj, is_condition_true, is_terminating, key_of
from tests.conformance.timelines.world import NAMESPACE

IGNORED = ("kube-root-ca.crt", "openshift-service-ca.crt")  # ConfigMaps that every namespace has
NODES = "node-lifecycle"  # the group in which nodes are the point
_ANNOTATIONS = re.compile(
    r"deployment\.kubernetes\.io/|batch\.kubernetes\.io/job-completion-index|deprecated\.daemonset\."
)
_SLICE_LABELS = ("endpointslice.kubernetes.io/managed-by", "kubernetes.io/service-name")
_CONDITION = ("message", "reason", "status", "type")


def _conditions(found: Iterable[Obj]) -> list[Obj]:
    rows = [{key: each.get(key, "") for key in _CONDITION} for each in found]
    return sorted(rows, key=lambda row: str(row["type"]))


def _status(obj: Obj, *left_out: str) -> Obj:
    status = obj.get("status") or {}
    return {key: value for key, value in status.items() if key not in ("conditions", *left_out)}


def _status_conditions(obj: Obj) -> list[Obj]:
    return _conditions((obj.get("status") or {}).get("conditions") or ())


def _image(obj: Obj) -> str:
    image: str = obj["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def _workload(obj: Obj) -> Obj:
    found = {
        "generation": obj["metadata"]["generation"],
        "image": _image(obj),
        "replicas": obj["spec"].get("replicas"),
        "status": _status(obj),
    }
    return {key: value for key, value in found.items() if value is not None}


def _deployment(obj: Obj) -> Obj:
    return {**_workload(obj), "conditions": _status_conditions(obj)}


def _replica_set(obj: Obj) -> Obj:
    found = {
        "image": _image(obj),
        "observed": obj["metadata"]["generation"] == (obj.get("status") or {}).get("observedGeneration"),
        "replicas": obj["spec"].get("replicas"),
        "status": _status(obj, "observedGeneration"),
    }
    conditions = _status_conditions(obj)
    return {**found, "conditions": conditions} if conditions else found


def _container(status: Obj) -> Obj:
    ((state, about),) = status["state"].items()
    found = {"restartCount": status["restartCount"], "state": state}
    return {**found, "exitCode": about["exitCode"]} if state == "terminated" else found


def _pod(obj: Obj) -> Obj:
    status = obj.get("status") or {}
    conditions = status.get("conditions") or ()
    found = {
        "image": obj["spec"]["containers"][0]["image"],
        "labels": obj["metadata"].get("labels"),
        "phase": status.get("phase"),
        "ready": next((each["status"] for each in conditions if each["type"] == "Ready"), None),
        "scheduled": bool(obj["spec"].get("nodeName")),
        "node": obj["spec"].get("nodeName"),
    }
    if found["labels"]:  # without the ids of Jobs
        found["labels"] = {k: v for k, v in found["labels"].items() if not k.endswith("controller-uid")}
    told = [
        each
        for each in conditions
        if each["type"] == "DisruptionTarget"
        or (each["type"] == "PodScheduled" and each["status"] == "False")
    ]
    if told:
        found["conditions"] = _conditions(told)
    if status.get("reason"):
        found["reason"] = status["reason"]
    if status.get("containerStatuses"):
        found["container"] = _container(status["containerStatuses"][0])
    return {key: value for key, value in found.items() if key != "labels" or value}


def _job(obj: Obj) -> Obj:
    spec, status = obj["spec"], obj.get("status") or {}
    found = {
        "backoffLimit": spec.get("backoffLimit"),
        "completed": bool(status.get("completionTime")),
        "completionMode": spec.get("completionMode"),
        "completions": spec.get("completions"),
        "conditions": _status_conditions(obj),
        "generation": obj["metadata"]["generation"],
        "parallelism": spec.get("parallelism"),
        "started": bool(status.get("startTime")),
        "status": _status(obj, "startTime", "completionTime", "uncountedTerminatedPods"),
        "suspend": spec.get("suspend"),
    }
    waiting = {
        kind: len(uids) for kind, uids in (status.get("uncountedTerminatedPods") or {}).items() if uids
    }
    if waiting:
        found["uncounted"] = waiting
    return {key: value for key, value in found.items() if value is not None}


def _cron_job(obj: Obj) -> Obj:
    spec, status = obj["spec"], obj.get("status") or {}
    return {
        "active": [each["name"] for each in status.get("active") or ()],
        "concurrencyPolicy": spec.get("concurrencyPolicy"),
        "generation": obj["metadata"]["generation"],
        "schedule": spec["schedule"],
        "scheduledOnce": bool(status.get("lastScheduleTime")),
        "succeededOnce": bool(status.get("lastSuccessfulTime")),
        "suspend": spec.get("suspend"),
    }


def _namespace(obj: Obj) -> Obj:
    return {
        "conditions": _status_conditions(obj),
        "phase": obj["status"]["phase"],
        "specFinalizers": obj["spec"].get("finalizers") or [],
    }


def _slice(obj: Obj) -> Obj:
    labels = obj["metadata"].get("labels") or {}
    return {
        "endpoints": sorted(
            (
                {"conditions": each["conditions"], "target": (each.get("targetRef") or {}).get("name")}
                for each in obj.get("endpoints") or ()
            ),
            key=json.dumps,
        ),
        "labels": {key: labels[key] for key in _SLICE_LABELS if key in labels},
        "ports": obj.get("ports") or [],
    }


def _autoscaler(obj: Obj) -> Obj:
    status = obj.get("status") or {}
    current = [
        {"name": each["resource"]["name"], **each["resource"]["current"]}
        for each in status.get("currentMetrics") or ()
        if "resource" in each
    ]
    return {
        "conditions": _status_conditions(obj),
        "current": current,
        "currentReplicas": status.get("currentReplicas"),
        "desiredReplicas": status.get("desiredReplicas", 0),
        "maxReplicas": obj["spec"]["maxReplicas"],
        "minReplicas": obj["spec"].get("minReplicas"),
    }


def _node(obj: Obj) -> Obj:
    ready = [each for each in obj["status"].get("conditions") or () if each["type"] == "Ready"]
    taints = [f"{t['key']}={t.get('value', '')}:{t['effect']}" for t in obj["spec"].get("taints") or ()]
    return {
        "ready": [{key: each.get(key) for key in ("message", "reason", "status")} for each in ready],
        "taints": sorted(taints),
        "unschedulable": bool(obj["spec"].get("unschedulable")),
    }


def _budget(obj: Obj) -> Obj:
    spec = {key: obj["spec"][key] for key in ("minAvailable", "maxUnavailable") if key in obj["spec"]}
    disrupted = sorted((obj.get("status") or {}).get("disruptedPods") or ())
    return {
        "conditions": _status_conditions(obj),
        "generation": obj["metadata"]["generation"],
        "status": _status(obj, "disruptedPods"),
        **spec,
        **({"disruptedPods": disrupted} if disrupted else {}),
    }


def _quota(obj: Obj) -> Obj:
    status = obj.get("status") or {}
    return {"hard": status.get("hard") or {}, "used": status.get("used") or {}}


def _claim(obj: Obj) -> Obj:
    return {"phase": obj["status"].get("phase")}


_PROJECTIONS: dict[str, Callable[[Obj], Obj]] = {
    "ConfigMap": lambda obj: {},
    "ControllerRevision": lambda obj: {"revision": obj["revision"]},
    "CronJob": _cron_job,
    "DaemonSet": _workload,
    "Deployment": _deployment,
    "EndpointSlice": _slice,
    "HorizontalPodAutoscaler": _autoscaler,
    "Job": _job,
    "Namespace": _namespace,
    "Node": _node,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "PodDisruptionBudget": _budget,
    "ReplicaSet": _replica_set,
    "ReplicationController": _replica_set,
    "ResourceQuota": _quota,
    "StatefulSet": _workload,
}


def _common(obj: Obj) -> Obj:
    meta = obj["metadata"]
    annotations = {k: v for k, v in (meta.get("annotations") or {}).items() if _ANNOTATIONS.match(k)}
    owners = [
        {key: each[key] for key in ("blockOwnerDeletion", "controller", "kind", "name") if each.get(key)}
        for each in meta.get("ownerReferences") or ()
    ]
    found = {
        "annotations": annotations,
        "owners": owners,
        "finalizers": sorted(meta.get("finalizers") or ()),
        "deleting": is_terminating(obj),
    }
    return {key: value for key, value in found.items() if value}


@dataclass(frozen=True, slots=True)
class Shape:
    """What the objects of a case look like.

    Args:
        of_nodes: nodes are the point: there are Nodes, and ReplicaSets have their generation as it is.
        places: Pods tell their nodes.
    """

    of_nodes: bool
    places: bool


def shape_of(case: Mapping[str, Any]) -> Shape:
    """Return what the objects of a recorded case look like."""
    pods = (rows[0] for key, rows in case["series"].items() if key.startswith("Pod/"))
    return Shape(case["group"] == NODES, any("node" in row for row in pods))


def is_projected(obj: Obj, shape: Shape) -> bool:
    """Tell whether the timeline of a case has this object."""
    kind, name = obj["kind"], obj["metadata"]["name"]
    if kind == "Node":
        return shape.of_nodes
    if kind == "Namespace":
        return bool(name == NAMESPACE)
    return kind in _PROJECTIONS and key_of(obj).namespace == NAMESPACE and name not in IGNORED


def project(obj: Obj, shape: Shape) -> Obj:
    """Return the fields that the timeline of a case has of an object."""
    found = _PROJECTIONS[obj["kind"]](obj)
    found = {**_common(obj), **found} if obj["kind"] != "Node" else found
    if not shape.places:
        found.pop("node", None)
    if not shape.of_nodes:
        return found
    if obj["kind"] == "ReplicaSet":  # here with its generation, as it is
        found.pop("observed", None)
        found = {**found, "generation": obj["metadata"]["generation"], "status": _status(obj)}
    return found


def is_ready_pod(obj: Obj) -> bool:
    """Tell whether a projected kind is a Pod that is Ready."""
    return bool(obj["kind"] == "Pod") and is_condition_true(obj, "Ready")


class Names:
    """Replaces what differs from run to run in names.

    Args:
        nodes: names of nodes, and ...
        zones: ... names of zones that are told from one another no more; none where they are the point.
    """

    def __init__(self, nodes: Iterable[str], zones: Iterable[str]) -> None:
        self._known: dict[str, str] = {NAMESPACE: "<ns>"}
        self._numbers: dict[str, int] = {}
        self._generated: set[str] = set()
        self._first_run: int | None = None
        self._hidden = {**dict.fromkeys(nodes, "<node>"), **dict.fromkeys(zones, "<zone>")}

    def meet(self, obj: Obj) -> None:
        """Give a number to an object that appears."""
        meta = obj["metadata"]
        name, start = meta["name"], meta.get("generateName")
        if name in self._known:
            return
        if start and name.startswith(start):
            self._generated.add(start)
            number = self._numbers[start] = self._numbers.get(start, 0) + 1
            self._known[name] = f"{start}<{number}>"
        elif obj["kind"] == "Job" and (minute := re.search(r"-(\d{8,})$", name)):
            run = int(minute[1])
            self._first_run = run if self._first_run is None else self._first_run
            self._known[name] = f"{name[: minute.start()]}-<T+{run - self._first_run}>"

    def hide(self, value: Any) -> Any:
        """Return a JSON value with all names replaced."""
        text = json.dumps(value)
        for name in sorted(self._known, key=len, reverse=True):
            text = text.replace(name, self._known[name])
        for name, hidden in self._hidden.items():
            text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", hidden, text)
        for start in self._generated:
            text = re.sub(rf'(?<=\\"){re.escape(start)}[a-z0-9]{{5}}(?=\\")', f"{start}<random>", text)
        return json.loads(text)
