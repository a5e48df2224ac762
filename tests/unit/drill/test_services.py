"""How many Pods a service wants and where they may be."""

from __future__ import annotations

from typing import Any

from leeward.drill.services import Service, held_volumes, service_of, services_of
from leeward.kube.objects import Obj

ZONE = "topology.kubernetes.io/zone"
NODES = [{"metadata": {"name": f"n-{zone}", "labels": {ZONE: zone, "disk": zone}}} for zone in "abc"]


def workload(
    name: str, *, kind: str = "Deployment", label: str = "", pod: Obj | None = None, **spec: Any
) -> Obj:
    labels = {"app.kubernetes.io/name": label} if label else {}
    template = {"metadata": {"labels": labels}, "spec": pod or {}}
    return {"kind": kind, "metadata": {"name": name}, "spec": {"template": template, **spec}}


def test_replicas_and_zones_come_from_the_workload() -> None:
    pinned = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["a", "c"]}]}
                ]
            }
        }
    }
    found = services_of(
        [
            workload("web-1", label="web", replicas=2, pod={"nodeSelector": {"disk": "b"}}),
            workload("web-2", label="web", replicas=1, pod={"affinity": pinned}),
            workload("kv"),
            workload("off", replicas=0),
            {**workload("agent", kind="DaemonSet"), "status": {"desiredNumberScheduled": 3}},
        ],
        NODES,
        {"kv": {"a": ["kv-0"]}},
    )

    everywhere = frozenset("abc")
    assert found == {
        "web": Service(3, everywhere),
        "kv": Service(1, everywhere, bound=True),
        "agent": Service(3, everywhere, everywhere=True),
    }


def pod(name: str, owner: str, claim: str = "", **labels: str) -> Obj:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    owners = [{"kind": "ReplicaSet", "name": owner, "controller": True}]
    return {
        "metadata": {"name": name, "ownerReferences": owners, "labels": labels},
        "spec": {"volumes": volumes},
    }


def test_a_pod_without_leewards_labels_belongs_to_its_deployment() -> None:
    assert service_of(pod("web-1f-x", "web-1f", **{"pod-template-hash": "1f"})) == "web"
    assert service_of(pod("db-0", "db")) == "db"


def test_volumes_hold_pods_in_their_zone() -> None:
    rule = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["b"]}]}
    volumes: list[Obj] = [
        {"metadata": {"name": "v1"}, "spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [rule]}}}},
        {"metadata": {"name": "v2"}, "spec": {}},
    ]
    claims: list[Obj] = [
        {"metadata": {"name": f"c{n}"}, "spec": {"volumeName": f"v{n}"} if n < 3 else {}} for n in (1, 2, 3)
    ]
    pods = [pod(f"db-{n}", "db", f"c{n}") for n in (1, 2, 3)]

    assert held_volumes(pods, claims, volumes) == {"db": {"b": ["db-1"]}}
