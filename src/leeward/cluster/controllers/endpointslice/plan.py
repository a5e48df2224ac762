"""Which endpoints a Service has, and which writes bring its slices there.

Invariants: an endpoint stays in the slice it is in; no slice holds more than 100; a Service with a
selector always has at least one slice.

Source: ``k8s.io/endpointslice`` (utils.go, reconciler.go; Kubernetes 1.36).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from leeward.cluster.controllers.framework.servicepods import (
    endpoint_port,
    published_name,
    target_of,
    target_port,
    with_trigger_time,
)
from leeward.kube.objects import Obj, is_condition_true, is_terminating, labels_of, owner_reference
from leeward.kube.wellknown import SERVICE_NAME, ZONE

MAX_ENDPOINTS = 100
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"

FindNode = Callable[[str], Obj | None]


@dataclass(frozen=True, slots=True)
class Writes:
    """What to write; updated slices carry the resourceVersion they were read with."""

    create: list[Obj] = field(default_factory=list)
    update: list[Obj] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)  # names


def ports_for(service: Obj, pod: Obj) -> list[Obj]:
    """Return the EndpointPorts of `pod`; a named port that the Pod lacks is left out."""
    ports = [(port, target_port(port, pod)) for port in service["spec"].get("ports") or ()]
    return [endpoint_port(port, number) for port, number in ports if number is not None]


def endpoint_for(service: Obj, pod: Obj, find_node: FindNode) -> Obj | None:
    """Return the endpoint of a selected Pod, or None while it cannot have one."""
    status = pod.get("status") or {}
    if not status.get("podIP") or status.get("phase") in ("Succeeded", "Failed"):
        return None
    serving, terminating = is_condition_true(pod, "Ready"), is_terminating(pod)
    publish = bool(service["spec"].get("publishNotReadyAddresses"))
    spec = pod["spec"]
    endpoint: Obj = {
        "addresses": [status["podIP"]],
        "conditions": {
            "ready": publish or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": target_of(pod),
    }
    if name := published_name(service, pod):
        endpoint["hostname"] = name
    if spec.get("nodeName"):
        endpoint["nodeName"] = spec["nodeName"]
        node = find_node(spec["nodeName"])
        if node is not None and labels_of(node).get(ZONE):
            endpoint["zone"] = labels_of(node)[ZONE]
    return endpoint


def slice_labels(service: Obj) -> dict[str, str]:
    """Return the labels every slice of the Service carries."""
    labels = {key: value for key, value in labels_of(service).items() if key not in (HEADLESS, SERVICE_NAME)}
    labels[SERVICE_NAME] = service["metadata"]["name"]
    labels[MANAGED_BY] = MANAGER
    if service["spec"].get("clusterIP") == "None":
        labels[HEADLESS] = ""
    return labels


def _identity(endpoint: Obj) -> str:
    uid: str = (endpoint.get("targetRef") or {}).get("uid") or ""
    return uid


def _kept(old: Obj, new: Obj) -> Obj:
    """Return an endpoint as it is to be: the very same where nothing changed, as many versions share it."""
    return old if old == new else new


def _ports_key(ports: Iterable[Any] | None) -> str:
    return json.dumps(sorted(json.dumps(port, sort_keys=True) for port in ports or ()))


def reconcile(
    service: Obj, pods: Sequence[Obj], slices: Sequence[Obj], find_node: FindNode, time: str = ""
) -> Writes:
    """Return the writes that make `slices` describe the Pods.

    Args:
        service: whose slices.
        pods: those that it selects.
        slices: ours, of this Service.
        find_node: finds Nodes.
        time: when that happened which slices change for; "" when nobody knows.
    """
    families = service["spec"].get("ipFamilies") or ["IPv4"]
    wanted: dict[str, tuple[list[Obj], dict[str, Obj]]] = {}
    for pod in pods:
        if endpoint := endpoint_for(service, pod, find_node):
            ports = ports_for(service, pod)
            wanted.setdefault(_ports_key(ports), (ports, {}))[1][_identity(endpoint)] = endpoint
    by_ports: dict[str, list[Obj]] = {}
    for existing in slices:
        by_ports.setdefault(_ports_key(existing.get("ports")), []).append(existing)
    writes = Writes()
    if not wanted:  # keep or make one empty slice
        wanted[_ports_key([])] = ([], {})
    for key, (ports, endpoints) in wanted.items():
        _reconcile_group(writes, service, families[0], ports, endpoints, by_ports.pop(key, []))
    for stale in by_ports.values():
        writes.delete.extend(found["metadata"]["name"] for found in stale)
    for changed in (writes.create, writes.update):
        changed[:] = [{**each, "metadata": with_trigger_time(each["metadata"], time)} for each in changed]
    return writes


def _reconcile_group(
    writes: Writes, service: Obj, family: str, ports: list[Obj], endpoints: dict[str, Obj], slices: list[Obj]
) -> None:
    """Bring the slices with one set of ports up to date."""
    left = dict(endpoints)
    kept: list[tuple[Obj, list[Obj]]] = []
    for existing in slices:
        there = [old for old in existing.get("endpoints") or () if _identity(old) in left]
        stay = [_kept(old, left.pop(_identity(old))) for old in there]
        kept.append((existing, stay))
    new = list(left.values())
    for _, stay in kept:
        room = MAX_ENDPOINTS - len(stay)
        stay.extend(new[:room])
        new = new[room:]
    spare = [found for found, stay in kept if not stay]
    needed = any(stay for _, stay in kept) or new
    if not needed and spare:
        spare = spare[1:]
    for existing, stay in kept:
        if existing in spare:
            writes.delete.append(existing["metadata"]["name"])
        else:
            _update_if_changed(writes, service, existing, stay)
    while new or (not kept and not endpoints):
        writes.create.append(_make(service, family, ports, new[:MAX_ENDPOINTS]))
        new = new[MAX_ENDPOINTS:]
        if not new:
            break


def _update_if_changed(writes: Writes, service: Obj, existing: Obj, endpoints: list[Obj]) -> None:
    labels = slice_labels(service)
    if labels == labels_of(existing) and endpoints == (existing.get("endpoints") or []):
        return
    metadata = {**existing["metadata"], "labels": labels}
    writes.update.append({**existing, "metadata": metadata, "endpoints": endpoints})


def _make(service: Obj, family: str, ports: list[Obj], endpoints: list[Obj]) -> Obj:
    meta = service["metadata"]
    owner = owner_reference({"apiVersion": "v1", "kind": "Service", **service})
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": slice_labels(service),
            "ownerReferences": [owner],
        },
        "addressType": family,
        "endpoints": endpoints,
        "ports": ports,
    }
