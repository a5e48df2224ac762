"""Which nodes a DaemonSet wants a Pod on, and what to do about it. Pure.

Source: pkg/controller/daemon/daemon_controller.go (NodeShouldRunDaemonPod), update.go,
util/daemonset_util.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leeward.cluster.controllers.daemonset.rolling import Rolling
from leeward.kube.objects import Obj, is_terminating, labels_of
from leeward.kube.pods import is_finished
from leeward.kube.selectors import matches_labels, matches_node_selector
from leeward.kube.wellknown import (
    TAINT_NOT_READY,
    TAINT_UNREACHABLE,
    TAINT_UNSCHEDULABLE,
)

_AUTOMATIC = (
    (TAINT_NOT_READY, "NoExecute"),
    (TAINT_UNREACHABLE, "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    (TAINT_UNSCHEDULABLE, "NoSchedule"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do."""

    create: Sequence[str]  # nodes
    delete: Sequence[Obj]
    ended: Sequence[Obj] = ()  # Pods to delete because they ended, and should not have


def tolerations() -> list[dict[str, str]]:
    """Return what every daemon Pod tolerates."""
    return [{"key": key, "operator": "Exists", "effect": effect} for key, effect in _AUTOMATIC]


def node_of(pod: Obj) -> str:
    """Return the node a Pod is on, or is made for."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    affinity = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    for term in affinity.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field["key"] == "metadata.name":
                return str(field["values"][0])
    return ""


def is_of_interest(pod: Obj) -> bool:
    """Tell whether something is left to do about a Pod, which has not ended while it was being deleted."""
    return not (is_finished(pod) and is_terminating(pod))


def wants_pod(template: Obj, node: Obj) -> tuple[bool, bool]:
    """Tell whether a node should get a Pod, and whether one that runs there may stay."""
    spec, name = template["spec"], node["metadata"]["name"]
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    fits = matches_labels(spec.get("nodeSelector"), labels_of(node))
    if affinity is not None:
        fits = fits and matches_node_selector(affinity, labels_of(node), name)
    if not fits or spec.get("nodeName", name) != name:
        return False, False
    tolerated = [*(spec.get("tolerations") or ()), *tolerations()]
    taints = (node.get("spec") or {}).get("taints") or ()
    effects = {t["effect"] for t in taints if not any(_tolerates(each, t) for each in tolerated)}
    return not effects & {"NoSchedule", "NoExecute"}, "NoExecute" not in effects


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    return toleration.get("operator") == "Exists" or toleration.get("value", "") == taint.get("value", "")


def plan(daemon_set: Obj, nodes: Sequence[Obj], pods: Sequence[Obj], update: str, now: datetime) -> Plan:
    """Compare nodes and Pods.

    Args:
        daemon_set: the DaemonSet.
        nodes: all nodes.
        pods: its Pods.
        update: hash of the current template's revision.
        now: for minReadySeconds.
    """
    by_node: dict[str, list[Obj]] = {}
    for pod in pods:
        by_node.setdefault(node_of(pod), []).append(pod)
    create: list[str] = []
    delete: list[Obj] = []
    ended: list[Obj] = []
    rolling, wanted = Rolling(daemon_set, update, now), 0
    for node in nodes:
        name = node["metadata"]["name"]
        should, may_stay = wants_pod(daemon_set["spec"]["template"], node)
        wanted += should
        here = by_node.get(name, [])
        living = [pod for pod in here if not is_finished(pod) and not is_terminating(pod)]
        finished = [pod for pod in here if is_finished(pod) and not is_terminating(pod)]
        if not may_stay:
            delete += living + finished
        elif should and not here:
            create.append(name)
        else:
            ended += finished
            delete += rolling.surplus(living)
    known = {node["metadata"]["name"] for node in nodes}
    for name, left in by_node.items():
        if name not in known:  # the node is gone before they came to it
            delete += [pod for pod in left if not is_terminating(pod) and not pod["spec"].get("nodeName")]
    if not create and not delete and not ended:
        return Plan(*rolling.step(by_node, wanted))
    return Plan(create, delete, ended)
