"""What the Endpoints of a Service say.

Addresses with the same ports are one subset; there is one Endpoints object a Service, of at most 1000
addresses. Ports and subsets come in the order of their names, where upstream has that of their hashes.

Source: ``endpoints_controller.go`` of pkg/controller/endpoint, pkg/api/v1/endpoints (Kubernetes 1.36).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from leeward.cluster.controllers.framework.servicepods import (
    endpoint_port,
    published_name,
    target_of,
    target_port,
    with_trigger_time,
)
from leeward.kube.objects import Obj, annotations_of, is_condition_true, is_terminating, labels_of

MAX_ADDRESSES = 1000
MANAGED_BY, MANAGER = "endpoints.kubernetes.io/managed-by", "endpoint-controller"
HEADLESS = "service.kubernetes.io/headless"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"


def _address_of(service: Obj, pod: Obj) -> Obj | None:
    """Return the address of a Pod, or None while it has no place in Endpoints."""
    status, publish = pod.get("status") or {}, service["spec"].get("publishNotReadyAddresses")
    if not status.get("podIP") or status.get("phase") in ("Succeeded", "Failed"):
        return None
    if is_terminating(pod) and not publish:
        return None
    address: Obj = {"ip": status["podIP"]}
    if name := published_name(service, pod):
        address["hostname"] = name
    if pod["spec"].get("nodeName"):
        address["nodeName"] = pod["spec"]["nodeName"]
    return {**address, "targetRef": target_of(pod)}


def _ports_of(service: Obj, pod: Obj) -> list[Obj]:
    wanted = [(port, target_port(port, pod)) for port in service["spec"].get("ports") or ()]
    ports = [endpoint_port(port, number) for port, number in wanted if number is not None]
    bare = [{name: value for name, value in port.items() if value != ""} for port in ports]
    return sorted(bare, key=lambda port: (port.get("name", ""), port["port"], port["protocol"]))


@dataclass(frozen=True, slots=True)
class PodAddress:
    """What a Service makes of one Pod."""

    address: Obj | None  # None: it has no place
    ports: list[Obj]
    ready: bool
    key: str  # what identifies the ports


def pod_address(service: Obj, pod: Obj) -> PodAddress:
    """Return the address of a selected Pod."""
    address, ports = _address_of(service, pod), _ports_of(service, pod)
    headless = service["spec"].get("clusterIP") == "None" and not service["spec"].get("ports")
    publish = bool(service["spec"].get("publishNotReadyAddresses"))
    ready = publish or is_condition_true(pod, "Ready")
    return PodAddress(address if ports or headless else None, ports, ready, json.dumps(ports))


def subsets_of(pods: Iterable[PodAddress]) -> list[Obj]:
    """Return the subsets of addresses."""
    found: dict[str, Obj] = {}
    for pod in pods:
        if pod.address is not None:
            subset = found.get(pod.key)
            if subset is None:
                subset = found[pod.key] = {"addresses": [], "notReadyAddresses": [], "ports": pod.ports}
            subset["addresses" if pod.ready else "notReadyAddresses"].append(pod.address)
    return [_sorted(found[key]) for key in sorted(found)]


def _sorted(subset: Obj) -> Obj:
    """Return a subset with its addresses in order and without what is empty."""
    for kind in ("addresses", "notReadyAddresses"):
        subset[kind].sort(key=lambda address: (address["ip"], address["targetRef"]["uid"]))
    return {key: value for key, value in subset.items() if value}


def _capped(subsets: list[Obj]) -> list[Obj]:
    """Return as many addresses as fit, ready ones first."""
    left, kept = MAX_ADDRESSES, [dict(subset) for subset in subsets]
    for kind in ("addresses", "notReadyAddresses"):
        for subset in kept:
            if kind in subset:
                subset[kind] = subset[kind][:left]
                left -= len(subset[kind])
    bare = [{key: value for key, value in subset.items() if value} for subset in kept]
    return [subset for subset in bare if subset.keys() != {"ports"}]


def endpoints_for(service: Obj, pods: Iterable[PodAddress], old: Obj | None, time: str) -> Obj | None:
    """Return the Endpoints to write, or None when `old` says it all.

    Args:
        service: whose.
        pods: the addresses of those that it selects.
        old: what there is.
        time: when that happened which they change for; "" when nobody knows.
    """
    meta = service["metadata"]
    whole = subsets_of(pods)
    subsets = _capped(whole)
    labels = {key: value for key, value in labels_of(service).items() if key != HEADLESS}
    labels[MANAGED_BY] = MANAGER
    if service["spec"].get("clusterIP") in (None, "", "None"):
        labels[HEADLESS] = ""
    over = {OVER_CAPACITY: "truncated"} if subsets != whole else {}
    if old is not None:
        kept = {key: value for key, value in annotations_of(old).items() if key != OVER_CAPACITY}
        same = labels == labels_of(old) and {**kept, **over} == annotations_of(old)
        if same and (old.get("subsets") or []) == subsets:
            return None
        new = {**old["metadata"], "labels": labels, "annotations": {**kept, **over}}
    else:
        new = {"name": meta["name"], "namespace": meta["namespace"], "labels": labels, "annotations": over}
    kind = {"apiVersion": "v1", "kind": "Endpoints"}
    subsets = _shared(subsets, (old or {}).get("subsets") or ())
    return {**kind, "metadata": with_trigger_time(new, time), **({"subsets": subsets} if subsets else {})}


def _shared(subsets: list[Obj], old: Iterable[Obj]) -> list[Obj]:
    """Return subsets with the very addresses that were there before, as many versions are kept."""
    kinds = ("addresses", "notReadyAddresses")
    there = {each["ip"]: each for subset in old for kind in kinds for each in subset.get(kind) or ()}

    def kept(address: Obj) -> Obj:
        before = there.get(address["ip"])
        return before if before == address else address

    return [
        {key: list(map(kept, value)) if key in kinds else value for key, value in subset.items()}
        for subset in subsets
    ]
