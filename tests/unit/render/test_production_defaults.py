"""What every production manifest has without being asked: a manifest without it is not accepted here.

Each default is a statement about the objects and a way to spoil it; the statement holds for what is rendered,
and no longer when the default is taken away.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from leeward.kube.objects import Obj

Objects = list[Obj]
PROJECT = """
    services:
      web: {image: x, ports: ["80:80"], scale: 3, x-leeward: {hosts: [shop.example]}}
      api: {image: x, expose: ["8080"], x-leeward: {autoscale: 6}}
      db: {image: x, expose: ["5432"], volumes: ["data:/d"]}
    volumes: {data: }
"""


def _workloads(objects: Objects, *kinds: str) -> Objects:
    return [obj for obj in objects if obj["kind"] in (kinds or ("Deployment", "StatefulSet"))]


def _pods(objects: Objects, *kinds: str) -> list[dict[str, Any]]:
    return [obj["spec"]["template"]["spec"] for obj in _workloads(objects, *kinds)]


def _spreads(objects: Objects, key: str) -> bool:
    return all(
        any(constraint["topologyKey"] == key for constraint in pod.get("topologySpreadConstraints", ()))
        for pod in _pods(objects)
    )


def _balances_zones(objects: Objects) -> bool:
    constraints = [
        constraint
        for workload in _workloads(objects)
        if workload["metadata"]["name"] in ("web", "api")
        for constraint in workload["spec"]["template"]["spec"]["topologySpreadConstraints"]
        if constraint["topologyKey"] == "topology.kubernetes.io/zone"
    ]
    return [
        (constraint["whenUnsatisfiable"], constraint.get("nodeTaintsPolicy")) for constraint in constraints
    ] == [("DoNotSchedule", "Honor")] * 2


def _has_budgets(objects: Objects) -> bool:
    budgets = {obj["metadata"]["name"]: obj["spec"] for obj in _workloads(objects, "PodDisruptionBudget")}
    return budgets.keys() == {"web", "api"} and all(
        (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
        for spec in budgets.values()
    )


def _leaves_lost_nodes(objects: Objects) -> bool:
    return all(
        {toleration["key"]: toleration["tolerationSeconds"] for toleration in pod.get("tolerations", ())}
        == {"node.kubernetes.io/not-ready": 30, "node.kubernetes.io/unreachable": 30}
        for pod in _pods(objects, "Deployment")
    )


def _leaves_replicas_to_the_autoscaler(objects: Objects) -> bool:
    scaled = {obj["spec"]["scaleTargetRef"]["name"] for obj in _workloads(objects, "HorizontalPodAutoscaler")}
    return scaled == {"api"} and all(
        ("replicas" in workload["spec"]) is (workload["metadata"]["name"] not in scaled)
        for workload in _workloads(objects)
    )


def _requests_resources(objects: Objects) -> bool:
    return all(
        {"cpu", "memory"} <= container.get("resources", {}).get("requests", {}).keys()
        for pod in _pods(objects)
        for container in pod["containers"]
    )


def _pod_without(key: str) -> Callable[[Objects], None]:
    def spoil(objects: Objects) -> None:
        for pod in _pods(objects):
            pod.pop(key, None)

    return spoil


def _without_kind(kind: str) -> Callable[[Objects], None]:
    def spoil(objects: Objects) -> None:
        objects[:] = [obj for obj in objects if obj["kind"] != kind]

    return spoil


def _without_constraint(key: str) -> Callable[[Objects], None]:
    def spoil(objects: Objects) -> None:
        for pod in _pods(objects):
            kept = [each for each in pod["topologySpreadConstraints"] if each["topologyKey"] != key]
            pod["topologySpreadConstraints"] = kept

    return spoil


def _with_soft_zones(objects: Objects) -> None:
    for pod in _pods(objects):
        for constraint in pod["topologySpreadConstraints"]:
            constraint["whenUnsatisfiable"] = "ScheduleAnyway"


def _with_replicas(objects: Objects) -> None:
    for workload in _workloads(objects):
        workload["spec"]["replicas"] = 2


def _without_requests(objects: Objects) -> None:
    for pod in _pods(objects):
        pod["containers"][0].pop("resources")


ZONE, NODE = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
DEFAULTS: dict[str, tuple[Callable[[Objects], bool], Callable[[Objects], None]]] = {
    "spread over zones": (lambda objects: _spreads(objects, ZONE), _without_constraint(ZONE)),
    "spread over nodes": (lambda objects: _spreads(objects, NODE), _without_constraint(NODE)),
    "balanced zones from two replicas on": (_balances_zones, _with_soft_zones),
    "a disruption budget from two replicas on": (_has_budgets, _without_kind("PodDisruptionBudget")),
    "lost nodes are left after 30 seconds": (_leaves_lost_nodes, _pod_without("tolerations")),
    "an autoscaler instead of replicas": (_leaves_replicas_to_the_autoscaler, _with_replicas),
    "requests that an autoscaler can work with": (_requests_resources, _without_requests),
    "no token of the service account": (
        lambda objects: all(pod.get("automountServiceAccountToken") is False for pod in _pods(objects)),
        _pod_without("automountServiceAccountToken"),
    ),
    "no variables of other services": (
        lambda objects: all(pod.get("enableServiceLinks") is False for pod in _pods(objects)),
        _pod_without("enableServiceLinks"),
    ),
}


@pytest.mark.parametrize(("holds", "spoil"), DEFAULTS.values(), ids=list(DEFAULTS))
def test_a_manifest_has_the_default_and_one_without_it_is_found_out(
    holds: Callable[[Objects], bool], spoil: Callable[[Objects], None], render_text: Callable[..., Any]
) -> None:
    objects: Objects = render_text(PROJECT, environment="production").objects
    spoilt = copy.deepcopy(objects)
    spoil(spoilt)

    assert holds(objects)
    assert not holds(spoilt)
