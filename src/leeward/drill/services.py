"""What is wanted of every service: how many replicas, and where they may be. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from leeward.kube.objects import Obj, controller_of, labels_of
from leeward.kube.selectors import matches_labels, matches_node_selector
from leeward.kube.wellknown import APP_NAME, POD_TEMPLATE_HASH, ZONE

WORKLOADS = ("deployments.apps", "statefulsets.apps", "daemonsets.apps")
Held = dict[str, dict[str, list[str]]]  # service → zone → Pods with a volume there


@dataclass(frozen=True, slots=True)
class Service:
    """What is wanted of a service."""

    replicas: int
    zones: frozenset[str]  # where its Pods may be
    everywhere: bool = False  # one Pod a node: what is lost is not replaced elsewhere
    bound: bool = False  # volumes keep its Pods where they are


def service_of(pod: Obj) -> str:
    """Return the service of a Pod: its label, else the name of the workload that made it."""
    labels = labels_of(pod)
    owner = (controller_of(pod) or pod["metadata"])["name"]
    return labels.get(APP_NAME) or str(owner).removesuffix(f"-{labels.get(POD_TEMPLATE_HASH, '')}")


def services_of(workloads: Iterable[Obj], nodes: Iterable[Obj], held: Held) -> dict[str, Service]:
    """Return every service that wants Pods; workloads of one service count together.

    Args:
        workloads: Deployments, StatefulSets and DaemonSets.
        nodes: all.
        held: services with zonal volumes.
    """
    nodes = list(nodes)
    found: dict[str, Service] = {}
    for workload in workloads:
        spec, status = workload["spec"], workload.get("status") or {}
        labels = (spec["template"].get("metadata") or {}).get("labels") or {}
        name = labels.get(APP_NAME) or workload["metadata"]["name"]
        everywhere = workload["kind"] == "DaemonSet"
        count = status.get("desiredNumberScheduled", 0) if everywhere else spec.get("replicas", 1)
        if not count:
            continue
        zones = frozenset(_zones(spec["template"].get("spec") or {}, nodes))
        one = found.get(name, Service(0, frozenset(), bound=name in held))
        found[name] = replace(
            one,
            replicas=one.replicas + count,
            zones=one.zones | zones,
            everywhere=one.everywhere or everywhere,
        )
    return found


def _zones(spec: Obj, nodes: Iterable[Obj]) -> Iterable[str]:
    """Yield the zones with a node that a Pod may be on, as far as labels of nodes say."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    for node in nodes:
        labels = labels_of(node)
        if matches_labels(spec.get("nodeSelector"), labels) and matches_node_selector(
            required, labels, node["metadata"]["name"]
        ):
            yield labels.get(ZONE, "")


def held_volumes(pods: Iterable[Obj], claims: Iterable[Obj], volumes: Iterable[Obj]) -> Held:
    """Return which Pods have a volume in which zone: they cannot be elsewhere."""
    zone_of = {volume["metadata"]["name"]: zone_of_volume(volume) for volume in volumes}
    claimed = {
        claim["metadata"]["name"]: zone_of.get(claim["spec"].get("volumeName", ""), "") for claim in claims
    }
    found: Held = {}
    for pod in pods:
        for volume in pod["spec"].get("volumes") or () if controller_of(pod) else ():
            zone = claimed.get((volume.get("persistentVolumeClaim") or {}).get("claimName", ""))
            if zone:
                names = found.setdefault(service_of(pod), {}).setdefault(zone, [])
                names.append(pod["metadata"]["name"])
    return found


def zone_of_volume(volume: Obj) -> str:
    """Return the zone that a volume can be used in; "" for any."""
    required = ((volume.get("spec") or {}).get("nodeAffinity") or {}).get("required") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for rule in term.get("matchExpressions") or ():
            if rule["key"] == ZONE and rule.get("values"):
                return str(rule["values"][0])
    return ""
