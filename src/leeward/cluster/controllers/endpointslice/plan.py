"""Which endpoints a Service has.

Source: ``k8s.io/endpointslice`` (utils.go, reconciler.go; Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from leeward.cluster.controllers.framework.servicepods import (
    endpoint_port,
    new_slice,
    ports_key,
    published_name,
    target_of,
    target_port,
)
from leeward.kube.objects import Obj, is_condition_true, is_terminating, labels_of
from leeward.kube.wellknown import SERVICE_NAME, ZONE

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MANAGER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"

FindNode = Callable[[str], Obj | None]
Endpoints = Mapping[str, Obj]  # address family → endpoint


@dataclass(slots=True)
class Group:
    """The endpoints that have the same ports."""

    ports: list[Obj]
    endpoints: dict[str, Obj] = field(default_factory=dict)  # by identity


@dataclass(frozen=True, slots=True)
class PodEndpoints:
    """What a Service makes of one Pod."""

    numbers: tuple[int | None, ...]  # of the Service's ports, in its order; None: the Pod lacks it
    endpoints: Endpoints


def ports_of(service: Obj, numbers: Iterable[int | None]) -> list[Obj]:
    """Return the EndpointPorts for the numbers of a Pod's ports; what the Pod lacks is left out."""
    pairs = zip(service["spec"].get("ports") or (), numbers, strict=True)
    return [endpoint_port(port, number) for port, number in pairs if number is not None]


def pod_endpoints(service: Obj, pod: Obj, find_node: FindNode) -> PodEndpoints:
    """Return the endpoints of a selected Pod; none while it cannot have one.

    That is so, too, while its Node is not known, unless the Service publishes whatever there is.
    """
    status, spec = pod.get("status") or {}, pod["spec"]
    publish = bool(service["spec"].get("publishNotReadyAddresses"))
    node = find_node(spec["nodeName"]) if spec.get("nodeName") else None
    numbers = tuple(target_port(port, pod) for port in service["spec"].get("ports") or ())
    found = addresses_of(status)
    if not found or status.get("phase") in ("Succeeded", "Failed") or (node is None and not publish):
        return PodEndpoints(numbers, {})
    serving, terminating = is_condition_true(pod, "Ready"), is_terminating(pod)
    common: Obj = {
        "conditions": {
            "ready": publish or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": target_of(pod),
    }
    if name := published_name(service, pod):
        common["hostname"] = name
    if spec.get("nodeName"):
        common["nodeName"] = spec["nodeName"]
    if node is not None and labels_of(node).get(ZONE):
        common["zone"] = labels_of(node)[ZONE]
    families = {family: {"addresses": ips, **common} for family, ips in found.items()}
    return PodEndpoints(numbers, families)


def addresses_of(status: Obj) -> dict[str, list[str]]:
    """Return a Pod's addresses, by family."""
    found: dict[str, list[str]] = {}
    for each in status.get("podIPs") or [{"ip": status.get("podIP") or ""}]:
        if each["ip"]:
            found.setdefault("IPv6" if ":" in each["ip"] else "IPv4", []).append(each["ip"])
    return found


def families_of(service: Obj) -> list[str]:
    """Return the address families for which a Service has slices."""
    return service["spec"].get("ipFamilies") or ["IPv4"]


def groups_of(service: Obj, pods: Iterable[PodEndpoints], family: str) -> dict[str, Group]:
    """Return the endpoints of one address family, by what identifies their ports."""
    by_numbers: dict[tuple[int | None, ...], Group] = {}
    for pod in pods:
        endpoint = pod.endpoints.get(family)
        if endpoint is not None:
            group = by_numbers.get(pod.numbers)
            if group is None:
                group = by_numbers[pod.numbers] = Group(ports_of(service, pod.numbers))
            group.endpoints[identity(endpoint)] = endpoint
    found: dict[str, Group] = {}
    for group in by_numbers.values():
        found.setdefault(ports_key(group.ports), group).endpoints.update(group.endpoints)
    return found


def identity(endpoint: Obj) -> str:
    """Return what stays the same of an endpoint while its state changes."""
    uid: str = (endpoint.get("targetRef") or {}).get("uid") or ""
    return uid


def slice_labels(service: Obj) -> dict[str, str]:
    """Return the labels every slice of the Service carries."""
    labels = {key: value for key, value in labels_of(service).items() if key not in (HEADLESS, SERVICE_NAME)}
    labels[SERVICE_NAME] = service["metadata"]["name"]
    labels[MANAGED_BY] = MANAGER
    if service["spec"].get("clusterIP") in ("None", "", None):
        labels[HEADLESS] = ""
    return labels


def slice_of(service: Obj, family: str, ports: list[Obj], endpoints: list[Obj]) -> Obj:
    """Return a slice to make."""
    owner = {"apiVersion": "v1", "kind": "Service", **service}
    return new_slice(owner, family, slice_labels(service), endpoints=endpoints, ports=ports)
