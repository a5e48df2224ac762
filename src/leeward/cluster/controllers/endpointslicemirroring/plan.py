"""Which slices say what the Endpoints of a Service without selector say. Pure.

Invariants: one slice a subset's set of ports and address family; at most 1000 addresses a subset.

Source: ``reconciler.go``, ``reconciler_helpers.go``, ``utils.go`` of pkg/controller/endpointslicemirroring
(Kubernetes 1.36).
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from leeward.cluster.controllers.framework.servicepods import (
    TRIGGER_TIME,
    endpoint_port,
    new_slice,
    ports_key,
)
from leeward.kube.objects import Obj, annotations_of, labels_of
from leeward.kube.wellknown import SERVICE_NAME

MAX_ADDRESSES = 1000
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
_OWN_LABELS = (SERVICE_NAME, MANAGED_BY)
_NOT_COPIED = (TRIGGER_TIME, "kubectl.kubernetes.io/last-applied-configuration")


@dataclass(slots=True)
class Mirror:
    """What a set of slices has to say, and what it cannot."""

    groups: dict[tuple[str, str], tuple[list[Obj], list[Obj]]] = field(default_factory=dict)
    invalid: int = 0  # addresses that are none
    too_many: int = 0  # that there is no place for


@dataclass(frozen=True, slots=True)
class Writes:
    """What to write."""

    create: list[Obj] = field(default_factory=list)
    update: list[Obj] = field(default_factory=list)
    delete: list[str] = field(default_factory=list)  # names


def is_mirrored(endpoints: Obj) -> bool:
    """Tell whether Endpoints are to be mirrored, if their Service has no selector."""
    return labels_of(endpoints).get(SKIP) != "true" and LEADER not in annotations_of(endpoints)


def mirror_of(endpoints: Obj) -> Mirror:
    """Return the endpoints of all subsets, by ports and address family."""
    result = Mirror()
    for subset in endpoints.get("subsets") or ():
        ports = [endpoint_port(port, port["port"]) for port in subset.get("ports") or ()]
        key = ports_key(ports)
        added = 0
        for kind, ready in (("addresses", True), ("notReadyAddresses", False)):
            for address in subset.get(kind) or ():
                found = _endpoint(address, ready=ready)
                if added == MAX_ADDRESSES:
                    result.too_many += 1
                elif found is None:
                    result.invalid += 1
                else:
                    added += 1
                    _, held = result.groups.setdefault((found[0], key), (ports, []))
                    if found[1] not in held:
                        held.append(found[1])
    return result


def _endpoint(address: Obj, *, ready: bool) -> tuple[str, Obj] | None:
    """Return family and endpoint of an address; None when it is no IP."""
    try:
        ip = ipaddress.ip_address(address.get("ip") or "")
    except ValueError:
        return None
    endpoint: Obj = {"addresses": [str(ip)], "conditions": {"ready": ready}}
    for name in ("targetRef", "nodeName", "hostname"):
        if address.get(name):
            endpoint[name] = address[name]
    return f"IPv{ip.version}", endpoint


def _metadata(endpoints: Obj) -> Obj:
    """Return the labels and annotations of all slices."""
    meta = endpoints["metadata"]
    labels = {**labels_of(endpoints), SERVICE_NAME: meta["name"], MANAGED_BY: MANAGER}
    notes = {name: value for name, value in annotations_of(endpoints).items() if name not in _NOT_COPIED}
    return {"labels": labels, **({"annotations": notes} if notes else {})}


def reconcile(endpoints: Obj, mirror: Mirror, slices: Sequence[Obj]) -> Writes:
    """Return the writes that make `slices`, which are ours, say what the Endpoints say."""
    by_key: dict[tuple[str, str], list[Obj]] = {}
    for found in slices:
        by_key.setdefault((found["addressType"], ports_key(found.get("ports"))), []).append(found)
    writes, spare = Writes(), []
    wanted: list[tuple[str, list[Obj], list[Obj]]] = []
    for group, (ports, held) in mirror.groups.items():
        existing = by_key.pop(group, [])
        spare += existing[1:]
        if not existing:
            wanted.append((group[0], ports, held))
        elif not _says(existing[0], endpoints, held):
            writes.update.append(_filled(existing[0], endpoints, ports, held))
    spare += [found for left in by_key.values() for found in left]
    for family, ports, held in wanted:
        reused = next((found for found in spare if found["addressType"] == family), None)
        if reused is not None:
            spare.remove(reused)
            writes.update.append(_filled(reused, endpoints, ports, held))
        else:
            owner = {"apiVersion": "v1", "kind": "Endpoints", **endpoints}
            writes.create.append(_filled(new_slice(owner, family, {}), endpoints, ports, held))
    writes.delete.extend(found["metadata"]["name"] for found in spare)
    return writes


def _says(found: Obj, endpoints: Obj, held: Iterable[Obj]) -> bool:
    have = {key: found["metadata"][key] for key in ("labels", "annotations") if found["metadata"].get(key)}
    return have == _metadata(endpoints) and _by_address(found.get("endpoints") or ()) == _by_address(held)


def _by_address(held: Iterable[Obj]) -> Mapping[str, Obj]:
    return {json.dumps([each["addresses"], each.get("targetRef")], sort_keys=True): each for each in held}


def _filled(found: Obj, endpoints: Obj, ports: list[Obj], held: list[Obj]) -> Obj:
    bare = {key: value for key, value in found["metadata"].items() if key not in ("labels", "annotations")}
    return {**found, "metadata": {**bare, **_metadata(endpoints)}, "endpoints": held, "ports": ports}
